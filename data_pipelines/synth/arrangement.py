"""Who plays what and when: the notes of every pitched part and the hits of the drums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_pipelines.synth.harmony import nearest_pitch, scale_under, voicing
from data_pipelines.synth.melody import Note, draw_motif, varied, write_phrase
from data_pipelines.synth.plan import LEVELS, PHRASE_BARS, Plan

STEPS_PER_BEAT = 4
_STEP_VELOCITY = {"X": 1.0, "x": 0.75, "o": 0.4}
_BASS_LOWEST = 29  # F1: what small loudspeakers and beat trackers still hear
_CHORDS_CENTRE = 60
SUNG = ("verse", "chorus")


@dataclass(frozen=True)
class Hit:
    """A drum hit: which piece, where in beats, how loud up to 1."""

    piece: str
    start_beats: float
    velocity: float


@dataclass(frozen=True)
class Score:
    """All that is played."""

    vocals: tuple[Note, ...]
    lead: tuple[Note, ...]
    chords: tuple[Note, ...]
    bass: tuple[Note, ...]
    drums: tuple[Hit, ...]


def arrange(plan: Plan, rng: np.random.Generator, vocal_centre: int) -> Score:
    """Write every part of a song.

    Args:
        plan: the song's frame.
        rng: all choices come from it.
        vocal_centre: MIDI pitch in the middle of the singer's range.
    """
    vocals, lead = _melodies(plan, rng, vocal_centre)
    return Score(
        vocals=tuple(vocals),
        lead=tuple(lead),
        chords=tuple(_chords(plan, rng)),
        bass=tuple(_bass(plan, rng)),
        drums=tuple(_drums(plan, rng)),
    )


def _melodies(
    plan: Plan, rng: np.random.Generator, vocal_centre: int
) -> tuple[list[Note], list[Note]]:
    meter = plan.style.beats_per_bar
    motifs = {label: draw_motif(meter, rng) for label in SUNG}
    answers = {label: draw_motif(meter, rng) for label in SUNG}
    theme = draw_motif(meter, rng)
    vocals: list[Note] = []
    lead: list[Note] = []
    for section in plan.sections:
        level = LEVELS[section.label]
        for phrase, bar in enumerate(range(section.start_bar, section.end_bar, PHRASE_BARS)):
            bars = min(PHRASE_BARS, section.end_bar - bar)
            if bar + bars == plan.num_bars and section.label not in SUNG:
                bars -= 1  # the last bar is left to the last chord
            if bars == 0:
                continue
            if section.label in SUNG:
                # Statement, varied statement, answer, statement: a line with a memory.
                motif = motifs[section.label] if phrase % 4 != 2 else answers[section.label]
                motif = varied(motif, rng) if phrase % 2 else motif
                lift = 3 if section.label == "chorus" else 0
                vocals += write_phrase(
                    plan,
                    motif,
                    bar,
                    centre=vocal_centre + lift,
                    span=8,
                    velocity=level,
                    bars=bars,
                )
                if section.label == "chorus" and phrase % 2 and bars == PHRASE_BARS:
                    lead += _answer(plan, bar + 1, level, rng)
            else:
                motif = theme if phrase % 2 == 0 else varied(theme, rng)
                lead += write_phrase(plan, motif, bar, centre=74, span=9, velocity=level, bars=bars)
    final = plan.chord_at(plan.num_beats - 1)
    if vocals and plan.sections[-1].label in SUNG:
        last_bar = (plan.num_bars - 1) * meter
        vocals = [n for n in vocals if n.start_beats + n.length_beats <= last_bar]
        pitch = nearest_pitch(vocal_centre, (final.root, final.pitch_classes[1]))
        vocals.append(Note(last_bar, plan.num_beats - last_bar, pitch, 0.9))
    return vocals, lead


def _answer(plan: Plan, bar: int, level: float, rng: np.random.Generator) -> list[Note]:
    """Write a short run of the lead into the rest at the end of a sung phrase."""
    meter = plan.style.beats_per_bar
    start = bar * meter + meter - 1.5
    pitch = 72 + int(rng.integers(0, 6))
    direction = int(rng.choice([-1, 1]))
    notes = []
    for i in range(3):
        at = start + 0.5 * i
        scale = scale_under(plan.chord_at(at), plan.key)
        pitch = nearest_pitch(pitch + 2 * direction * (i > 0), scale)
        notes.append(Note(at, 0.45, pitch, 0.8 * level))
    return notes


def _chords(plan: Plan, rng: np.random.Generator) -> list[Note]:
    style, meter = plan.style, plan.style.beats_per_bar
    patterns = style.chord_patterns
    verse = patterns[rng.integers(len(patterns))]
    chorus = patterns[rng.integers(len(patterns))]
    previous: tuple[int, ...] | None = None
    notes = []
    for bar in range(plan.num_bars):
        section = plan.section_at(bar)
        pattern = chorus if section.label == "chorus" else verse
        if bar == plan.num_bars - 1:
            pattern = ((0.0, plan.num_beats - bar * meter, 1.0),)
        for onset, length, velocity in pattern:
            at = bar * meter + onset
            chord = plan.chord_at(at)
            if style.chords[0] == "distorted_guitar":
                # Distortion turns thirds into mud: roots, fifths, octaves.
                root = nearest_pitch(46, (chord.root,))
                pitches: tuple[int, ...] = (root, root + 7, root + 12)
            else:
                pitches = voicing(chord, previous, _CHORDS_CENTRE)
            previous = pitches
            loud = velocity * LEVELS[section.label]
            notes += [Note(at, length, pitch, loud) for pitch in pitches]
    return notes


def _bass(plan: Plan, rng: np.random.Generator) -> list[Note]:
    style, meter = plan.style, plan.style.beats_per_bar
    patterns = style.bass_patterns
    verse = patterns[rng.integers(len(patterns))]
    chorus = patterns[rng.integers(len(patterns))]
    notes = []
    for bar in range(plan.num_bars):
        section = plan.section_at(bar)
        if section.label == "intro" and section.num_bars > 1 and bar == 0:
            continue
        pattern = chorus if section.label == "chorus" else verse
        if bar == plan.num_bars - 1:
            pattern = ((0.0, plan.num_beats - bar * meter, "R"),)
        for onset, length, kind in pattern:
            at = bar * meter + onset
            pitch = _bass_pitch(plan, at, bar, kind)
            notes.append(Note(at, length, pitch, LEVELS[section.label]))
    return notes


def _bass_pitch(plan: Plan, at: float, bar: int, kind: str) -> int:
    chord = plan.chord_at(at)
    root = _BASS_LOWEST + (chord.root - _BASS_LOWEST) % 12
    if kind == "8":
        return root + 12
    if kind == "3":
        return root + (chord.pitch_classes[1] - chord.root) % 12
    if kind == "5":
        fifth = chord.pitch_classes[2 if len(chord.pitch_classes) > 2 else 1]
        return root + (fifth - chord.root) % 12
    if kind == "A":
        # From the scale step above the root that comes next, unless that is the same root.
        following = plan.chord_at((bar + 1) * plan.style.beats_per_bar)
        if following.root == chord.root:
            return root + 7
        target = _BASS_LOWEST + (following.root - _BASS_LOWEST) % 12
        return nearest_pitch(target + 1.6, scale_under(chord, plan.key))
    return root


def _drums(plan: Plan, rng: np.random.Generator) -> list[Hit]:
    style, meter = plan.style, plan.style.beats_per_bar
    steps = meter * STEPS_PER_BEAT
    groove = style.grooves[rng.integers(len(style.grooves))]
    fills = _fill_pieces(style.kit)
    light_intro = rng.random() < 0.5
    hits: list[Hit] = []
    for beat in range(-plan.pickup_beats, 0):
        hits.append(Hit("stick", beat, 0.8))
    for bar in range(plan.num_bars):
        section = plan.section_at(bar)
        start, level = bar * meter, LEVELS[section.label]
        if bar == plan.num_bars - 1:
            hits += [Hit("kick", start, 1.0), Hit("crash", start, 0.8)]
            continue
        ends = bar == section.end_bar - 1 and section.num_bars > 1
        fill_beats = int(rng.integers(1, 3)) if ends else 0
        for piece, pattern in groove.items():
            if section.label == "intro" and light_intro and piece in ("snare", "clap"):
                continue
            for step in range(steps):
                mark = pattern[step % len(pattern)]
                if mark == "." or (
                    step >= steps - fill_beats * STEPS_PER_BEAT and piece in ("snare", "clap")
                ):
                    continue
                hits.append(Hit(piece, start + step / STEPS_PER_BEAT, _STEP_VELOCITY[mark] * level))
        if bar == section.start_bar and bar > 0:
            hits.append(Hit("crash", start, 0.7 * level))
        if fill_beats:
            hits += _fill(fills, start + meter - fill_beats, fill_beats, level, rng)
    return hits


def _fill_pieces(kit: str) -> tuple[str, ...]:
    return {"electronic": ("clap", "snare"), "jazz": ("snare",), "latin": ("rim", "tom_low")}.get(
        kit, ("snare", "tom_high", "tom_low")
    )


def _fill(
    pieces: tuple[str, ...], start: float, beats: int, level: float, rng: np.random.Generator
) -> list[Hit]:
    """Return a run down the kit that grows towards the next section."""
    hits = []
    count = beats * 2
    for i in range(count):
        piece = pieces[min(len(pieces) - 1, i * len(pieces) // count)]
        velocity = level * (0.6 + 0.4 * i / count)
        hits.append(Hit(piece, start + 0.5 * i, velocity))
        if rng.random() < 0.4:
            hits.append(Hit(piece, start + 0.5 * i + 0.25, 0.6 * velocity))
    return hits
