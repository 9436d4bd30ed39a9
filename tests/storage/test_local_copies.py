"""Copies on this machine: bounded, shared by processes, safe for readers."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import fsspec
import numpy as np
import pytest

from mashnet.errors import ConfigError
from mashnet.files import written_atomically
from mashnet.storage.local_copies import LocalCopies, load_array, local_copies
from mashnet.storage.paths import root_of
from mashnet.storage.write_lock import writing
from tests.storage.s3 import Wire

ROWS = 1000  # of int16: 2,000 bytes and a header of 128
SIZE = 2128


def write_array(path: Path, value: int) -> Path:
    with written_atomically(path) as temporary:
        np.save(temporary, np.full(ROWS, value, np.int16))
    return path


@pytest.fixture
def files() -> Iterator[list[Path]]:
    """Ten small arrays in a store in memory; array number n is full of n."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield [write_array(root_of(f"memory://db/{n}.npy"), n) for n in range(10)]
    store.store.clear()


def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names = []
    fetched = LocalCopies._fetched

    def noted(self: LocalCopies, remote: Path, *others: object) -> object:
        names.append(remote.stem)
        return fetched(self, remote, *others)

    monkeypatch.setattr(LocalCopies, "_fetched", noted)
    return names


def load(copies: LocalCopies, path: Path) -> np.ndarray:
    return copies.load(path, lambda copy: np.load(copy, mmap_mode="r"))


def test_a_file_is_fetched_once(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = fetches(monkeypatch)
    copies = LocalCopies(tmp_path / "c", 10 * SIZE)
    for _ in range(2):
        for number, path in enumerate(files):
            assert (load(copies, path) == number).all()
    assert names == [str(n) for n in range(10)]
    assert copies.bytes_held() == 10 * SIZE


def test_what_was_used_least_recently_makes_room(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = fetches(monkeypatch)
    copies = LocalCopies(tmp_path / "c", 3 * SIZE + 10)
    for number in (0, 1, 2, 0, 3, 0, 1):  # 3 takes the place of 1; 1 of 2
        load(copies, files[number])
        assert copies.bytes_held() <= copies.most_bytes
        time.sleep(0.01)  # the clock of the file system ticks
    assert names == ["0", "1", "2", "3", "1"]


def test_a_reader_keeps_what_it_has_mapped(files: list[Path], tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "c", SIZE)
    first = load(copies, files[1])
    for path in files[2:]:
        load(copies, path)
    assert copies.bytes_held() == SIZE
    assert (first == 1).all()


def test_a_damaged_copy_is_fetched_anew(files: list[Path], tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "c", 10 * SIZE)
    load(copies, files[4])
    (copy,) = (tmp_path / "c").glob("??/*")
    copy.write_bytes(b"half")
    assert (load(copies, files[4]) == 4).all()


def test_a_damaged_file_of_the_store_is_the_readers_error(
    files: list[Path], tmp_path: Path
) -> None:
    fsspec.filesystem("memory").pipe_file("/db/0.npy", b"not an array")
    with pytest.raises(ValueError, match="pickle|magic"):
        load(LocalCopies(tmp_path / "c", SIZE), files[0])
    assert not list((tmp_path / "c").glob("??/*"))
    with pytest.raises(FileNotFoundError):
        load(LocalCopies(tmp_path / "c", SIZE), root_of("memory://db/nope.npy"))


def test_a_file_bigger_than_the_bound_names_the_setting(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"memory://db/0\.npy.*MASHNET_CACHE_GB"):
        load(LocalCopies(tmp_path / "c", SIZE - 1), files[0])


def test_what_a_killed_process_left_makes_room(files: list[Path], tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "c", 2 * SIZE)
    load(copies, files[0])
    (tmp_path / "c" / "00").mkdir()
    left = tmp_path / "c" / "00" / f"{2 * SIZE}-abc.partial.npy"
    left.touch()
    (tmp_path / "c" / "bytes").unlink()  # as if it had been killed before it could count
    load(copies, files[1])
    assert not left.exists()
    assert copies.bytes_held() == 2 * SIZE


def test_what_another_process_is_fetching_is_waited_for(files: list[Path], tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "c", 2 * SIZE)
    (tmp_path / "c" / "00").mkdir(parents=True)
    arriving = tmp_path / "c" / "00" / f"{2 * SIZE}-abc.partial.npy"
    with writing(os.open(arriving, os.O_CREAT)):
        reader = threading.Thread(target=load, args=(copies, files[0]))
        reader.start()
        reader.join(0.3)
        assert reader.is_alive()
        arriving.unlink()
    reader.join(10)
    assert not reader.is_alive()


def _read_many(task: tuple[Path, list[Path], int]) -> int:
    folder, paths, seed = task
    copies = LocalCopies(folder, 4 * SIZE)
    peak = 0
    random = np.random.default_rng(seed)
    for number in random.integers(0, len(paths), 60):
        assert (load(copies, paths[number]) == number).all()
        peak = max(peak, copies.bytes_held())
    return peak


@pytest.mark.enable_socket
def test_several_processes_share_a_bound_smaller_than_the_data(bucket: str, tmp_path: Path) -> None:
    paths = [write_array(root_of(bucket) / f"{n}.npy", n) for n in range(10)]
    with get_context("fork").Pool(4) as pool:
        peaks = pool.map(_read_many, [(tmp_path / "c", paths, seed) for seed in range(4)])
    assert 0 < max(peaks) <= 4 * SIZE
    assert not list((tmp_path / "c").glob("??/*.partial*"))


@pytest.mark.enable_socket
def test_a_small_file_costs_one_request_and_a_big_one_is_whole(
    bucket: str, wire: Callable[..., Wire], tmp_path: Path
) -> None:
    small = write_array(root_of(bucket) / "small.npy", 1)
    big = root_of(bucket) / "big.npy"
    with written_atomically(big) as temporary:
        np.save(temporary, np.arange(5_000_000, dtype=np.int16))
    traffic = wire()
    copies = LocalCopies(tmp_path / "c", 10**8)
    assert (load(copies, small) == 1).all()
    assert len(traffic.requests("GET", "HEAD")) == 1
    assert np.array_equal(load(copies, big), np.arange(5_000_000, dtype=np.int16))


def test_local_files_are_mapped_where_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASHNET_CACHE", str(tmp_path / "cache"))
    array = load_array(write_array(tmp_path / "a.npy", 3))
    assert isinstance(array, np.memmap)
    assert array.filename == tmp_path / "a.npy"
    assert not (tmp_path / "cache").exists()


def test_the_environment_names_folder_and_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASHNET_CACHE_GB", raising=False)
    monkeypatch.setenv("MASHNET_CACHE", str(tmp_path))
    assert local_copies().folder == tmp_path / "copies"
    assert local_copies().most_bytes == 20e9
    monkeypatch.setenv("MASHNET_CACHE_GB", "0.5")
    assert local_copies().most_bytes == 5e8
    for wrong in ("0", "-1", "nan", "much"):
        monkeypatch.setenv("MASHNET_CACHE_GB", wrong)
        with pytest.raises(ConfigError, match=f"MASHNET_CACHE_GB={wrong}"):
            local_copies()
