"""Recordings into stems by Demucs, and where its weights are."""

from __future__ import annotations

import queue
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from mashnet.audio.channels import mono_or_stereo
from mashnet.audio.io import read_blocks
from mashnet.errors import MashnetError

DEFAULT = "htdemucs"
SAMPLE_RATE_HZ = 44100
_BLOCK_S, _OVERLAP_S = 60, 4
_ANSWER_S = 4.0  # as long as a hub may take to say that it has the weights
_HUB = "hf://"  # how demucs is told to look on the Hugging Face hub alone


class Demucs:
    """A Demucs model with its weights.

    Attributes:
        sources: names of the stems.
    """

    def __init__(self, name: str, repo: Path | None = None) -> None:
        """Load the model; raises MashnetError as `load_model`."""
        self._model = load_model(name, repo)
        self.sources: Sequence[str] = self._model.sources

    def stretches(self, path: Path, level: tuple[float, float]) -> Iterator[np.ndarray]:
        """Yield consecutive stretches of all stems, each (stems, 2, samples).

        Args:
            path: the recording.
            level: its mean and standard deviation.

        Raises:
            AudioError: if the recording cannot be read.
        """
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


def load_model(name: str, repo: Path | None) -> Any:
    """Load a Demucs model from a folder of weights, or from where demucs finds its own.

    Raises:
        MashnetError: saying what to download and where to put it, if there are no weights.
    """
    from demucs.pretrained import REMOTE_ROOT, get_model
    from demucs.repo import AnyModelRepo, BagOnlyRepo

    from data_pipelines.separation.demucs_weights import PlainRepo

    try:
        if repo is None and _in_hub_folder(name):
            repo = _hub_folder()  # without asking any hub whether there is something newer
        if repo is None:
            # demucs itself tries for half a minute.
            if not _in_hub_cache(name) and not can_be_had(name):
                raise ConnectionError(f"no hub says within {_ANSWER_S:g} s that it has them")
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


def at_hand(name: str, repo: Path | None = None) -> bool:
    """Return whether the weights of a published model need not be downloaded.

    Args:
        name: the model.
        repo: a folder that they may lie in; None: where demucs keeps what it has downloaded.
    """
    if repo is None:
        return _in_hub_folder(name) or _in_hub_cache(name)
    signatures = _signatures(name)
    there = {path.stem.rsplit("-", 1)[0] for path in repo.glob("*.th")}
    return bool(signatures) and there.issuperset(signatures)


def can_be_had(name: str) -> bool:
    """Return whether a hub says that it has the weights of a model: one short question to each."""
    from huggingface_hub import constants, hf_hub_url

    urls = [] if name.startswith(_HUB) else _urls(name)[:1]
    if not constants.HF_HUB_OFFLINE:
        urls += [hf_hub_url(repository, file) for repository, file in _on_hub(name)[:1]]
    answers: queue.Queue[bool] = queue.Queue()
    # Threads, as nothing bounds how long the look-up of a name takes.
    for url in urls:
        threading.Thread(target=lambda u=url: answers.put(_answers(u)), daemon=True).start()
    until = time.monotonic() + _ANSWER_S
    for _ in urls:
        try:
            if answers.get(timeout=max(0.0, until - time.monotonic())):
                return True
        except queue.Empty:
            break
    return False


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S):
            return True
    # Whatever keeps the question from being answered keeps the weights from being downloaded.
    except Exception:
        return False


def _in_hub_folder(name: str) -> bool:
    """Return whether torch's hub has downloaded all weights of a model."""
    names = [url.rpartition("/")[2] for url in _urls(name)]
    return bool(names) and all((_hub_folder() / file).is_file() for file in names)


def _hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _in_hub_cache(name: str) -> bool:
    """Return whether the Hugging Face hub has downloaded all files of a model."""
    from huggingface_hub import try_to_load_from_cache

    return all(isinstance(try_to_load_from_cache(*file), str) for file in _on_hub(name))


def _on_hub(name: str) -> list[tuple[str, str]]:
    """Return (repository, file) of what demucs asks the Hugging Face hub for, its list first.

    Of a model that demucs does not know, only the list.
    """
    from demucs.hf import DEFAULT_NAMESPACE, hf_repo_name

    namespace, _, plain = name.removeprefix(_HUB).rpartition("/")
    repository = f"{namespace or DEFAULT_NAMESPACE}/{hf_repo_name(plain)}"
    files = [f"{plain}.yaml", *(f"{signature}.safetensors" for signature in _signatures(plain))]
    return [(repository, file) for file in files]


def _signatures(name: str) -> list[str]:
    """Return the names of the weights that make up a published model; none of another."""
    from demucs.pretrained import REMOTE_ROOT

    bag = REMOTE_ROOT / f"{name}.yaml"
    return yaml.safe_load(bag.read_text())["models"] if bag.is_file() else []


def _urls(name: str) -> list[str]:
    """Return where the weights of a published model, or those of a signature, are."""
    from demucs.pretrained import REMOTE_ROOT, _parse_remote_files

    published = _parse_remote_files(REMOTE_ROOT / "files.txt")
    return [published[one] for one in _signatures(name) or [name] if one in published]


def _advice(name: str) -> str:
    """Say which files to download for a published model."""
    from demucs.pretrained import REMOTE_ROOT

    urls = _urls(name)
    if not urls:
        names = ", ".join(sorted(p.stem for p in REMOTE_ROOT.glob("*.yaml")))
        return f"Set separate.model to a model in separate.repo, or to one of: {names}."
    return f"Download {' and '.join(urls)} into a folder and set separate.repo=FOLDER."
