"""The parts of AutoMashUpper's rule for each two roles of a mashup: what fits, and what does not.

The vocal is judged where it was laid: no further key shift is tried. Beside it stand the same
figures of the base's own vocal, where it has one, so that they can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mashnet.data.parts import Group, Part
from mashnet.data.song_clips import VOCAL
from mashnet.models.automashupper import AutomashupperScorer, Fit

TERMS = {  # what a term of the rule asks, in words for the page
    "harmonic": "the same notes at the same time",
    "rhythmic": "onsets at the same moments",
    "spectral": "power spread evenly over low, middle and high",
}


@dataclass(frozen=True)
class Reason:
    """How the rule judges a vocal with one role of the music.

    Attributes:
        role: of the music.
        guest: of the mashup's vocal.
        own: of the base's own vocal; None where it has none.
    """

    role: str
    guest: Fit
    own: Fit | None

    def terms(self) -> dict[str, tuple[float, float | None]]:
        """Return each term of the guest and of the base's own; percussion has no harmonic one."""
        return {
            term: (getattr(self.guest, term), getattr(self.own, term) if self.own else None)
            for term in TERMS
            if not (term == "harmonic" and self.role == "percussion")
        }


def reasons_of(music: Group, vocal: Part, own: Part | None = None) -> list[Reason]:
    """Judge a vocal with each role of the music.

    Args:
        music: what of the base stays.
        vocal: the guest's, moved to where the base is.
        own: the base's own vocal, if it has one.
    """
    rule = AutomashupperScorer(most_semitones=0)

    def fit(part: Part, role: str) -> Fit:
        return rule.best_fit({VOCAL: part}, {role: music[role]})

    return [
        Reason(role, fit(vocal, role), fit(own, role) if own is not None else None)
        for role in music
        if role != VOCAL
    ]


def mean_terms(reasons: list[Reason]) -> Mapping[str, tuple[float, float | None]]:
    """Return each term as the mean over the roles that have it, of the guest and the own vocal."""
    found: dict[str, tuple[float, float | None]] = {}
    for term in TERMS:
        pairs = [reason.terms()[term] for reason in reasons if term in reason.terms()]
        if not pairs:
            continue
        own = [value for _, value in pairs if value is not None]
        found[term] = (
            sum(value for value, _ in pairs) / len(pairs),
            sum(own) / len(own) if own else None,
        )
    return found
