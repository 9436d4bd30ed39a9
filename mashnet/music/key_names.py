"""Key names as people and programs write them."""

from __future__ import annotations

import re

from mashnet.music.keys import Key

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_MODES = {"": "major", "major": "major", "maj": "major", "ionian": "major", "dur": "major"} | {
    "minor": "minor",
    "min": "minor",
    "m": "minor",
    "aeolian": "minor",
    "moll": "minor",
}
_NAME = re.compile(r"\s*([A-Ga-g])(?:[\s_-]*((?i:sharp|flat))|([#♯b♭]?))[\s:_-]*([A-Za-z]*)\s*")
# A wheel of fifths: its hours, and a letter for the mode.
_HOUR = re.compile(r"\s*(0?[1-9]|1[0-2])\s*([ABDMabdm])\s*")
_CAMELOT = {"a": (8, 9, "minor"), "b": (8, 0, "major")}  # 8A is A minor, 8B C major
_OPEN_KEY = {"m": (1, 9, "minor"), "d": (1, 0, "major")}  # 1m is A minor, 1d C major
_FIFTH = 7


def parse_key(name: str) -> Key:
    """Read names such as "A minor", "F#m", "Bb", "c:min", "E♭ major" and "a-moll".

    Also read DJs' wheels, Camelot ("8A") and Open Key ("1m"). No mode means major.

    Raises:
        ValueError: if the name is not one of a key.
    """
    match = _NAME.fullmatch(name)
    if match:
        letter, word, sign, mode = match.groups()
        # "M" is major where "m" is minor; all other spellings ignore case.
        mode = _MODES.get("major" if mode == "M" else mode.lower())
        if mode:
            accidental = _ACCIDENTALS[(sign or word or "").lower()]
            return Key((_NATURALS[letter.upper()] + accidental) % 12, mode)
    match = _HOUR.fullmatch(name)
    if match:
        hour, letter = match.groups()
        first, tonic, mode = (_CAMELOT | _OPEN_KEY)[letter.lower()]
        return Key((tonic + _FIFTH * (int(hour) - first)) % 12, mode)
    raise ValueError(f"'{name}' is not a key; write it like 'A minor', 'F# major' or '8A'")
