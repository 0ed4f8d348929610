"""`python -m blindface` is the `blindface` command."""

from blindface.cli.app import main

main()
