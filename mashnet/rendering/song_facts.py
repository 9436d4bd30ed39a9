"""What a plan needs to know about a song: its beats, key and sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mashnet.music.keys import Key
from mashnet.music.sections import Section
from mashnet.music.tunings import Tuning


@dataclass(frozen=True)
class SongFacts:
    """One song; times are in seconds from the start of its clip.

    Attributes:
        name: what to call it in a warning.
        duration_s: of the clip.
        beats_s: in order of time; may be empty.
        downbeats_s: those that begin a bar; may be empty.
        beats_per_bar: None if not known.
        key: None if not known.
        sections: in order of time; may be empty.
        tempo_bpm: None if not known: the beats say it.
        tuning: of its pitched stems; None if not known.
    """

    name: str
    duration_s: float
    beats_s: Sequence[float] = ()
    downbeats_s: Sequence[float] = ()
    beats_per_bar: int | None = None
    key: Key | None = None
    sections: Sequence[Section] = ()
    tempo_bpm: float | None = None
    tuning: Tuning | None = None
