"""What two phrases in beat time can have in common: terms, each a product of unit vectors.

    harmony     pitch classes, half beat by half beat
    movement    the same without their mean over the phrase: what changes, not what stays
    slow        pitch classes, bar by bar
    key         their mean over the phrase
    change      how much the pitches change at each half beat
    onset       strength of onsets at twelve moments of every beat
    onset_band  the same in three bands
    rhythm      onsets of a bar, averaged over bars
    form        which bars of the phrase are alike in their pitches, and which are not
    form_half   which half bars
    form_onset  which bars are alike in their onsets

The terms of form hold no pitch and no rhythm, only where a phrase repeats itself: what belongs
together repeats together. Silence is a vector of zeros: it has nothing in common with anything.
"""

from __future__ import annotations

import torch

from mashnet.data.phrases.phrase import Phrases

# What each weighs in a new network: a softmax regression on all songs of the corpus, fixed since;
# those of form by hand (docs/results/placement.md says what that means for its figures).
START = {
    "harmony": 1.6,
    "movement": 7.0,
    "slow": 3.2,
    "key": 0.0,
    "change": 1.7,
    "onset": 2.6,
    "onset_band": 3.1,
    "rhythm": 0.4,
    "form": 1.5,
    "form_half": 1.5,
    "form_onset": 1.0,
}
TERMS = tuple(START)
_FAINT = 1e-6
_SHARPER = 3  # power of likenesses of pitches: half alike counts for little


def vectors_of(phrases: Phrases) -> list[torch.Tensor]:
    """Return the unit vectors of every term, (n, d) each, in the order of TERMS."""
    classes = phrases.chroma - phrases.chroma.mean(-1, keepdim=True)
    movement = classes - classes.mean(1, keepdim=True)
    slow = classes.unflatten(1, (phrases.bars, -1)).mean(2)
    change = (phrases.chroma[:, 1:] - phrases.chroma[:, :-1]).norm(dim=-1)
    onsets = phrases.onsets.flatten(1, 2)
    strength = onsets.mean(-1)
    per_bar = strength.unflatten(1, (phrases.bars, -1))
    found = {
        "harmony": classes.flatten(1),
        "movement": movement.flatten(1),
        "slow": slow.flatten(1),
        "key": classes.mean(1),
        "change": _centred(change),
        "onset": _centred(strength),
        "onset_band": _centred(onsets).flatten(1),
        "rhythm": _centred(per_bar.mean(1)),
        "form": _form(classes, phrases.bars).clamp_min(0) ** _SHARPER,
        "form_half": _form(classes, 2 * phrases.bars).clamp_min(0) ** _SHARPER,
        "form_onset": _form((per_bar - per_bar.mean(2, keepdim=True)).flatten(1), phrases.bars),
    }
    for term in ("form", "form_half", "form_onset"):
        found[term] = _centred(found[term])
    return [_unit(found[term]) for term in TERMS]


def _form(x: torch.Tensor, parts: int) -> torch.Tensor:
    """Return how alike each two of so many equal parts of a phrase are, (n, pairs)."""
    vectors = _unit(x.unflatten(1, (parts, -1)).flatten(2))
    one, other = torch.triu_indices(parts, parts, 1, device=x.device)
    return (vectors @ vectors.transpose(1, 2))[:, one, other]


def _centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(1, keepdim=True)


def _unit(x: torch.Tensor) -> torch.Tensor:
    """Scale rows to length one; what is nearly nothing stays nothing."""
    length = x.norm(dim=-1, keepdim=True)
    return torch.where(length > _FAINT, x / length.clamp_min(_FAINT), torch.zeros_like(x))
