"""Runs in MLflow. Nothing reads results back from there.

A run is tracked while it trains (`start_tracking`), or imported afterwards from the same files (`import_run`), for a
machine without MLflow or after a store that could not be reached. Its final test metrics join it when they are there
(`attach_scores`). Which run of MLflow a model is stands beside it (`read_note`).

Names in MLflow: metrics `step1/pixel`, `training/learning_rate`, `summary/seconds`, `test/psnr`, `system/…`, with the
epoch as MLflow's step (system metrics: their line); parameters `train.learning_rate`, `train.objective.pixel.final`.
"""

from blindface.tracking.importing import import_run
from blindface.tracking.note import TrackedRun, read_note
from blindface.tracking.scores import attach_scores
from blindface.tracking.tracker import Tracker, start_tracking

__all__ = ["TrackedRun", "Tracker", "attach_scores", "import_run", "read_note", "start_tracking"]
