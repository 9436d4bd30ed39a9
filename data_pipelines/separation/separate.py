"""Separation of a recording into stems by Demucs, block by block and cached by content."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from mashnet.audio.channels import mono_or_stereo
from mashnet.audio.io import flac_writer, read_blocks
from mashnet.errors import AudioError, MashnetError
from mashnet.files import content_id, file_digest, written_atomically
from mashnet.storage.bounded_yaml import bounded_text, plain_yaml
from mashnet.storage.contained_paths import inside, is_plain_name, place

SAMPLE_RATE_HZ = 44100
# Stems are kept at half their level, as estimates may exceed full scale where the mix does not.
STORED_GAIN = 0.5
_SEPARATION_VERSION = 1
_BLOCK_S, _OVERLAP_S = 60, 4
_SILENCE_RMS = 1e-5  # -100 dBFS


class Separator:
    """One Demucs model, loaded when the first file needs it."""

    def __init__(self, name: str, repo: Path | None = None) -> None:
        """Name the model.

        Args:
            name: a model of the demucs package (htdemucs, htdemucs_ft, mdx_extra …) or of `repo`.
            repo: a local folder of weights as demucs lays them out: `<signature>-<sha256>.th`
                files, and `<name>.yaml` for bags of several.

        Raises:
            MashnetError: if `repo` is not a folder.
        """
        if repo is not None and not repo.is_dir():
            raise MashnetError(f"separate.repo: {repo} is not a folder")
        self.name, self.repo = name, repo
        self._model: Any = None

    def separate(self, path: Path, cache: Path, *, min_s: float, max_s: float) -> dict[str, Path]:
        """Return the stems of a recording as FLAC files, by name (drums, bass, other, vocals).

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
            key = content_id("separated", file_digest(path), self._identity(), _SEPARATION_VERSION)
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
        stems = {name: place(folder, f"{name}.flac") for name in self._model.sources}
        with contextlib.ExitStack() as stack:
            writers = [
                stack.enter_context(flac_writer(stem, 2, SAMPLE_RATE_HZ)) for stem in stems.values()
            ]
            for block in self._blocks(path, level):
                for write, stem in zip(writers, block, strict=True):
                    write(stem * STORED_GAIN)
        with written_atomically(finished) as temporary:
            temporary.write_text(yaml.safe_dump(list(stems)))
        return stems

    def _identity(self) -> list[str]:
        """Return what the stems depend on besides the recording."""
        if self.repo is None:
            return [self.name]
        files = sorted(p for p in self.repo.iterdir() if p.suffix in (".th", ".yaml"))
        return [self.name, *(file_digest(p) for p in files)]

    def _blocks(self, path: Path, level: tuple[float, float]) -> Iterator[np.ndarray]:
        """Yield consecutive stretches of all stems, each (stems, 2, samples)."""
        overlap = _OVERLAP_S * SAMPLE_RATE_HZ
        rising = np.linspace(0.0, 1.0, overlap, dtype=np.float32)
        tail: np.ndarray | None = None
        for block in read_blocks(
            path, sample_rate=SAMPLE_RATE_HZ, block_s=_BLOCK_S, overlap_s=_OVERLAP_S
        ):
            stems = self._apply(block, level)
            if tail is not None:
                shared = min(overlap, stems.shape[2])
                fade = rising[:shared]
                stems[..., :shared] = tail[..., :shared] * (1 - fade) + stems[..., :shared] * fade
            kept = max(0, stems.shape[2] - overlap)
            tail = stems[..., kept:]
            yield stems[..., :kept]
        if tail is not None:
            yield tail

    def _apply(self, block: np.ndarray, level: tuple[float, float]) -> np.ndarray:
        """Separate (channels, samples) into (stems, 2, samples)."""
        from demucs.apply import apply_model

        mean, deviation = level
        stereo = mono_or_stereo(block)
        if stereo.shape[0] == 1:
            stereo = np.repeat(stereo, 2, axis=0)
        mix = torch.from_numpy((stereo - mean) / deviation).float()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        # No random shifts: the same recording gives the same stems.
        stems = apply_model(self._model, mix[None], shifts=0, split=True, device=device)[0]
        return stems.cpu().numpy() * deviation


def _listed(finished: Path) -> list[str]:
    """Return the stems that a list names; none if it is not what this module writes."""
    try:
        names = plain_yaml(bounded_text(finished))
    except (OSError, ValueError):
        return []
    if not isinstance(names, list) or not all(map(is_plain_name, names)):
        return []
    return names


def load_model(name: str, repo: Path | None) -> Any:
    """Load a Demucs model from a folder of weights, or from where demucs finds its own.

    Raises:
        MashnetError: saying what to download and where to put it, if there are no weights.
    """
    from demucs.pretrained import REMOTE_ROOT, get_model
    from demucs.repo import AnyModelRepo, BagOnlyRepo

    from data_pipelines.separation.demucs_weights import PlainRepo

    try:
        if repo is None:
            model = get_model(name)
        else:
            weights = PlainRepo(repo)
            own, known = BagOnlyRepo(repo, weights), BagOnlyRepo(REMOTE_ROOT, weights)
            # The package knows which weights a published name means; the files are enough.
            bags = own if own.has_model(name) else known
            model = AnyModelRepo(weights, bags).get_model(name)
    # Network, hub, checksum, unpickling: all of them mean that there are no weights to use.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise MashnetError(
            f"the Demucs weights '{name}' cannot be had ({reason}). {_advice(name)}"
        ) from error
    if model.samplerate != SAMPLE_RATE_HZ or model.audio_channels != 2:
        raise MashnetError(f"Demucs model '{name}' is not for stereo sound at 44.1 kHz")
    return model.eval()


def _advice(name: str) -> str:
    """Say which files to download for a published model."""
    from demucs.pretrained import REMOTE_ROOT, _parse_remote_files

    published = _parse_remote_files(REMOTE_ROOT / "files.txt")
    bag = REMOTE_ROOT / f"{name}.yaml"
    signatures = yaml.safe_load(bag.read_text())["models"] if bag.is_file() else [name]
    urls = [published[signature] for signature in signatures if signature in published]
    if not urls:
        names = ", ".join(sorted(p.stem for p in REMOTE_ROOT.glob("*.yaml")))
        return f"Set separate.model to a model in separate.repo, or to one of: {names}."
    return f"Download {' and '.join(urls)} into a folder and set separate.repo=FOLDER."


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
