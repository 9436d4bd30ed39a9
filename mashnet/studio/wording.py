"""The words in which the page tells shifts, tempos and curves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from mashnet.data.roles import VOCAL
from mashnet.mashups.proposals import LibraryClip, Proposal
from mashnet.models.phrases.places import NOTHING
from mashnet.music.keys import Key
from mashnet.music.placement_words import placement_words
from mashnet.music.tempo_levels import tempo_words
from mashnet.studio.vocal_moves import Curve

INCOMPARABLE = NOTHING / 2  # who compares phrases scores lower what it cannot compare
_HARDLY = 0.2  # of the widest curve: who moves the score less is hardly heard
_AS_GOOD = 0.05  # likewise: differences that nobody should build on


def shift_words(semitones: int, cents: float = 0.0) -> str:
    """Return "as it is", "1 semitone up", "3 semitones down, 20 cents up"."""
    unit = "semitone" if abs(semitones) == 1 else "semitones"
    said = [f"{abs(semitones)} {unit} {_way(semitones)}"] if semitones else []
    if round(cents):
        said.append(f"{abs(round(cents))} cents {_way(cents)}")
    return ", ".join(said) or "as it is"


def _way(shift: float) -> str:
    return "up" if shift > 0 else "down"


def score_words(score: float | None) -> str:
    """Return a score with three decimals; a dash where there is none, or nothing to compare."""
    return "–" if score is None or score <= INCOMPARABLE else f"{score:.3f}"


def clip_words(clip: LibraryClip) -> str:
    """Return artist, key, tempo and length of a clip, what is known of them."""
    artist = [clip.row["artist"]] if clip.row["artist"] else []
    minutes, seconds = divmod(round(clip.row["duration_s"] or 0), 60)
    return " · ".join([*artist, *_key_and_tempo(clip), f"{minutes}:{seconds:02}"])


def meeting_words(proposal: Proposal) -> str:
    """Say where a vocal meets the music, and how it is moved; empty where it is not placed."""
    guest = proposal.guests[VOCAL]
    if guest.placement is None:
        return ""
    facts = (clip.database.facts_of(clip.clip_id) for clip in (proposal.base, guest.clip))
    return placement_words(guest.placement, *facts)


def plain(text: str) -> str:
    """Return a text so that the page shows it as it is: titles are no Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>$~:])", r"\\\1", text)


def distinct_titles(clips: Iterable[LibraryClip]) -> dict[str, str]:
    """Return titles by clip id; where several songs share one, key and tempo tell them apart."""
    clips = list(clips)
    shared = Counter(clip.title for clip in clips)
    return {
        clip.clip_id: f"{clip.title} ({', '.join(_key_and_tempo(clip))})"
        if shared[clip.title] > 1
        else clip.title
        for clip in clips
    }


def verdict(curve: Curve, widest: float) -> str:
    """Say in one sentence where a curve peaks.

    Args:
        curve: what is judged.
        widest: between the highest and the lowest score of all curves beside it.
    """
    if float(np.ptp(curve.scores)) <= _HARDLY * widest:
        return "Hardly matters to this Scorer."
    best = curve.best
    if best == 0:
        return "Best where it is."
    if curve.kind.name == "pitch":
        where = shift_words(round(best))
    elif curve.kind.name == "tempo":
        where = tempo_words(1 + best / 100)
    else:
        unit = "beat" if abs(best) <= 1 else "beats"
        where = f"{abs(best):g} {unit} {'later' if best > 0 else 'earlier'}"
    gain = float(curve.scores.max() - curve.at_zero)
    if gain < _AS_GOOD * widest:
        return f"As good {where}."
    return f"Would score higher {where}."


def _key_and_tempo(clip: LibraryClip) -> list[str]:
    row = clip.row
    known = []
    if row["key_tonic"] is not None and row["key_mode"]:
        known.append(str(Key(row["key_tonic"], row["key_mode"])))
    if row["tempo_bpm"]:
        known.append(f"{row['tempo_bpm']:.0f} bpm")
    return known
