"""How often programs are killed: a few times in every run of the tests, often in the long one."""

from collections.abc import Iterator

import pytest

from tests.kill.harness import FEW_KILLS, KILLS, Nursery, nursery


@pytest.fixture(
    params=[
        pytest.param(FEW_KILLS, id="few"),
        pytest.param(KILLS, id="all", marks=pytest.mark.long),
    ]
)
def kills(request: pytest.FixtureRequest) -> int:
    """Return how often a program is killed."""
    return request.param


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Return the process whose forks run the stages of the pipelines, each in a folder below."""
    with nursery("tests.kill.stages", tmp_path_factory.mktemp("stages") / "work") as opened:
        yield opened
