"""Melodies from motifs: a rhythm and a contour that return, varied, over the chords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_pipelines.synth.harmony import nearest_pitch, scale_under
from data_pipelines.synth.plan import PHRASE_BARS, Plan


@dataclass(frozen=True)
class Note:
    """A note: place and length in beats, MIDI pitch, loudness up to 1."""

    start_beats: float
    length_beats: float
    pitch: int
    velocity: float


# Onsets of one bar, in beats; the band draws from them and shifts them.
_CELLS = {
    4: (
        (0, 1, 1.5, 2, 3),
        (0, 0.5, 1, 2, 2.5, 3),
        (0, 1.5, 2, 2.5, 3),
        (0.5, 1, 1.5, 2.5, 3),
        (0, 0.5, 1.5, 2, 3),
        (1, 1.5, 2, 2.5, 3, 3.5),
        (0, 1, 2, 2.5, 3),
        (0, 0.75, 1.5, 2, 2.75, 3.5),
    ),
    3: ((0, 1, 2), (0, 1.5, 2), (0, 0.5, 1, 2), (0, 1, 1.5, 2, 2.5), (0.5, 1, 2), (0, 2, 2.5)),
}
_CADENCES = {
    4: ((0, 1), (0, 0.5, 1), (0, 1.5), (0,), (0, 0.5, 1, 2)),
    3: ((0,), (0, 1), (0, 0.5, 1)),
}
_MIN_REST_BEATS = 1.0


@dataclass(frozen=True)
class Motif:
    """Two bars of rhythm (onsets in beats) and steps of the scale, one a note."""

    onsets: tuple[float, ...]
    contour: tuple[int, ...]


def draw_motif(beats_per_bar: int, rng: np.random.Generator) -> Motif:
    """Draw a phrase-long motif: a moving bar, then a cadence bar that ends in a rest."""
    cells, cadences = _CELLS[beats_per_bar], _CADENCES[beats_per_bar]
    opening = cells[rng.integers(len(cells))]
    closing = tuple(beats_per_bar + t for t in cadences[rng.integers(len(cadences))])
    onsets = opening + closing
    steps = rng.choice([-2, -1, -1, 0, 1, 1, 2, 3], size=len(onsets))
    contour, place = [], 0
    for step in steps:
        # A line that strays is drawn back, as a voice would.
        place = place + int(step) if abs(place + int(step)) <= 4 else place - int(np.sign(place))
        contour.append(place)
    return Motif(onsets, tuple(contour))


def write_phrase(
    plan: Plan,
    motif: Motif,
    start_bar: int,
    *,
    centre: int,
    span: int,
    velocity: float,
    bars: int = PHRASE_BARS,
) -> list[Note]:
    """Write a motif out over the chords that sound there.

    Args:
        plan: the song.
        motif: rhythm and contour.
        start_bar: where the phrase begins.
        centre: the pitch that contour 0 stands for.
        span: how far the line may go from the centre, in semitones.
        velocity: loudness of the phrase.
        bars: cut the phrase after this many bars.
    """
    meter = plan.style.beats_per_bar
    start, end = start_bar * meter, (start_bar + bars) * meter
    kept = [(t, c) for t, c in zip(motif.onsets, motif.contour, strict=True) if start + t < end]
    phrase_end = min(end, start + motif.onsets[-1] + 3) - _MIN_REST_BEATS * (bars > 1)
    notes: list[Note] = []
    previous = centre
    for i, (onset, step) in enumerate(kept):
        at = start + onset
        following = start + kept[i + 1][0] if i + 1 < len(kept) else max(phrase_end, at + 0.8)
        chord = plan.chord_at(at)
        scale = scale_under(chord, plan.key)
        # Seven scale steps span twelve semitones.
        target = centre + step * 12 / 7
        target = min(max(target, centre - span), centre + span)
        on_beat = float(at).is_integer()
        last = i == len(kept) - 1
        strong = (on_beat and at % meter in (0, 2)) or last
        tones = chord.pitch_classes[:3] if strong else scale
        pitch = nearest_pitch(target, tones)
        if not strong and pitch == previous and step != kept[i - 1][1]:
            pitch = nearest_pitch(target + np.sign(step - kept[i - 1][1]) * 2, scale)
        accent = 1.0 if at % meter == 0 else 0.92 if on_beat else 0.85
        notes.append(Note(at, min(following - at, 3.0), pitch, velocity * accent))
        previous = pitch
    return notes


def varied(motif: Motif, rng: np.random.Generator) -> Motif:
    """Return the motif with the end of its contour changed."""
    contour = list(motif.contour)
    for i in range(max(1, len(contour) - 3), len(contour)):
        contour[i] += int(rng.integers(-1, 2))
    return Motif(motif.onsets, tuple(contour))
