"""`python -m irnet` is `irnet`."""

from irnet.cli import main

if __name__ == "__main__":
    main()
