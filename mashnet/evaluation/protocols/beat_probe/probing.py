"""Linear probes that read beats from the tokens of a frozen encoder.

A token stands for some time, 0.16 s of a ViT with patches of 16 frames; beats want 0.02 s. So each
token has one linear probe for each fiftieth of a second that it covers (Riou et al., ICASSP 2025:
eight), which maps it to how likely a beat is then. Together the probes are one linear map from a
token to as many logits.

Probes learn by binary cross-entropy from widened labels: 1 at the frame of a beat and 0.5 at both
of its neighbours, as beat trackers do (Böck & Davies, ISMIR 2020). What the paper leaves open is
decided here: tokens are brought to zero mean and unit variance, dimension by dimension, with the
figures of the training songs (which leaves the map linear); AdamW; the weights of the epoch that
is best on an eighth of the training songs are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from mashnet.data.parts import Part
from mashnet.data.stems.frontend import StemFrontend

FRAMES_PER_S = 50
NEIGHBOUR = 0.5  # label of the frames beside a beat's

_WINDOWS_PER_PASS = 8
_TOKENS_PER_STEP = 512
_MOST_EPOCHS, _PATIENCE = 100, 8
_LEARNING_RATE, _WEIGHT_DECAY = 2e-3, 1e-2


class Encoder(Protocol):
    """What can be probed."""

    @property
    def token_s(self) -> float:
        """How long a token lasts, in seconds."""

    def tokens(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to tokens (batch, T, d), the first of which begins at 0."""


@dataclass(frozen=True)
class EncodedClip:
    """The tokens of one clip, and where in them its frames are.

    Attributes:
        tokens: (tokens, d), window after window.
        token: which token a frame belongs to, (frames,); −1 where a window has none.
        slot: which of the token's probes, (frames,).
        probes: how many probes a token has.
    """

    tokens: torch.Tensor
    token: np.ndarray
    slot: np.ndarray
    probes: int


def encode(
    encoder: Encoder,
    frontend: StemFrontend,
    mix: Part,
    *,
    duration_s: float,
    device: torch.device | str = "cpu",
) -> EncodedClip:
    """Encode a clip, in windows of the length that the encoder was trained with."""
    waves, _ = frontend.windows_of({"mix": mix})
    with torch.inference_mode():
        passes = [
            encoder.tokens(batch.to(device)).float().cpu()
            for batch in waves.split(_WINDOWS_PER_PASS)
        ]
    tokens = torch.cat(passes)
    window_s = frontend.window_samples / frontend.sample_rate
    heard_s = min(duration_s, len(waves) * window_s)
    probes = max(1, round(encoder.token_s * FRAMES_PER_S))
    token, slot = frame_slots(
        math.floor(heard_s * FRAMES_PER_S + 1e-6),
        tokens_per_window=tokens.shape[1],
        window_s=window_s,
        token_s=encoder.token_s,
        probes=probes,
    )
    return EncodedClip(tokens.flatten(0, 1), token, slot, probes)


