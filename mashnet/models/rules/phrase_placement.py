"""Where a phrase of a guest fits a base best: all phrases on all bars, at all shifts in key.

AutoMashUpper takes a phrase of the one song to every beat of the other; here a phrase begins and
ends with a bar, on either side, so that what is found can be laid. A guest at another metrical
level is heard in beats of the base: at half time each of its beats is two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from mashnet.data.parts import Group, facts_of_group
from mashnet.errors import ConfigError
from mashnet.models.rules.beat_encoding import (
    CHROMA,
    FEATURES,
    ONSETS,
    PITCHED,
    POWER,
    stretches_of,
)
from mashnet.music.bars import Bars, bars_of
from mashnet.music.beats import tempo_of
from mashnet.music.song_facts import SongFacts
from mashnet.music.tempo_levels import ANY_RATIO, LEVELS, Folded, folded


@dataclass(frozen=True)
class BarSounds:
    """What the bars of a group sound like.

    Attributes:
        bars: which there are, and which are whole.
        rows: shape (bars, stretches of a bar, 29); zeros in what is not whole.
    """

    bars: Bars
    rows: torch.Tensor

    def phrases(self, length: int, stretches: int) -> tuple[np.ndarray, torch.Tensor]:
        """Return where phrases of so many whole bars begin, (p,), and their first stretches.

        Args:
            length: bars.
            stretches: of each phrase that are wanted.

        Returns:
            Bars, and rows of shape (p, stretches, 29).
        """
        begins = self.bars.phrases(length)
        bars = torch.from_numpy(begins[:, None] + np.arange(length))
        return begins, self.rows[bars].flatten(1, 2)[:, :stretches]


class Place(NamedTuple):
    """Where a phrase lies best.

    Attributes:
        guest_bar: at which the phrase begins.
        base_bar: on which it is laid.
        bars: of the base that it lasts.
        down: by how many semitones the guest goes down, 0 … 11; None where one has no pitch.
        score: how well it fits there.
    """

    guest_bar: int
    base_bar: int
    bars: int
    down: int | None
    score: float


def known_bars(group: Group) -> tuple[SongFacts, Bars]:
    """Return what is known of a group and its bars.

    Raises:
        ConfigError: if its parts do not know them.
    """
    facts = facts_of_group(group)
    bars = bars_of(facts) if facts is not None else None
    if facts is None or bars is None:
        name = facts.name if facts is not None else ", ".join(group) or "an empty group"
        raise ConfigError(
            f"{name}: nobody knows its bars, so that nothing can be placed bar on bar; clips of a "
            f"MashupDB that have beats and downbeats know them"
        )
    return facts, bars


def bar_sounds(group: Group, level: float = 1.0) -> BarSounds:
    """Hear a group bar by bar.

    Args:
        group: whose parts know their bars.
        level: how many stretches one of its beats is cut into; a bar must come out whole.

    Raises:
        ConfigError: as `known_bars`.
    """
    _, bars = known_bars(group)
    stretches = round(bars.beats_per_bar * level)
    places = np.arange(stretches + 1) / level
    whole = np.flatnonzero(bars.whole)
    beats = np.arange(bars.beats_per_bar + 1)
    edges = np.stack([np.interp(places, beats, bars.times_s[bar]) for bar in whole])
    rows = torch.zeros(len(bars.whole), stretches, FEATURES)
    heard = stretches_of(group, edges[:, :-1].ravel(), edges[:, 1:].ravel())
    rows[torch.from_numpy(whole)] = heard.unflatten(0, (len(whole), stretches))
    return BarSounds(bars, rows)


def level_between(base: Group, guest: Group) -> Folded:
    """Return how the beats of two groups meet, and what is left to be stretched.

    Of the levels of `mashnet.music.tempo_levels` those count at which a bar of the guest lasts
    whole beats of the base.

    Raises:
        ConfigError: as `known_bars`.
    """
    (base_facts, base_bars), (guest_facts, guest_bars) = known_bars(base), known_bars(guest)
    metre = guest_bars.beats_per_bar
    levels = [level for level in LEVELS if math.isclose(metre * level, round(metre * level))]
    ratio = _tempo_bpm(base_facts) / _tempo_bpm(guest_facts)
    found = folded(ratio, (base_bars.beats_per_bar, metre), ANY_RATIO, levels)
    assert found is not None  # any ratio may be left
    return found


def _tempo_bpm(facts: SongFacts) -> float:
    return facts.tempo_bpm or tempo_of(facts.beats_s)


def best_place(
    base: BarSounds,
    guest: BarSounds,
    *,
    phrase_bars: int,
    weights: Mapping[str, float],
    allowed: torch.Tensor,
) -> Place:
    """Try all phrases of a guest on all bars of a base.

    Args:
        base: at level 1.
        guest: at the level at which its stretches last a beat of the base each.
        phrase_bars: of the base that a phrase lasts; fewer where one has no so many whole bars.
        weights: of harmonic, rhythmic and spectral.
        allowed: which of the shifts down by 0 … 11 semitones may be tried, (12,) bool.

    Raises:
        ConfigError: if the guest has no whole bars for one of the base.
    """
    for bars in range(phrase_bars, 0, -1):
        stretches = bars * base.rows.shape[1]
        on, first = base.phrases(bars, stretches)
        off, second = guest.phrases(math.ceil(stretches / guest.rows.shape[1]), stretches)
        if len(on) and len(off):
            break
    else:
        raise ConfigError("the guest has no whole bars that last a bar of the base")

    def alike(part: slice, moved: torch.Tensor) -> torch.Tensor:
        one, other = first[..., part].flatten(1), moved.flatten(1)
        energies = torch.outer(
            _energy(first, base.rows, part).sqrt(), _energy(second, guest.rows, part).sqrt()
        )
        return torch.where(energies > 1e-6, one @ other.T / energies.clamp_min(1e-6), 0.0)

    power = first[..., POWER].sum(1)[:, None] + second[..., POWER].sum(1)[None]
    power = power.clamp_min(1e-9)
    score = weights["rhythmic"] * alike(ONSETS, second[..., ONSETS])
    score = score + weights["spectral"] * power.log().mean(-1).exp() / power.mean(-1)
    total = weights["rhythmic"] + weights["spectral"]
    downs: list[int | None] = [None]
    scores = score[None]
    if bool(base.rows[..., PITCHED].any()) and bool(guest.rows[..., PITCHED].any()):
        tried: list[int] = torch.where(allowed)[0].tolist()
        chroma = second[..., CHROMA]
        harmonic = torch.stack([alike(CHROMA, chroma.roll(-k, -1)) for k in tried])
        scores = score[None] + weights["harmonic"] * harmonic
        total += weights["harmonic"]
        downs = [*tried]
    where = int(scores.argmax())
    down, where_on, where_off = np.unravel_index(where, scores.shape)
    return Place(
        int(off[where_off]),
        int(on[where_on]),
        bars,
        downs[int(down)],
        float(scores.flatten()[where]) / max(total, 1e-12),
    )


def _energy(phrases: torch.Tensor, rows: torch.Tensor, part: slice) -> torch.Tensor:
    """Return the energy of each phrase, at least what so much of the whole group has, (p,)."""
    beats = rows[..., 0].sum().clamp_min(1)
    usual = rows[..., part].square().sum() / beats * phrases.shape[1]
    return torch.maximum(phrases[..., part].square().sum((1, 2)), usual)
