"""Steady songs as facts, and where a plan has come to: for tests of plans."""

import numpy as np

from mashnet.music.keys import Key
from mashnet.music.sections import Section
from mashnet.music.song_facts import SongFacts
from mashnet.rendering.plan import GuestPlan


def song(
    tempo_bpm: float = 120.0,
    *,
    first_s: float = 0.0,
    duration_s: float = 32.0,
    bar: int = 4,
    key: Key | None = None,
    sections: list[tuple[int, int, str]] | None = None,
    name: str = "a song",
) -> SongFacts:
    """Return a steady song; sections are (first bar, bar after the last, label)."""
    beat_s = 60 / tempo_bpm
    beats = np.arange(first_s, duration_s, beat_s)
    spans = [
        Section(first_s + a * bar * beat_s, first_s + b * bar * beat_s, label)
        for a, b, label in sections or []
    ]
    return SongFacts(name, duration_s, beats.tolist(), beats[::bar].tolist(), bar, key, spans)


def guest_time(plan: GuestPlan, base_s: float) -> float | None:
    """Return which time of the guest sounds at a time of the base; None where none does."""
    for piece in plan.pieces:
        if piece.start_s <= base_s < piece.end_s:
            guest, base = np.array(piece.keyframes_s).T
            return float(np.interp(base_s, base, guest))
    return None
