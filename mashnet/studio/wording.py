"""What the page says of moves and curves, in a musician's words."""

from __future__ import annotations

from mashnet.music.keys import Key
from mashnet.rendering.proposals import LibraryClip
from mashnet.studio.moves_of_vocal import Curve


def shift_words(semitones: int) -> str:
    """Return "as it is", "1 semitone up", "3 semitones down"."""
    if not semitones:
        return "as it is"
    unit = "semitone" if abs(semitones) == 1 else "semitones"
    return f"{abs(semitones)} {unit} {'up' if semitones > 0 else 'down'}"


def tempo_words(ratio: float) -> str:
    """Return "as it is", "4 % faster", "12 % slower"."""
    percent = round(100 * (ratio - 1))
    if not percent:
        return "as it is"
    return f"{abs(percent)} % {'faster' if percent > 0 else 'slower'}"


def clip_words(clip: LibraryClip) -> str:
    """Return artist, key, tempo and length of a clip, what is known of them."""
    row = clip.row
    known = []
    if row["artist"]:
        known.append(row["artist"])
    if row["key_tonic"] is not None and row["key_mode"]:
        known.append(str(Key(row["key_tonic"], row["key_mode"])))
    if row["tempo_bpm"]:
        known.append(f"{row['tempo_bpm']:.0f} bpm")
    minutes, seconds = divmod(round(row["duration_s"] or 0), 60)
    known.append(f"{minutes}:{seconds:02}")
    return " · ".join(known)


def verdict(curve: Curve) -> str:
    """Say in one sentence where a curve peaks."""
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
    return f"Would score higher {where}."
