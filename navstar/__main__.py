"""`python -m navstar` is `navstar`."""

from navstar.entry import main

main()
