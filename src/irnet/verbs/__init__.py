"""What the command line does, over whole folders and files."""
