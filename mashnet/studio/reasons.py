"""The parts of AutoMashUpper's rule for each two roles of a mashup: what fits, and what does not.

The vocal is judged where it was laid: no further key shift is tried. Beside it stand the same
figures of the base's own vocal, where it has one, so that they can be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from mashnet.data.parts import Group, Part
from mashnet.data.song_clips import VOCAL
from mashnet.models.rules.automashupper import AutomashupperScorer, Fit

TERMS = ("harmonic", "rhythmic", "spectral")


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
