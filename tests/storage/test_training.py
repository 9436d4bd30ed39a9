"""A whole pipeline in a store, from songs to a trained network: the same bytes as on a disk."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from data_pipelines.mashupdb import stage as mashupdb
from data_pipelines.mixes import stage as mixes
from data_pipelines.negatives import stage as negatives
from mashnet.commands.hydra_program import compose
from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.loops.view import LoopData
from mashnet.data.mashupdb import MashupDB
from mashnet.files import file_digest
from mashnet.storage.local_copies import LocalCopies
from mashnet.storage.paths import file_sizes, root_of
from mashnet.tasks.fit import fit
from mashnet.tasks.run_log import read_log
from mashnet.tasks.settings import settings_of
from tests.data_pipelines.conftest import pipeline, write_song
from tests.loops import loop_database, songs
from tests.stems import Clip, band, stem_database
from tests.storage.s3 import Wire
from tests.tasks.tiny_runs import TINY

pytestmark = pytest.mark.enable_socket
COUNTS = "{original: 1, matched: 0, unmatched_key: 1, unmatched_tempo: 0}"
SMALL = [
    "data=mashupdb",
    *TINY,
    "scale.mixes.frontend.window_s=1.0",
    "data.chunks.per_clip=2",
    "data.chunks.validation_per_clip=1",
]


def contents(root: Path) -> dict[str, str]:
    return {name: file_digest(root / name) for name in file_sizes(root)}


def train(run: Path, root: Path | str, *overrides: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """Return the log and the weights of a small run."""
    best = fit(run, settings_of(compose("train", [f"data.root={root}", *SMALL, *overrides])))
    log = {k: v for k, v in read_log(run)[0].items() if "loss" in k or k.startswith("val")}
    return log, torch.load(best, weights_only=True)["state_dict"]


def assert_same_training(first: tuple, second: tuple) -> None:
    assert first[0] == second[0]
    assert first[1].keys() == second[1].keys()
    assert all(torch.equal(first[1][name], second[1][name]) for name in first[1])


@pytest.fixture
def peaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """Bytes held and bytes allowed, after each file that training opened."""
    noted = []
    load = LocalCopies.load

    def watched(self: LocalCopies, *arguments: object) -> object:
        value = load(self, *arguments)
        noted.append((self.bytes_held(), self.most_bytes))
        return value

    monkeypatch.setattr(LocalCopies, "load", watched)
    yield noted


def mixes_of(out: Path | str) -> list[str]:
    counts = [f"per_seed.{split}={COUNTS}" for split in ("train", "val", "test")]
    return [f"db={out}", "duration.min_s=3.0", "workers=1", *counts]


def test_from_songs_to_a_network(
    bucket: str,
    wire: Callable[..., Wire],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    peaks: list[tuple[int, int]],
    quick_tracker: list[int],
) -> None:
    for seed, name in enumerate("abcd"):
        write_song(tmp_path / "music" / name, seed, duration_s=7.0)
    local, url = tmp_path / "db", f"{bucket}/db"
    settings = ["clip.min_s=4", "split.val=0.5", "split.test=0"]
    for out in (local, url):
        mashupdb.build(pipeline(tmp_path / "music", out, *settings))
    assert set(MashupDB.open(url).clips["split"]) == {"train", "val"}
    assert contents(root_of(url)) == contents(local)

    # In the middle of rendering the wire is cut, and stays cut.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    cut = wire(let=5, cut_after=20_000, cuts=10**9)
    command = [sys.executable, "-m", "data_pipelines.mixes", *mixes_of(url)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    (line,) = (line for line in result.stderr.splitlines() if "error" in line.lower())
    assert line.startswith(f"error: {url}/audio/mixes/")
    assert "the same command goes on" in line
    assert "Traceback" not in result.stderr
    assert 0 < len(list((root_of(url) / "audio" / "mixes").rglob("*.flac"))) < 5
    assert len(cut.requests("PUT")) > 5

    wire()  # in order again
    for out in (local, url):
        mixes.make(compose("mixes", mixes_of(out), mixes.CONFIG_DIR))
    rendered = contents(root_of(url))
    assert rendered == contents(local)
    assert sum("mixes/" in name for name in rendered) > 10

    monkeypatch.setenv("MASHNET_CACHE_GB", "0.0002")
    trained = [train(tmp_path / f"run{out == url}", out, "model=premixnet") for out in (local, url)]
    assert_same_training(*trained)
    features = contents(root_of(url))
    assert features == contents(local)
    assert_bounded(peaks, root_of(url) / "cache" / "log_mels")


def assert_bounded(peaks: list[tuple[int, int]], data: Path) -> None:
    assert sum(file_sizes(data).values()) > peaks[0][1]  # the data does not fit
    assert 0 < max(held for held, _ in peaks) <= peaks[0][1]


def test_loops_train_from_shards(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peaks: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr("mashnet.data.loops.packed_mels._SHARD_BYTES", 1 << 11)
    monkeypatch.setenv("MASHNET_CACHE_GB", "0.00001")
    url = f"{bucket}/loops"
    trained = []
    for out in (tmp_path / "loops", url):
        loop_database(root_of(out), [*songs("train", 4), *songs("val", 2, first=50)])
        negatives.make(compose("negatives", [f"db={out}"], negatives.CONFIG_DIR))
        trained.append(train(tmp_path / f"run{out == url}", out, "model=loop_cnn"))
    assert_same_training(*trained)
    assert contents(root_of(url) / "audio") == contents(tmp_path / "loops" / "audio")
    assert_bounded(peaks, root_of(url) / "cache" / "loop_mels")

    # Forked workers of a loader, too, read what is read here.
    def batches(root: Path | str, workers: int) -> list[dict[str, torch.Tensor]]:
        frontend = LoopFrontend(n_mels=16, hop_length=2048)
        loops = LoopData(
            root,
            inputs=("a", "b"),
            frontend=frontend,
            negatives="shift",
            batch_size=4,
            seed=0,
            num_workers=workers,
        )
        return list(loops.train_dataloader())

    expected, found = batches(tmp_path / "loops", 0), batches(url, 2)
    assert len(found) == len(expected) > 1
    for first, second in zip(expected, found, strict=True):
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_stems_train_from_waveforms_in_a_store(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peaks: list[tuple[int, int]]
) -> None:
    monkeypatch.setenv("MASHNET_CACHE_GB", "0.001")
    url = f"{bucket}/stems"
    clips = [Clip(f"{split} {n}", band(n), split) for split in ("train", "val") for n in range(4)]
    trained = []
    for out in (tmp_path / "stems", url):
        stem_database(root_of(out), clips)
        chosen = ("model=alignnet", "scale=small", "scale.alignnet.batch_size=4")
        trained.append(train(tmp_path / f"run{out == url}", out, *chosen))
    assert_same_training(*trained)
    assert contents(root_of(url)) == contents(tmp_path / "stems")
    assert_bounded(peaks, root_of(url) / "cache" / "waves")
