"""`python -m simulations`: see `python -m simulations --help`."""

import sys

from simulations.cli import main

if __name__ == "__main__":
    sys.exit(main())
