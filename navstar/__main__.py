"""`python -m navstar` is `navstar`."""

from navstar.cli import main

main()
