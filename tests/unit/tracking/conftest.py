"""What tests of tracking share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, made once: that takes seconds."""
    pytest.importorskip("mlflow")
    from blindface.tracking import store

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    store.open_client(f"sqlite:///{path}").search_experiments()
    return path
