"""The joint head: hears both phrases at once and corrects what their vectors say."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mashnet.audio.beat_features import BANDS
from mashnet.data.phrases.phrase import Phrases

_IMAGE = 2 + BANDS  # harmony, movement, onsets per band
_LIMIT = 4.0  # standard deviations
_FAINT = 1e-4


class JointHead(nn.Module):
    """Convolutions round the octave and over time on both sides and their product.

    Small and with much dropout: a hundred songs teach it little more than it can keep. It begins
    as no correction at all.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        """Set the sizes.

        Args:
            channels: of the hidden layers.
            dropout: share of hidden numbers dropped in training.
        """
        super().__init__()
        self.first = nn.Conv2d(3 * _IMAGE, channels, 5)
        self.second = nn.Conv2d(channels, channels, 5)
        self.third = nn.Conv2d(channels, 2 * channels, 3)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, lead: Phrases, backing: Phrases) -> torch.Tensor:
        """Return what to add to the scores of n pairs, (n,)."""
        one, other = _image(lead), _image(backing)
        hidden = torch.cat([one, other, one * other], 1)
        for layer in (self.first, self.second):
            hidden = functional.avg_pool2d(
                functional.gelu(_round_the_octave(layer, hidden)), (1, 2)
            )
            hidden = self.dropout(hidden)
        hidden = functional.gelu(_round_the_octave(self.third, hidden)).mean((2, 3))
        return self.out(self.dropout(hidden))[:, 0]


def _image(phrases: Phrases) -> torch.Tensor:
    """Return harmony, movement and onsets in each band as images, (n, _IMAGE, 12, half beats)."""
    classes = phrases.chroma - phrases.chroma.mean(-1, keepdim=True)
    movement = classes - classes.mean(1, keepdim=True)
    half_beats = phrases.chroma.shape[1]
    onsets = phrases.onsets.flatten(1, 2).unflatten(1, (half_beats, -1)).mean(2)
    tones = torch.stack([_scaled(classes), _scaled(movement)], 1).transpose(2, 3)
    strokes = _scaled(onsets).transpose(1, 2)[:, :, None].expand(-1, -1, 12, -1)
    return torch.cat([tones, strokes], 1).clamp(-_LIMIT, _LIMIT)


def _scaled(x: torch.Tensor) -> torch.Tensor:
    return x / x.square().mean((1, 2), keepdim=True).sqrt().clamp_min(_FAINT)


def _round_the_octave(layer: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    pitches, times = (size // 2 for size in layer.kernel_size)
    x = torch.cat([x[:, :, -pitches:], x, x[:, :, :pitches]], 2)
    return layer(functional.pad(x, (times, times)))
