"""What two phrases in beat time can have in common: terms, each a product of unit vectors.

    harmony     pitch classes, half beat by half beat
    movement    the same without their mean over the phrase: what changes, not what stays
    slow        pitch classes, bar by bar
    key         their mean over the phrase
    change      how much the pitches change at each half beat
    onset       strength of onsets at twelve moments of every beat
    onset_band  the same in three bands
    rhythm      onsets of a bar, averaged over bars

Silence is a vector of zeros: it has nothing in common with anything.
"""

from __future__ import annotations

import torch

from mashnet.data.phrases.phrase import Phrases

# What each weighs in a new network: a softmax regression on training songs, fixed since
# (docs/results/placement.md).
START = {
    "harmony": 1.6,
    "movement": 7.0,
    "slow": 3.2,
    "key": 0.0,
    "change": 1.7,
    "onset": 2.6,
    "onset_band": 3.1,
    "rhythm": 0.4,
}
TERMS = tuple(START)
_FAINT = 1e-6


def vectors_of(phrases: Phrases) -> list[torch.Tensor]:
    """Return the unit vectors of every term, (n, d) each, in the order of TERMS."""
    classes = phrases.chroma - phrases.chroma.mean(-1, keepdim=True)
    movement = classes - classes.mean(1, keepdim=True)
    slow = classes.unflatten(1, (phrases.bars, -1)).mean(2)
    change = (phrases.chroma[:, 1:] - phrases.chroma[:, :-1]).norm(dim=-1)
    onsets = phrases.onsets.flatten(1, 2)
    strength = onsets.mean(-1)
    rhythm = strength.unflatten(1, (phrases.bars, -1)).mean(1)
    found = {
        "harmony": classes.flatten(1),
        "movement": movement.flatten(1),
        "slow": slow.flatten(1),
        "key": classes.mean(1),
        "change": _centred(change),
        "onset": _centred(strength),
        "onset_band": _centred(onsets).flatten(1),
        "rhythm": _centred(rhythm),
    }
    return [_unit(found[term]) for term in TERMS]


def _centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(1, keepdim=True)


def _unit(x: torch.Tensor) -> torch.Tensor:
    """Scale rows to length one; what is nearly nothing stays nothing."""
    length = x.norm(dim=-1, keepdim=True)
    return torch.where(length > _FAINT, x / length.clamp_min(_FAINT), torch.zeros_like(x))
