"""COCOLA as it was published: the authors' checkpoint, with the scores of their own code."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Set
from pathlib import Path

import torch

from mashnet.data.parts import Group
from mashnet.data.stems.frontend import StemFrontend, is_silent
from mashnet.errors import CheckpointError
from mashnet.models.limits import TooLarge
from mashnet.models.published.weights_file import weights_file
from mashnet.models.stems.cocola import Cocola
from mashnet.models.stems.scoring import BATCH, StemScorer
from mashnet.models.torch_file import torch_file
from mashnet.models.weights import named_anew, require_weights, weights_in, with_weights

SOURCE = (
    "COCOLA_HP_v1, https://drive.google.com/file/d/1S-_OvnDwNFLNZD5BmI1Ouck_prutRVWZ "
    "(as https://github.com/gladia-research-group/cocola says)"
)
WINDOW_S = 5.0  # of the published training data

# The names of our parameters begin like this, and theirs like that.
RENAMED = {
    "encoder.backbone.": "encoder.encoder.model.0.",
    "encoder.projection.": "encoder.projection.",
    "encoder.norm.": "layer_norm.",
    "bilinear": "similarity.w",
}
_LITTLE = 1e-10  # what a silent window counts: nothing, unless there is nothing else
_SHORTEST_S = 0.5  # the encoder halves what it hears five times, and then wants some left


class CocolaOfficialScorer(StemScorer):
    """An EmbeddingScorer with the published weights; unbounded, higher is better, asymmetric.

    The query is the published score's first argument. A sound of up to 5 s is heard as it is
    (below half a second, where the published code fails, with silence after it).

    The published code scores features of any length in one piece, but its network has learned
    from 5 s only, and its data code cuts songs into consecutive chunks of 5 s, the last filled up
    with silence. So here, by default: chunk i meets chunk i, each with its published score, and
    the mean over time is returned (a chunk of which a fifth exists counts a fifth). Chunks that
    are silent, below −60 dB, count only where a pair has no others: to the published features
    digital silence is as loud as can be, and its scores mean nothing.
    """

    name = "cocola_official"
    network: PublishedCocola

    def __init__(
        self, *, weights: str | None, mode: str = "both", window_s: float | None = WINDOW_S
    ) -> None:
        """Load the published checkpoint.

        Args:
            weights: where the file lies.
            mode: both | harmonic | percussive. The published score ignores it; here it scores
                what the published encoder hears with the other channel set to 0.
            window_s: length of the chunks in seconds; None takes every sound in one piece.

        Raises:
            ConfigError: if no file is named, there is none, or there is no such mode.
            CheckpointError: if the file is damaged or holds something else.
        """
        path = weights_file(weights, scorer=self.name, source=SOURCE)
        network = load_published(path, mode=mode)
        super().__init__(network, PublishedFrontend(window_s=window_s), name=self.name)

    @torch.inference_mode()
    def _embed(self, group: Group, *, context: bool) -> torch.Tensor:
        """Return (windows, 1 + d): every window as the frontend cuts it, silent ones too."""
        waves, weights = self.frontend.windows_of(group)
        vectors = [self.network.embed_target(w.to(self.device)) for w in waves.split(BATCH)]
        found = torch.cat(vectors)
        if context:
            found = found @ self.network.bilinear
        return torch.cat([weights[:, None], found.float().cpu()], dim=1)


class PublishedCocola(Cocola):
    """The network with the published features: decibels, each channel below its own maximum.

    A masked channel is 0, the highest level, as published.
    """

    def features(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to (batch, 2, mels, frames) in [-80, 0]."""
        return self.mel(waves)


class PublishedFrontend(StemFrontend):
    """Windows as the published data code cuts them, but a single one stays as short as it is."""

    def __init__(self, *, window_s: float | None = WINDOW_S) -> None:
        """Fix the cut; None leaves every sound in one piece."""
        super().__init__(sample_rate=16_000, window_s=WINDOW_S if window_s is None else window_s)
        self.whole = window_s is None
        self.settings = {"sample_rate": 16_000, "window_s": window_s, "cut": "cocola_official"}

    def describe(self) -> str:
        """Say in one line what goes in."""
        cut = "in one piece" if self.whole else "in windows that cover the whole input"
        return f"{self.sample_rate} Hz mono, {cut}"

    def windows_of(self, group: Group) -> tuple[torch.Tensor, torch.Tensor]:
        """Return waves (windows, samples) and how much each counts, (windows,)."""
        wave = self.wave_of(group)
        if not len(wave):
            return super().windows_of(group)
        if self.whole or len(wave) <= self.window_samples:
            missing = max(0, round(_SHORTEST_S * self.sample_rate) - len(wave))
            window = torch.nn.functional.pad(wave, (0, missing))[None]
            return window, torch.where(is_silent(window), _LITTLE, 1.0)
        windows, weights = super().windows_of(group)
        return windows, weights.clamp_min(_LITTLE)


def load_published(path: Path, *, mode: str = "both") -> PublishedCocola:
    """Return the published network in evaluation mode.

    Raises:
        ConfigError: if there is no such mode.
        CheckpointError: if the file is damaged or holds anything else.
    """
    require_weights(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(torch_file(path, foreign=True))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a readable checkpoint: {error}. Take {SOURCE}"
            ) from error
        # Beside its weights the file holds settings, as objects of the authors' program.
        state = file.values.get("state_dict") if isinstance(file.values, dict) else None
        if not isinstance(state, dict):
            raise CheckpointError(
                f"{path} is no Lightning checkpoint: no state_dict. Take {SOURCE}"
            )
        try:
            weights = weights_in(path, file, state)
            norm = weights.outline.get("layer_norm.weight")
            embedding = 512 if norm is None else norm.numel()
            ours = named_anew(weights, _names(weights.outline.keys(), mode, embedding))
            network = with_weights(lambda: PublishedCocola(mode=mode, embedding=embedding), ours)
        except (RuntimeError, ValueError, TooLarge, CheckpointError) as error:
            reason = textwrap.shorten(str(error), 300, placeholder=" …")
            raise CheckpointError(
                f"{path} is not COCOLA's checkpoint: {reason}. Take {SOURCE}"
            ) from error
    return network.eval()


def _names(published: Set[str], mode: str, embedding: int) -> dict[str, str]:
    """Return our name → theirs.

    Raises:
        ValueError: naming what is missing or foreign.
    """
    with torch.device("meta"):
        ours = PublishedCocola(mode=mode, embedding=embedding).state_dict()
    names = {}
    for name in ours:
        prefix = next(prefix for prefix in RENAMED if name.startswith(prefix))
        names[name] = RENAMED[prefix] + name.removeprefix(prefix)
    theirs = set(names.values())
    missing, foreign = sorted(theirs - published), sorted(published - theirs)
    if missing or foreign:
        raise ValueError(f"it lacks {_few(missing)}, and brings {_few(foreign)} too many")
    return names


def _few(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" * (len(names) > 2)) or "nothing"
