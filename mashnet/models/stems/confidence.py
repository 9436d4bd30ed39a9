"""How much a sound can say under each term of a score: percussion little about pitches, for one.

A cosine takes the same number for two clear melodies and for the noise under two hi-hats. Eleven
figures of what kind of sound it is decide how much each term counts for it, and how easily it
matches anything. They hold no place in time, so songs cannot be recognised by them.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mashnet.audio.descriptors import LAGS_S, ONSET_RATE
from mashnet.models.stems.align_layers import autocorrelation, centred, compressed, pitch_classes

FIGURES = (
    "onsets",  # logarithm of how much is struck
    "high",  # share of it in the upper third of the bands
    "low",  # share of it in the lowest quarter
    "rarity",  # few strokes or many: (mean fourth power)^(1/4) of the onset strength over its norm
    "pulse",  # highest autocorrelation from 0.2 s on, of that at lag 0
    "tonality",  # how far pitch classes stand out, frame by frame
    "key",  # and on the whole
    "lasting",  # share of the levels that lasts and stands out among its neighbours
    "bass",  # share of the levels below C4
    "active",  # share of the frames within 20 dB of the loudest
    "change",  # how much pitches change
)
_LIMIT = 3.0  # standard deviations


class Confidence(nn.Module):
    """Onsets and pitches → a factor between 1/e and e per term, and one number to add.

    A new one returns factors of one and adds nothing.
    """

    def __init__(self, num_terms: int, dropout: float = 0.0) -> None:
        """Set how many terms there are, and the share of figures left out in training."""
        super().__init__()
        self.norm = nn.BatchNorm1d(len(FIGURES), affine=False)
        self.dropout = nn.Dropout(dropout)
        self.factors = nn.Linear(len(FIGURES), num_terms, bias=False)
        self.offset = nn.Linear(len(FIGURES), 1, bias=False)
        nn.init.zeros_(self.factors.weight)
        nn.init.zeros_(self.offset.weight)

    def forward(self, figures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map `figures_of` sounds to factors (batch, terms) and offsets (batch, 1)."""
        figures = self.dropout(self.norm(figures).clamp(-_LIMIT, _LIMIT))
        return self.factors(figures).tanh().exp(), self.offset(figures)


@torch.no_grad()
def figures_of(onsets: torch.Tensor, pitches: torch.Tensor, tones: torch.Tensor) -> torch.Tensor:
    """Return `FIGURES` of each sound, (batch, 11); all are finite, of silence too.

    Args:
        onsets: per band, (batch, bands, frames).
        pitches: (batch, semitones, frames).
        tones: what of them lasts, of the same shape.
    """
    bands = onsets.mean(-1)
    num_bands = bands.shape[1]
    strength = centred(onsets.mean(1))
    lags = autocorrelation(strength, 0.0, LAGS_S[1])
    first_lag = round(LAGS_S[0] * ONSET_RATE)
    classes = pitch_classes(pitches)
    on_the_whole = classes.mean(-1)
    levels = pitches.mean(-1)
    loudness = pitches.sum(1)
    figures = {
        "onsets": bands.mean(1).clamp_min(1e-4).log(),
        "high": _share(bands[:, num_bands * 5 // 8 :].sum(1), bands.sum(1)),
        "low": _share(bands[:, : num_bands // 4].sum(1), bands.sum(1)),
        "rarity": _share(strength.pow(4).mean(-1).pow(0.25), strength.norm(dim=-1)),
        "pulse": _share(lags[:, first_lag:].amax(1), lags[:, 0]),
        "tonality": _share(centred(classes, 1).norm(dim=(1, 2)), classes.norm(dim=(1, 2))),
        "key": _share(centred(on_the_whole).norm(dim=1), on_the_whole.norm(dim=1)),
        "lasting": _share(tones.sum((1, 2)), pitches.sum((1, 2))),
        "bass": _share(levels[:, :36].sum(1), levels.sum(1)),
        "active": (loudness > 0.1 * loudness.amax(1, keepdim=True)).float().mean(1),
        "change": functional.relu(compressed(pitches).diff(dim=-1)).mean((1, 2)),
    }
    return torch.stack([figures[name] for name in FIGURES], 1)


def _share(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    return part / whole.clamp_min(1e-6)
