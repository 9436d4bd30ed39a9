"""Key names as people and programs write them."""

from __future__ import annotations

import re

from mashnet.music.keys import Key

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
_MODES = {"": "major", "major": "major", "maj": "major", "ionian": "major"} | {
    "minor": "minor",
    "min": "minor",
    "m": "minor",
    "aeolian": "minor",
}
_NAME = re.compile(r"\s*([A-Ga-g])([#♯b♭]?)[\s:_-]*([A-Za-z]*)\s*")


def parse_key(name: str) -> Key:
    """Read names such as "A minor", "F#m", "Bb", "c:min" and "E♭ major"; no mode means major.

    Raises:
        ValueError: if the name is not one of a key.
    """
    match = _NAME.fullmatch(name)
    if match:
        letter, accidental, mode = match.groups()
        # "M" is major where "m" is minor; all other spellings ignore case.
        mode = _MODES.get("major" if mode == "M" else mode.lower())
        if mode:
            return Key((_NATURALS[letter.upper()] + _ACCIDENTALS[accidental]) % 12, mode)
    raise ValueError(f"'{name}' is not a key; write it like 'A minor' or 'F# major'")
