"""What can be wrong with a data set, and what is asked of it before work begins."""
