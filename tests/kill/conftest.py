"""How often programs are killed: a few times in every run of the tests, often in the long one."""

import pytest

from tests.kill.harness import FEW_KILLS, KILLS


@pytest.fixture(
    params=[
        pytest.param(FEW_KILLS, id="few"),
        pytest.param(KILLS, id="all", marks=pytest.mark.long),
    ]
)
def kills(request: pytest.FixtureRequest) -> int:
    """Return how often a program is killed."""
    return request.param
