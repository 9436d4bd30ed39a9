"""What a song is before a note is written: style, key, tempo, form, chords, and its clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data_pipelines.synth.harmony import Chord, chord
from data_pipelines.synth.styles import STYLES, Form, Style
from mashnet.music.keys import MODES, Key

SHORTEST_S = 25.2  # from the first downbeat to the last beat's end: mixes last at least 25 s
LEVELS = {
    "intro": 0.75,
    "verse": 0.85,
    "chorus": 1.0,
    "bridge": 0.8,
    "inst": 0.9,
    "outro": 0.8,
}
PHRASE_BARS = 2
# Forms of whole songs, in bars: what comes back does so two or three times.
WHOLE_FORMS: tuple[Form, ...] = (
    (("intro", 4), ("verse", 8), ("chorus", 8), ("verse", 8), ("chorus", 8), ("bridge", 8),
     ("chorus", 8), ("outro", 4)),
    (("intro", 8), ("verse", 16), ("chorus", 8), ("verse", 8), ("chorus", 8), ("inst", 8),
     ("chorus", 8)),
    (("intro", 4), ("verse", 8), ("verse", 8), ("chorus", 8), ("inst", 4), ("verse", 8),
     ("chorus", 16), ("outro", 8)),
    (("verse", 8), ("chorus", 8), ("inst", 8), ("verse", 8), ("chorus", 8), ("bridge", 4),
     ("chorus", 8), ("outro", 4)),
    (("intro", 8), ("chorus", 8), ("verse", 16), ("chorus", 8), ("verse", 16), ("chorus", 8),
     ("outro", 8)),
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A stretch of bars with one character."""

    label: str
    start_bar: int
    num_bars: int

    @property
    def end_bar(self) -> int:
        """The first bar after it."""
        return self.start_bar + self.num_bars


@dataclass(frozen=True)
class ChordSpan:
    """A chord and when it sounds, in beats from the first downbeat."""

    chord: Chord
    start_beats: float
    end_beats: float


@dataclass(frozen=True)
class Plan:
    """A song's frame. Beats are counted from the first downbeat; what comes before is negative."""

    style_name: str
    key: Key
    tempo_bpm: float
    swing: float
    lead_in_s: float  # when the first downbeat falls
    pickup_beats: int  # beats that the band plays before it
    num_beats: int  # from the first downbeat on; the last bar may stop short
    sections: tuple[Section, ...]
    chords: tuple[ChordSpan, ...]

    @property
    def style(self) -> Style:
        """The style's data."""
        return STYLES[self.style_name]

    @property
    def num_bars(self) -> int:
        """Bars from the first downbeat on."""
        return self.sections[-1].end_bar

    @property
    def end_s(self) -> float:
        """When the last beat ends."""
        return self.lead_in_s + self.num_beats * 60 / self.tempo_bpm

    def seconds(self, beats: float) -> float:
        """Return when a place in the score sounds; swing moves only what is off the beat."""
        pair = self.style.swing_pair_beats
        whole, fraction = divmod(beats, pair)
        share = fraction / pair
        swung = (
            share * 2 * self.swing
            if share < 0.5
            else self.swing + (share - 0.5) * 2 * (1 - self.swing)
        )
        return self.lead_in_s + (whole + swung) * pair * 60 / self.tempo_bpm

    def beats_s(self) -> list[float]:
        """Return the times of all beats that are played, pickup included."""
        beat_s = 60 / self.tempo_bpm
        return [
            round(self.lead_in_s + i * beat_s, 6) for i in range(-self.pickup_beats, self.num_beats)
        ]

    def downbeats_s(self) -> list[float]:
        """Return the times of the first beats of all bars."""
        return self.beats_s()[self.pickup_beats :: self.style.beats_per_bar]

    def chord_at(self, beats: float) -> Chord:
        """Return the chord at a place in the score (the first one before the first downbeat)."""
        for span in self.chords:
            if beats < span.end_beats - 1e-9:
                return span.chord
        return self.chords[-1].chord

    def section_at(self, bar: int) -> Section:
        """Return the section that a bar belongs to."""
        return next(section for section in self.sections if bar < section.end_bar)


