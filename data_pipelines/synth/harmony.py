"""Chords: from roman numerals to pitches, and from one voicing to the next.

Conventions: pitches are MIDI numbers (A4 = 69); roman numerals count from the major scale of the
tonic in both modes, so that the submediant chord of a minor key is "bVI".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mashnet.music.keys import Key

_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_NUMERAL = re.compile(r"^(b|#)?([IViv]+)(.*)$")
# Semitones above the root that a suffix adds to (or puts in the place of) the triad.
_SUFFIXES: dict[str, tuple[int, ...]] = {
    "": (),
    "5": (),
    "6": (9,),
    "7": (10,),
    "maj7": (11,),
    "9": (10, 14),
    "add9": (14,),
    "sus4": (),
    "dim": (),
    "m7b5": (10,),
}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


@dataclass(frozen=True)
class Chord:
    """A chord: its name in the key, and its pitch classes, root first."""

    numeral: str
    root: int
    pitch_classes: tuple[int, ...]


def chord(numeral: str, key: Key) -> Chord:
    """Return the chord that a roman numeral such as "bVImaj7" means in a key.

    Raises:
        ValueError: if it is not such a numeral.
    """
    match = _NUMERAL.match(numeral)
    if not match or match[2].upper() not in _DEGREES or match[3] not in _SUFFIXES:
        raise ValueError(f"not a chord: {numeral!r}")
    accidental = {"b": -1, "#": 1, None: 0}[match[1]]
    suffix = match[3]
    third = 3 if match[2].islower() else 4
    triad = {
        "5": (0, 7),
        "sus4": (0, 5, 7),
        "dim": (0, 3, 6),
        "m7b5": (0, 3, 6),
    }.get(suffix, (0, third, 7))
    root = (key.tonic + _DEGREES[match[2].upper()] + accidental) % 12
    intervals = triad + _SUFFIXES[suffix]
    return Chord(numeral, root, tuple((root + i) % 12 for i in intervals))


def scale_under(current: Chord, key: Key) -> tuple[int, ...]:
    """Return the pitch classes that sound right over a chord, ascending.

    They are the key's scale, with the notes that clash by a semitone with a note of the chord
    outside the scale (the leading note over a minor key's dominant) replaced by that note.
    """
    scale = {(key.tonic + step) % 12 for step in SCALES[key.mode]}
    for foreign in set(current.pitch_classes) - scale:
        scale -= {(foreign - 1) % 12, (foreign + 1) % 12} - set(current.pitch_classes)
        scale.add(foreign)
    return tuple(sorted(scale))


def nearest_pitch(target: float, pitch_classes: tuple[int, ...]) -> int:
    """Return the pitch nearest to `target` among the given classes; the lower one of two."""
    base = int(target) - 12
    options = [p for p in range(base, base + 25) if p % 12 in pitch_classes]
    return min(options, key=lambda pitch: (abs(pitch - target), pitch))


def voicing(current: Chord, previous: tuple[int, ...] | None, centre: int) -> tuple[int, ...]:
    """Return close-position pitches of a chord that move least from the previous voicing.

    Args:
        current: the chord.
        previous: the voicing before it, or None at the start.
        centre: the pitch around which voicings stay.
    """
    options = []
    size = len(current.pitch_classes)
    for rotation in range(size):
        for octave in (-12, 0, 12):
            pitches = []
            low = centre - 6 + octave
            for pitch_class in current.pitch_classes[rotation:] + current.pitch_classes[:rotation]:
                low = next(p for p in range(low, low + 12) if p % 12 == pitch_class)
                pitches.append(low)
                low += 1
            options.append(tuple(pitches))

    def cost(pitches: tuple[int, ...]) -> float:
        drift = abs(sum(pitches) / size - centre)
        if previous is None:
            return drift
        moves = [min(abs(p - q) for q in previous) for p in pitches]
        moves += [min(abs(p - q) for p in pitches) for q in previous]
        return sum(moves) / len(moves) + 0.25 * drift

    return min(options, key=lambda pitches: (cost(pitches), pitches))
