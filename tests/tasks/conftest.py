"""What several files of tests train on."""

from __future__ import annotations

import pytest

from mashnet.data.mashupdb import MashupDB
from tests.tasks.tiny_runs import database_of_mixes_and_loops


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    """Return a database of mixes and loops; runs on it may fill its caches."""
    return database_of_mixes_and_loops(tmp_path_factory.mktemp("tasks") / "tiny")
