"""What is known of a song's music: beats, bars, key, tuning and sections; they move as it moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mashnet.music.beats import tempo_of
from mashnet.music.keys import MODES, Key
from mashnet.music.sections import Section
from mashnet.music.tunings import Tuning, fold_cents, tuning_of


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

    def moved(
        self,
        follow: Callable[[np.ndarray], np.ndarray],
        *,
        duration_s: float,
        semitones: float = 0.0,
    ) -> SongFacts:
        """Return what is known of the same music after it has been moved.

        Args:
            follow: from times of this clip to those of the new one; increasing.
            duration_s: of the new clip. Beats outside it are gone, sections are cut to it.
            semitones: by which its pitched stems are shifted, cents as fractions of them.
        """
        whole = round(semitones)
        beats_s = _inside(follow, self.beats_s, duration_s)
        # One ratio on the whole: the tempo that is written down is the better estimate.
        begin_s, end_s = follow(np.array([0.0, self.duration_s]))
        tempo_bpm = self.tempo_bpm and self.tempo_bpm * self.duration_s / float(end_s - begin_s)
        sections = []
        for section in self.sections:
            start_s, end_s = follow(np.array([section.start_s, section.end_s])).clip(0, duration_s)
            if end_s > start_s:
                sections.append(Section(float(start_s), float(end_s), section.label))
        tuning = self.tuning
        if tuning is not None and semitones != whole:
            tuning = tuning._replace(cents=fold_cents(tuning.cents + 100 * (semitones - whole)))
        return replace(
            self,
            duration_s=duration_s,
            beats_s=beats_s,
            downbeats_s=_inside(follow, self.downbeats_s, duration_s),
            key=self.key and self.key.transposed(whole),
            sections=tuple(sections),
            tempo_bpm=tempo_bpm or (tempo_of(beats_s) or None),
            tuning=tuning,
        )


def facts_of(row: Mapping[str, Any], sections: Sequence[Section] = ()) -> SongFacts:
    """Return what a MashupDB knows of a clip.

    Args:
        row: of clips.parquet.
        sections: of the clip, in order of time.
    """
    has_key = row["key_tonic"] is not None and row["key_mode"] in MODES
    return SongFacts(
        name=row["title"] or row["clip_id"],
        duration_s=row["duration_s"],
        beats_s=tuple(row["beats"] or ()),
        downbeats_s=tuple(row["downbeats"] or ()),
        beats_per_bar=row["beats_per_bar"],
        key=Key(row["key_tonic"], row["key_mode"]) if has_key else None,
        sections=tuple(sections),
        tempo_bpm=row["tempo_bpm"] or None,
        tuning=tuning_of(row),
    )


def _inside(
    follow: Callable[[np.ndarray], np.ndarray], times_s: Sequence[float], duration_s: float
) -> tuple[float, ...]:
    if not len(times_s):
        return ()
    moved = follow(np.asarray(times_s, np.float64))
    # A beat on either end of the clip stays in it, whatever rounding says.
    return tuple(float(t) for t in moved if -1e-6 <= t <= duration_s + 1e-6)
