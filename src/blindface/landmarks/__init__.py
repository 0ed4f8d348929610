"""68 facial landmarks of the targets: detectors, networks, head pose, the stage and its table.

`run.run_landmarks` is the stage, `table.read_landmarks` and `table.read_points` read what it wrote. Nothing is imported
here, so that a stage which only reads the table does not depend on how landmarks are found.
"""
