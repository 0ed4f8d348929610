"""Files that come from outside the project: the registry, where they are looked for, and when they are believed.

`finder.find_file(name)` gives a checked file; `weights.Weights` reads what `blindface weights` laid out. Nothing is
imported here, so that a stage which only reads weights does not depend on how they are fetched.
"""
