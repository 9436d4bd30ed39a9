"""Four short songs in neighbouring keys and tempi: twelve pairs, all within the limits."""

import pytest

from mashnet.data.mashupdb import MashupDB
from tests.conftest import make_tiny_database


@pytest.fixture(scope="session")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    return make_tiny_database(tmp_path_factory.mktemp("studio") / "small", songs=4)


class Counting:
    """A Scorer that likes vocals by a number in their id, and counts what it is asked."""

    name = "counting"

    def __init__(self):
        self.asked = []

    def score(self, query, candidates):
        import torch

        self.asked += [(query["harmonic"].part_id, c["vocal"].part_id) for c in candidates]
        return torch.tensor([int(c["vocal"].part_id[:4], 16) / 65536 for c in candidates])


@pytest.fixture
def counting():
    return Counting()
