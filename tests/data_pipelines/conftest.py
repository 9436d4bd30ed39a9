"""Folders of music for the pipeline, and a tracker that needs no time."""

import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from omegaconf import DictConfig, OmegaConf

from data_pipelines.separation.separate import STORED_GAIN
from data_pipelines.sources.lookup import load_source
from data_pipelines.sources.song import RawSong, Reject
from mashnet.audio.annotate import Annotation
from mashnet.audio.io import read_audio, write_flac
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.execution.local import LocalExecutor
from tests.metronome import steady_beats

RATE_HZ = 22050
DEMUCS_STEMS = ("drums", "bass", "other", "vocals")


@pytest.fixture
def quick_tracker(monkeypatch) -> list[int]:
    """Replace the tracker by 120 bpm in C major; return the list of lengths it was asked for."""
    calls: list[int] = []

    def annotate(audio: np.ndarray, sample_rate: int) -> Annotation:
        calls.append(audio.shape[1])
        return steady_beats(audio, sample_rate)

    monkeypatch.setattr("data_pipelines.mashupdb.analyse.annotate", annotate)
    return calls


@pytest.fixture
def quick_separator(monkeypatch) -> list[str]:
    """Replace Demucs by a split into four equal parts; return the list of files it was given."""
    asked: list[str] = []

    def separate(self, path: Path, cache: Path, *, min_s: float, max_s: float) -> dict[str, Path]:
        audio, rate = read_audio(path, sample_rate=44100)
        asked.append(path.name)
        stems = {name: cache / path.stem / f"{name}.flac" for name in DEMUCS_STEMS}
        for stem in stems.values():
            write_flac(stem, STORED_GAIN * audio / len(DEMUCS_STEMS), rate)
        return stems

    monkeypatch.setattr("data_pipelines.separation.separate.Separator.separate", separate)
    monkeypatch.setattr("data_pipelines.separation.with_demucs.at_hand", lambda *_: True)
    return asked


@pytest.fixture
def through_pickle(monkeypatch) -> Callable[[], list[dict]]:
    """Return what makes tasks and results travel as between processes, from then on.

    It returns a list of what each stage has to say of a first task whose process is killed.
    """

    def begin() -> list[dict]:
        killed: list[dict] = []

        def run(_, function, items, *, died, **__):
            function, items, died = pickle.loads(pickle.dumps((function, list(items), died)))
            killed.append(died(items[0]))
            return pickle.loads(pickle.dumps([function(item) for item in items]))

        monkeypatch.setattr(LocalExecutor, "run", run)
        return killed

    return begin


def sound(seed: int, duration_s: float = 12.0, channels: int = 1, rate: int = RATE_HZ):
    """Return noise of shape (samples, channels), as soundfile writes it."""
    noise = np.random.default_rng(seed).standard_normal((round(duration_s * rate), channels))
    return 0.05 * noise


def write_song(folder: Path, seed: int = 0, names=("vocals", "bass", "drums"), **kwargs) -> Path:
    """Write a song folder with one WAV per name."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        path = folder / (name if "." in name else f"{name}.wav")
        soundfile.write(path, sound(100 * seed + index, **kwargs), kwargs.get("rate", RATE_HZ))
    return folder


@functools.cache
def composed(source: str) -> DictConfig:
    return compose("mashupdb", [f"source={source}", "workers=1"], CONFIGS / "pipeline")


def pipeline(root: Path, out: Path, *settings: str, source: str = "stems") -> DictConfig:
    """Return the configuration that the command line would give, for this process alone."""
    config = OmegaConf.merge(composed(source), OmegaConf.from_dotlist(list(settings)))
    assert isinstance(config, DictConfig)
    config.source.root, config.out = str(root), str(out)
    return config


def found(source: str, root: Path, *settings: str) -> tuple[list[RawSong], list[tuple[str, str]]]:
    """Return the songs of a source, and (path below the root, reason) of the rejects."""
    find = load_source(source)
    items = list(find(pipeline(root, root / "db", *settings, source=source)))
    rejects = [item for item in items if isinstance(item, Reject)]
    songs = [item for item in items if isinstance(item, RawSong)]
    return songs, [(reject.input.removeprefix(f"{root}/"), reject.reason) for reject in rejects]


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Return the functions above; test modules cannot import each other."""
    return SimpleNamespace(sound=sound, song=write_song, pipeline=pipeline, found=found)
