"""`python -m setscrew` is the command `setscrew`."""

from setscrew.cli import main

if __name__ == "__main__":
    main()
