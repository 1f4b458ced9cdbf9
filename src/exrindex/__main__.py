"""``python -m exrindex``."""

from exrindex.cli import main

if __name__ == "__main__":
    main()
