"""COCOLA (Ciranni et al., ICASSP 2025): do two submixes of one moment belong together?

The sound of each side is parted into harmonic and percussive, so that one network can be asked
for three scores: with both channels, with the harmonic one or with the percussive one alone.

What differs from the published code, on purpose: the level of both channels is relative to one
common maximum, so that the balance between them stays, and silence, a masked channel too, is the
lowest level instead of the highest; nothing is masked at random outside training; the caller's
batch stays as it is; and the mode that is asked for is the one that scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from efficientnet_pytorch import EfficientNet
from torch import nn
from torch.nn import functional

from mashnet.audio.hpss import HarmonicPercussiveMel
from mashnet.errors import require_one_of
from mashnet.models.stems.scoring import Batch, ContrastiveNetwork, StemScorer

MODES = {"both": (1.0, 1.0), "harmonic": (1.0, 0.0), "percussive": (0.0, 1.0)}

_RANGE_DB = 80.0  # from the loudest down to what counts as silence
# Mel power of a sine 60 dB below full scale: what stays below it is not blown up.
_QUIET_POWER = 2e-4
_SAME_MODE = 16.0  # squared, what a pair of one mode is ahead of a pair of two: e^-256 is nothing


class Cocola(ContrastiveNetwork):
    """Two encoders that are one, and a bilinear form; higher is better, without bounds.

    x @ W @ y of the sides' embeddings is asymmetric, as published: W is part of the context's.
    Windows of 5 s are compared with each other as they lie in time, and their scores averaged:
    the network has learned from pairs of such windows only, and the published data code cuts
    longer songs the same way. (AutoMashup's scores feed it quarters of songs, 45 s in one piece,
    padded with the highest level.)
    """

    windows_meet = True

    def __init__(
        self,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        embedding: int = 512,
        dropout: float = 0.1,
        batch_norm_momentum: float = 0.99,
        mode: str = "both",
        **mel: Any,
    ) -> None:
        """Set the sizes; the defaults are the published ones (scale=paper).

        Args:
            width: of EfficientNet-b0's layers; 0.5 halves their channels.
            depth: of its stages; 0.5 halves their blocks.
            embedding: numbers per embedding.
            dropout: share of the encoder's outputs that is dropped in training.
            batch_norm_momentum: share of the old statistics that is kept at each step; runs of
                a few hundred steps need less than the published share.
            mode: what is scored: both | harmonic | percussive. In training one of the three is
                drawn for each pair, whatever stands here, and pairs of one mode are compared.
            mel: settings of `HarmonicPercussiveMel`, whose defaults are the published ones, too.

        Raises:
            ConfigError: if there is no such mode.
            ValueError: if there is no median of the length asked for.
            TypeError: if `mel` names a setting that there is not.
        """
        super().__init__()
        self.mode = require_one_of("mode", mode, MODES)
        self.mel = HarmonicPercussiveMel(**mel)
        self.sample_rate = self.mel.sample_rate
        self.encoder = CocolaEncoder(
            width=width,
            depth=depth,
            embedding=embedding,
            dropout=dropout,
            batch_norm_momentum=batch_norm_momentum,
        )
        self.bilinear = nn.Parameter(torch.randn(embedding, embedding) * 0.05)

    def features(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to levels (batch, 2, mels, frames): 0 silent, 1 loudest."""
        power = self.mel.power(waves)
        loudest = power.amax(dim=(1, 2, 3), keepdim=True).clamp_min(_QUIET_POWER)
        level_db = 10 * (power / loudest).clamp_min(10 ** (-_RANGE_DB / 10)).log10()
        return 1 + level_db / _RANGE_DB

    def embed_context(self, waves: torch.Tensor, instruments: Sequence[str]) -> torch.Tensor:
        """Return x @ W of contexts (batch, samples), (batch, embedding); texts are not heard."""
        return self.embed_target(waves) @ self.bilinear

    def embed_target(self, waves: torch.Tensor) -> torch.Tensor:
        """Return embeddings of targets (batch, samples), (batch, embedding), in the mode asked."""
        return self.encoder(masked(self.features(waves), self.mode))

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return contexts and targets, (n, embedding) each; three numbers more in training.

        In training both sides of a pair hear the same channels, drawn for it from the three modes.
        Pairs of other modes would be told apart by their missing channel alone, which is all that
        a network then learns in its first hundreds of steps (loss ln n/3, ranks as by chance): the
        further numbers put them so far behind that nothing is learned from them.
        """
        # Both in one pass: batch normalisation then sees one population, as when scoring.
        features = self.features(torch.cat([batch["context"], batch["target"]]))
        if self.training:
            drawn = torch.randint(len(MODES), (len(features) // 2,)).repeat(2)
            keep = torch.tensor(list(MODES.values()))[drawn].to(features)
            contexts, targets = self.encoder(features * keep[:, :, None, None]).chunk(2)
            heard = functional.one_hot(drawn, len(MODES)).to(contexts) * _SAME_MODE
            modes, _ = heard.chunk(2)
            return torch.cat([contexts @ self.bilinear, modes], 1), torch.cat([targets, modes], 1)
        contexts, targets = self.encoder(masked(features, self.mode)).chunk(2)
        return contexts @ self.bilinear, targets

    def loss(
        self, contexts: torch.Tensor, targets: torch.Tensor, ignore: torch.Tensor
    ) -> torch.Tensor:
        """Return the cross-entropy of finding each context's own target in the batch."""
        with torch.autocast(contexts.device.type, enabled=False):  # scores have no bounds
            scores = (contexts.float() @ targets.float().T).masked_fill(ignore, -torch.inf)
            own = torch.arange(len(scores), device=scores.device)
            return functional.cross_entropy(scores, own)


class CocolaEncoder(nn.Module):
    """EfficientNet on a harmonic and a percussive spectrogram, then linear, LayerNorm, tanh."""

    def __init__(
        self,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        embedding: int = 512,
        dropout: float = 0.1,
        batch_norm_momentum: float = 0.99,
    ) -> None:
        """Set the sizes as `Cocola` does."""
        super().__init__()
        self.backbone = EfficientNet.from_name(
            "efficientnet-b0",
            in_channels=2,
            include_top=False,
            width_coefficient=width,
            depth_coefficient=depth,
            batch_norm_momentum=batch_norm_momentum,
        )
        for module in self.backbone.modules():
            if hasattr(module, "_swish"):
                module._swish = nn.SiLU()  # the same function, in one pass over the data
        # Channels last takes 0.4 of the time of a training step on a CPU.
        self.backbone = self.backbone.to(memory_format=torch.channels_last)
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(self.backbone._bn1.num_features, embedding)
        self.norm = nn.LayerNorm(embedding)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (batch, 2, mels, frames) to (batch, embedding) in [-1, 1]."""
        pooled = self.dropout(self.backbone(features)).flatten(1)
        return torch.tanh(self.norm(self.projection(pooled)))


class CocolaScorer(StemScorer):
    """Scores as the published ones: unbounded, comparable among candidates of one query."""

    network_class = Cocola


def masked(features: torch.Tensor, mode: str) -> torch.Tensor:
    """Return features (batch, 2, mels, frames) with zeros in the channel a mode does not hear."""
    if mode == "both":
        return features
    return features * features.new_tensor(MODES[mode])[:, None, None]
