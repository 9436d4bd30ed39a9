"""A MashupDB small enough for every test: chords, tunes and clicks with exact annotations."""

import functools
import gc
import multiprocessing.forkserver
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.files import content_id
from tests.worker_processes import naming_all_work

CORPUS = Path(__file__).resolve().parents[1] / ".." / "shared" / "corpus"
TINY_RATE = 22050
TINY_DURATION_S = 12.0


# Of all that collecting makes nothing is let go before the end: to look for garbage among it, again
# and again, takes a third of the time.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, no longer among what is here for all of them."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Let go of everything: nanobind tells of what is still there when Python ends."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the real songs where there are none."""
    if not (CORPUS / "index.json").is_file():
        skip = pytest.mark.skip(reason="the real songs of ../shared/corpus are not here")
        for item in items:
            if "corpus" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _workers_of_all_work() -> Iterator[None]:
    """Have worker processes begin with all imported that any test asks for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing.forkserver, "set_forkserver_preload", naming_all_work())
        yield


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder of real songs; mark tests that use it with `corpus`."""
    return CORPUS


def tiny_stems(tempo_bpm: float, tonic: int, first_s: float, seed: int) -> dict[str, np.ndarray]:
    """Return vocal, harmonic and percussion, each (samples,), in a major key from `first_s` on."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(TINY_DURATION_S * TINY_RATE)) / TINY_RATE
    beat_s = 60 / tempo_bpm
    beat = np.floor((time_s - first_s) / beat_s)
    since_s = (time_s - first_s) - beat * beat_s
    sounding = time_s >= first_s
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    tune = scale[random.integers(0, 7, size=64)][beat.astype(int) % 64]
    hz = 440 * 2 ** ((tonic + tune - 9) / 12)
    vocal = np.sin(2 * np.pi * np.cumsum(hz) / TINY_RATE) * np.exp(-3 * since_s)
    harmonic = sum(
        np.sin(2 * np.pi * 220 * 2 ** ((tonic + step - 9) / 12) * time_s) for step in (0, 4, 7)
    ) * np.exp(-2 * since_s)
    percussion = random.standard_normal(len(time_s)) * np.exp(-60 * since_s)
    stems = {"vocal": 0.3 * vocal, "harmonic": 0.1 * harmonic, "percussion": 0.2 * percussion}
    return {role: (wave * sounding).astype(np.float32) for role, wave in stems.items()}


@functools.cache
def tiny_files(index: int) -> dict[str, bytes]:
    """Return role → FLAC file of a song; encoding them is most of what a database costs."""
    tempo_bpm, tonic, first_s = tiny_music(index)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stem.flac"
        files = {}
        for role, wave in tiny_stems(tempo_bpm, tonic, first_s, index).items():
            write_flac(path, wave[None], TINY_RATE)
            files[role] = path.read_bytes()
    return files


def tiny_music(index: int) -> tuple[float, int, float]:
    """Return tempo, tonic and first beat of a song."""
    return 100.0 + 4 * (index % 5), 2 * (index // 4), 0.1 + 0.05 * (index % 3)


def make_tiny_database(root: Path, *, songs: int = 12) -> MashupDB:
    """Write a MashupDB whose songs are spread over all three splits."""
    database = MashupDB(root)
    clips, stems = [], []
    for index in range(songs):
        tempo_bpm, tonic, first_s = tiny_music(index)
        clip_id = content_id("tiny", index)
        beats = [float(b) for b in np.arange(first_s, TINY_DURATION_S, 60 / tempo_bpm)]
        clips.append(
            {
                "clip_id": clip_id,
                "song_id": content_id("tiny song", index),
                "title": f"Song {index}",
                "artist": f"Artist {index}",
                "source": "tiny",
                "license": "CC0-1.0",
                "duration_s": TINY_DURATION_S,
                "sample_rate": TINY_RATE,
                "tempo_bpm": tempo_bpm,
                "beats": beats,
                "downbeats": beats[::4],
                "beats_per_bar": 4,
                "key_tonic": tonic,
                "key_mode": "major",
                "key_confidence": 1.0,
                "section": "",
                "split": ("train", "train", "val", "test")[index % 4],
            }
        )
        for role, content in tiny_files(index).items():
            stem_id = content_id("tiny stem", index, role)
            path = f"audio/{clip_id}/{role}.flac"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
            stems.append(
                {
                    "clip_id": clip_id,
                    "stem_id": stem_id,
                    "role": role,
                    "label": role,
                    "path": path,
                    "rms_db": -20.0,
                    "active_ratio": 1.0,
                }
            )
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.update_manifest(counts={"clips": len(clips), "stems": len(stems)})
    return database


@pytest.fixture
def tiny_database(tmp_path: Path) -> MashupDB:
    """Return a fresh database of twelve songs without mixes."""
    return make_tiny_database(tmp_path / "tiny")


@pytest.fixture(scope="session")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    """Four short songs in neighbouring keys and tempi: twelve pairs, all within the limits."""
    return make_tiny_database(tmp_path_factory.mktemp("library") / "small", songs=4)