def frame_slots(
    num_frames: int, *, tokens_per_window: int, window_s: float, token_s: float, probes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the token and the probe of each frame, both (frames,).

    The token is −1 for frames at the end of a window that no token covers.
    """
    nearly = 1e-6  # a frame on the edge between two tokens belongs to the later one
    time_s = np.arange(num_frames) / FRAMES_PER_S
    window = np.floor(time_s / window_s + nearly)
    within = (time_s - window * window_s) / token_s
    token = np.floor(within + nearly)
    slot = np.floor((within - token) * probes + nearly).clip(0, probes - 1)
    position = np.where(token < tokens_per_window, window * tokens_per_window + token, -1)
    return position.astype(int), slot.astype(int)


def widened_labels(beats: Sequence[float], num_frames: int) -> np.ndarray:
    """Return 1 at the frame nearest to a beat, 0.5 beside it and 0 elsewhere, (frames,)."""
    labels = np.zeros(num_frames + 2)
    frames = np.round(np.asarray(beats, float) * FRAMES_PER_S).astype(int) + 1
    frames = frames[(frames >= 1) & (frames <= num_frames)]
    labels[frames - 1] = labels[frames + 1] = NEIGHBOUR
    labels[frames] = 1.0
    return labels[1:-1]


class LinearProbes:
    """One linear map from a token to its probes' logits."""

    def __init__(
        self, mean: torch.Tensor, scale: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> None:
        """Take what `fit` found."""
        self._mean, self._scale, self._weight, self._bias = mean, scale, weight, bias

    @classmethod
    def fit(
        cls,
        training: Sequence[tuple[EncodedClip, np.ndarray]],
        validation: Sequence[tuple[EncodedClip, np.ndarray]],
        *,
        seed: int,
    ) -> LinearProbes:
        """Train on clips and their frames' labels; stop where the validation loss ends falling.

        Args:
            training: clips with labels, (frames,) each.
            validation: likewise, of other songs.
            seed: of the order of the tokens.
        """
        tokens, labels, known = _by_token(training)
        mean, spread = tokens.mean(0), tokens.std(0, correction=0)
        scale = torch.where(spread > 1e-6, 1 / spread.clamp_min(1e-6), 0.0)
        tokens = (tokens - mean) * scale
        held_tokens, held_labels, held_known = _by_token(validation)
        held_tokens = (held_tokens - mean) * scale
        rate = float((labels * known).sum() / known.sum().clamp_min(1))
        rate = min(max(rate, 1e-4), 1 - 1e-4)
        weight = torch.zeros(tokens.shape[1], labels.shape[1], requires_grad=True)
        bias = torch.full((labels.shape[1],), math.log(rate / (1 - rate)), requires_grad=True)
        optimizer = torch.optim.AdamW([weight, bias], _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        generator = torch.Generator().manual_seed(seed)
        best_loss, waited = math.inf, 0
        best = (weight.detach().clone(), bias.detach().clone())
        for _ in range(_MOST_EPOCHS):
            with torch.no_grad():
                loss = float(_loss(held_tokens @ weight + bias, held_labels, held_known))
            if loss < best_loss - 1e-6:
                best_loss, waited = loss, 0
                best = (weight.detach().clone(), bias.detach().clone())
            elif (waited := waited + 1) >= _PATIENCE:
                break
            for rows in torch.randperm(len(tokens), generator=generator).split(_TOKENS_PER_STEP):
                optimizer.zero_grad()
                _loss(tokens[rows] @ weight + bias, labels[rows], known[rows]).backward()
                optimizer.step()
        return cls(mean, scale, *best)

    def activations(self, clip: EncodedClip) -> np.ndarray:
        """Return how likely a beat is at each frame, (frames,); 0 where no token is."""
        logits = (clip.tokens - self._mean) * self._scale @ self._weight + self._bias
        by_frame = logits.sigmoid().numpy()[clip.token, clip.slot]
        return np.where(clip.token >= 0, by_frame, 0.0)


def _by_token(
    clips: Sequence[tuple[EncodedClip, np.ndarray]],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return tokens (n, d), labels (n, probes) and which of these there are, (n, probes)."""
    labels, known = [], []
    for clip, by_frame in clips:
        table = np.zeros((len(clip.tokens), clip.probes), np.float32)
        there = np.zeros_like(table)
        covered = clip.token >= 0
        where = (clip.token[covered], clip.slot[covered])
        np.maximum.at(table, where, by_frame[covered])
        there[where] = 1
        labels.append(torch.from_numpy(table))
        known.append(torch.from_numpy(there))
    return torch.cat([clip.tokens for clip, _ in clips]), torch.cat(labels), torch.cat(known)


def _loss(logits: torch.Tensor, labels: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    loss = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (loss * known).sum() / known.sum().clamp_min(1)
