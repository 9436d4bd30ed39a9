"""How far music may be moved before it meets other music."""

from __future__ import annotations

from dataclasses import dataclass

from mashnet.music.tempo_levels import LEVELS, TEMPO_RANGE


@dataclass(frozen=True)
class Limits:
    """How far a candidate may be moved; what would have to go further is left out.

    Attributes:
        max_semitones: largest shift of pitched roles, up or down.
        tempo_range: smallest and largest ratio of the query's tempo to the candidate's, once it is
            folded.
        levels: metrical levels by which ratios are folded (`mashnet.music.tempo_levels`);
            `ONE_LEVEL` takes tempi as they are written down, as the mashability paper does.
        tuned: whether pitched roles are brought to the query's tuning, too; the paper does not.
    """

    max_semitones: int = 3
    tempo_range: tuple[float, float] = TEMPO_RANGE
    levels: tuple[float, ...] = LEVELS
    tuned: bool = True
