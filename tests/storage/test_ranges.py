"""Sound in a store is read by range."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mashnet.audio.io import read_audio, read_blocks, write_flac
from mashnet.errors import AudioError, StorageError
from mashnet.storage import paths
from mashnet.storage.paths import root_of
from mashnet.storage.ranges import RANGE_BYTES, RangeReader
from mashnet.storage.store_path import StorePath
from tests.storage.s3 import Wire

pytestmark = pytest.mark.enable_socket
RATE = 44100
LENGTH_S = 90


@pytest.fixture(scope="module")
def long_sound() -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((2, LENGTH_S * RATE)).astype(np.float32)
    return np.clip(0.1 * noise, -1, 1)


def fetched_bytes(requests: list[str]) -> int:
    spans = [line.split("bytes=")[1].split("-") for line in requests]
    return sum(int(last) - int(first) + 1 for first, last in spans)


def test_a_second_of_a_long_file_costs_a_few_ranges(
    bucket: str, wire: Callable[..., Wire], tmp_path: Path, long_sound: np.ndarray
) -> None:
    local, path = tmp_path / "long.flac", root_of(bucket) / "long.flac"
    for target in (local, path):
        write_flac(target, long_sound, RATE)
    size = path.stat().st_size
    assert size == local.stat().st_size
    traffic = wire()
    heard, _ = read_audio(path, start_s=61.5, duration_s=1.0)
    assert np.array_equal(heard, read_audio(local, start_s=61.5, duration_s=1.0)[0])
    requests = traffic.requests("GET")
    assert all("range: bytes=" in line.lower() for line in requests)
    assert len(requests) <= 8
    assert fetched_bytes(requests) < size / 8

    before = len(traffic.requests("GET"))
    whole, _ = read_audio(path)
    assert np.array_equal(whole, read_audio(local)[0])
    assert len(traffic.requests("GET")) - before == 1


def test_of_a_very_long_file_no_more_than_a_bound_is_held(
    bucket: str,
    wire: Callable[..., Wire],
    monkeypatch: pytest.MonkeyPatch,
    long_sound: np.ndarray,
) -> None:
    path, bound = root_of(bucket) / "long.flac", 1 << 20
    write_flac(path, long_sound, RATE)
    assert path.stat().st_size > 10 * bound
    whole, _ = read_audio(path)
    monkeypatch.setattr(paths, "_IN_ONE_REQUEST", bound)
    traffic = wire()
    heard, _ = read_audio(path)
    assert np.array_equal(heard, whole)
    longest = max(fetched_bytes([line]) for line in traffic.requests("GET"))
    assert bound <= longest <= 4 * bound  # RangeReader reads at most 4 MiB ahead


def test_blocks_of_a_file_are_those_of_a_local_one(
    bucket: str, tmp_path: Path, long_sound: np.ndarray
) -> None:
    local, path = tmp_path / "a.flac", root_of(bucket) / "a.flac"
    for target in (local, path):
        write_flac(target, long_sound[:, : 5 * RATE], RATE)
    pairs = zip(
        read_blocks(local, sample_rate=RATE, block_s=2.0),
        read_blocks(path, sample_rate=RATE, block_s=2.0),
        strict=True,
    )
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("start_s", [0.0, 0.5])
def test_what_is_no_sound_or_not_there_is_an_audio_error(bucket: str, start_s: float) -> None:
    import fsspec

    files = fsspec.filesystem("s3")
    files.pipe_file(f"{bucket[5:]}/empty.flac", b"")
    files.pipe_file(f"{bucket[5:]}/text.flac", b"no sound" * 100)
    for name, words in (("nope", "does not exist"), ("empty", "is empty"), ("text", "decoded")):
        with pytest.raises(AudioError, match=f"{bucket}/{name}.flac: .*{words}"):
            read_audio(root_of(bucket) / f"{name}.flac", start_s=start_s)


@pytest.mark.parametrize("stretch", [{}, {"start_s": 3.0, "duration_s": 0.1}])
def test_a_store_that_fails_is_no_damaged_file(
    bucket: str, monkeypatch: pytest.MonkeyPatch, long_sound: np.ndarray, stretch: dict[str, float]
) -> None:
    path = root_of(bucket) / "a.flac"
    write_flac(path, long_sound[:, : 5 * RATE], RATE)
    read_range = StorePath.read_range

    def failing(self: StorePath, start: int | None, end: int | None) -> bytes:
        if start == 0 and end == RANGE_BYTES:  # the head of the file still arrives
            return read_range(self, start, end)
        raise StorageError("the wire is cut")

    monkeypatch.setattr(StorePath, "read_range", failing)
    with pytest.raises(StorageError, match="the wire is cut"):
        read_audio(path, **stretch)


def test_a_reader_gives_what_the_file_holds(bucket: str, wire: Callable[..., Wire]) -> None:
    import fsspec

    content = np.random.default_rng(1).bytes(20 * RANGE_BYTES + 17)
    fsspec.filesystem("s3").pipe_file(f"{bucket[5:]}/a", content)
    traffic = wire()
    with RangeReader(root_of(bucket) / "a") as file:
        assert file.read() == content
        # 1 + 2 + 4 + 8 + 6 blocks: who reads on is given more at a time
        assert len(traffic.requests("GET")) == 5
        assert file.read() == b""
        assert file.seek(-10, io.SEEK_END) == len(content) - 10
        assert file.read(100) == content[-10:]
        file.seek(3)
        assert file.read(RANGE_BYTES) == content[3 : 3 + RANGE_BYTES]
        assert len(traffic.requests("GET")) == 5  # what was fetched is kept
