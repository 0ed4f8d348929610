"""Runs in MLflow. Nothing reads results back from there.

A run is tracked while it trains (`start_tracking`), or imported afterwards from its files (`import_run`), for a machine
without MLflow or after a store that could not be reached. Tracking never stops a training run: the first failure is
told once, then the tracker stays silent, and the files hold everything.

Names in MLflow: metrics `step1/pixel`, with the epoch as MLflow's step; parameters `train.learning_rate`.
"""

from blindface.tracking.importing import import_run
from blindface.tracking.tracker import SilentTracker, Status, Tracker, start_tracking

__all__ = ["SilentTracker", "Status", "Tracker", "import_run", "start_tracking"]