def plan_song(seed: int, index: int, *, whole: bool = False) -> Plan:
    """Draw the frame of song number `index`.

    A whole song has the style, key, tempo and chords of the short one, but a form of its own.

    Styles take turns in a shuffled order, and each run of 24 songs goes through all 24 keys, so
    that a small corpus is varied on purpose and not by luck.
    """
    rng = np.random.default_rng([seed, index, 0])
    names = sorted(STYLES)
    turn, place = divmod(index, len(names))
    style_name = names[_shuffled(len(names), seed, 1, turn)[place]]
    style = STYLES[style_name]
    turn, place = divmod(index, 24)
    number = _shuffled(24, seed, 2, turn)[place]
    key = Key(number % 12, MODES[number // 12])

    tempo_bpm = round(float(rng.uniform(*style.tempo_bpm)), 1)
    beat_s = 60 / tempo_bpm
    num_beats = math.ceil(SHORTEST_S / beat_s)
    if num_beats % style.beats_per_bar == 1:
        num_beats += 1  # the last chord rings for two beats at least
    form = style.forms[rng.integers(len(style.forms))]
    num_bars = math.ceil(num_beats / style.beats_per_bar)
    if whole:
        # From a generator of its own, so that short songs stay what they were.
        form = WHOLE_FORMS[np.random.default_rng([seed, index, 3]).integers(len(WHOLE_FORMS))]
        num_bars = sum(bars for _, bars in form)
        num_beats = num_bars * style.beats_per_bar
    sections = _sections(form, num_bars)

    pickup_beats, silence_s = 0, 0.0
    start = rng.random()
    if start < 0.35:
        pickup_beats = int(rng.integers(1, style.beats_per_bar))
        silence_s = float(rng.uniform(0.02, 0.2))
    elif start < 0.65:
        silence_s = float(rng.uniform(0.05, 0.9))
    return Plan(
        style_name=style_name,
        key=key,
        tempo_bpm=tempo_bpm,
        swing=round(float(rng.uniform(*style.swing)), 3),
        lead_in_s=round(silence_s + pickup_beats * beat_s, 6),
        pickup_beats=pickup_beats,
        num_beats=num_beats,
        sections=sections,
        chords=_chords(style, key, sections, num_beats, rng),
    )


def _shuffled(count: int, *seed: int) -> list[int]:
    return [int(i) for i in np.random.default_rng(seed).permutation(count)]


def _sections(form: Form, num_bars: int) -> tuple[Section, ...]:
    """Share the bars out: by the form's weights, in whole phrases where the bars allow it."""
    total = sum(weight for _, weight in form)
    bars = [max(1, round(w * num_bars / total / PHRASE_BARS) * PHRASE_BARS) for _, w in form]
    while (missing := num_bars - sum(bars)) != 0:
        # A phrase where there is room for one; else a bar at the end, where it is a last chord.
        if missing > 0:
            bars[-1] += min(missing, PHRASE_BARS)
        else:
            longest = max(range(len(bars)), key=lambda i: (bars[i], i))
            bars[longest] -= min(-missing, PHRASE_BARS, bars[longest] - 1)
    sections, start = [], 0
    for (label, _), length in zip(form, bars, strict=True):
        sections.append(Section(label, start, length))
        start += length
    return tuple(sections)


def _chords(
    style: Style,
    key: Key,
    sections: tuple[Section, ...],
    num_beats: int,
    rng: np.random.Generator,
) -> tuple[ChordSpan, ...]:
    """Give verse, chorus and bridge a progression each; the song ends on its tonic."""
    pool = style.major if key.mode == "major" else style.minor
    order = rng.permutation(len(pool))
    verse, chorus, bridge = (pool[order[i % len(pool)]] for i in range(3))
    progressions = {"verse": verse, "intro": verse, "chorus": chorus, "bridge": bridge}
    progressions |= {"outro": chorus, "inst": verse}
    tonic = next(
        (n for p in pool for bar in p for n in bar.split() if chord(n, key).root == key.tonic),
        "I" if key.mode == "major" else "i",
    )
    meter, last_bar = style.beats_per_bar, sections[-1].end_bar - 1
    spans = []
    for section in sections:
        progression = progressions[section.label]
        for bar in range(section.start_bar, section.end_bar):
            numerals = progression[(bar - section.start_bar) % len(progression)].split()
            if bar == last_bar:
                numerals = [tonic]
            length = meter / len(numerals)
            for i, numeral in enumerate(numerals):
                start = bar * meter + i * length
                spans.append(ChordSpan(chord(numeral, key), start, min(start + length, num_beats)))
    return tuple(spans)
