"""Folders of music for the pipeline, and a tracker that needs no time."""

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from omegaconf import DictConfig, OmegaConf

from data_pipelines.separation.separate import STORED_GAIN
from mashnet.audio.annotate import Annotation
from mashnet.audio.io import read_audio, write_flac
from mashnet.commands.hydra_program import CONFIGS, compose
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


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Return the functions above; test modules cannot import each other."""
    return SimpleNamespace(sound=sound, song=write_song, pipeline=pipeline)
