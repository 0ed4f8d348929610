"""The `blindface` command: one module per stage, in the order of the data."""
