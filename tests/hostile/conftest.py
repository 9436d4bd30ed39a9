"""A reading process for each file of tests, honest files, and the pipeline's own fixtures."""

from collections.abc import Iterator

import pytest

from tests.data_pipelines.conftest import make, quick_tracker
from tests.hostile.reader import Reader
from tests.hostile.sounds import originals

__all__ = ["make", "quick_tracker"]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    started = Reader()
    yield started
    started.close()


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return format → bytes of a file with sound."""
    return originals(tmp_path_factory.mktemp("honest"))
