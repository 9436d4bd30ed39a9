from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import fsspec
import pytest
import s3fs

from tests.data_pipelines.conftest import quick_tracker
from tests.storage.s3 import Server, Wire, environment

__all__ = ["quick_tracker"]  # what tests of the pipelines have, too


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    """An S3 server of its own for this test process."""
    with Server() as server:
        yield server


@pytest.fixture
def bucket(
    s3_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """The URL of a new bucket; the environment names the server."""
    files = s3fs.S3FileSystem  # imported above: that tries a socket, which not every test may
    for name, value in environment(s3_server.port, tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    files.clear_instance_cache()
    name = f"b{abs(hash(request.node.nodeid)):x}"
    fsspec.filesystem("s3").mkdir(name)
    yield f"s3://{name}"
    files.clear_instance_cache()


@pytest.fixture
def wire(
    s3_server: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Wire]]:
    """Put a wire before the server for what follows: wire(cut_after=bytes, cuts=times)."""
    with ExitStack() as stack:

        def laid(**settings: int) -> Wire:
            made = Wire(s3_server.port, tmp_path, **settings)
            stack.enter_context(made)
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.port}")
            s3fs.S3FileSystem.clear_instance_cache()
            return made

        yield laid
