"""A whole song: composed, arranged, played, and known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_pipelines.synth.arrangement import arrange
from data_pipelines.synth.drums import play_drums
from data_pipelines.synth.effects import levelled, reverberated, rounded
from data_pipelines.synth.instruments import play
from data_pipelines.synth.plan import Plan, plan_song
from data_pipelines.synth.singer import draw_voice, sing
from data_pipelines.synth.tones import SAMPLE_RATE
from mashnet.music.keys import PITCH_NAMES, Key

ROLES = {
    "vocals": "vocal",
    "lead": "harmonic",
    "chords": "harmonic",
    "bass": "harmonic",
    "drums": "percussion",
}
# RMS level of each part where it sounds, and how much of the room it gets.
_LEVELS_DB = {"vocals": -20.0, "lead": -24.0, "chords": -25.0, "bass": -21.0, "drums": -20.0}
_WET = {"vocals": 0.16, "lead": 0.16, "chords": 0.0, "bass": 0.0, "drums": 0.0}
_TAIL_S = 0.4
_PEAK = 0.89  # of the mix


@dataclass(frozen=True)
class SectionTruth:
    """A section in seconds; a song's sections cover it without gaps."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class ChordTruth:
    """A chord in seconds: its numeral in the key and its pitch classes, root first."""

    start_s: float
    end_s: float
    numeral: str
    pitch_classes: tuple[int, ...]


@dataclass(frozen=True)
class Song:
    """Stems of one length, and what is true of them. Times are in seconds."""

    title: str
    style: str
    stems: dict[str, np.ndarray]  # name → float32 (samples,), exact 16-bit values
    labels: dict[str, str]
    sample_rate: int
    tempo_bpm: float
    beats: tuple[float, ...]
    downbeats: tuple[float, ...]
    beats_per_bar: int
    key: Key
    swing: float
    sections: tuple[SectionTruth, ...]
    chords: tuple[ChordTruth, ...]

    @property
    def duration_s(self) -> float:
        """Length of every stem."""
        return self.stems["drums"].size / self.sample_rate

    @property
    def mix(self) -> np.ndarray:
        """The sum of the stems, shape (samples,); its peak is below 1."""
        return np.stack(list(self.stems.values())).sum(axis=0, dtype=np.float32)


def synthesise_song(seed: int, index: int, *, whole: bool = False) -> Song:
    """Compose and play song number `index` of the corpus that `seed` names.

    A short song lasts about 26 s, a whole one 1.5 to 4 min. The result depends on nothing else:
    not on which songs were made before it, or where.
    """
    plan = plan_song(seed, index, whole=whole)
    rng = np.random.default_rng([seed, index, 1])
    voice = draw_voice(rng)
    score = arrange(plan, rng, voice.centre)
    n = round((plan.end_s + _TAIL_S) * SAMPLE_RATE)
    style = plan.style
    dry = {
        "vocals": sing(plan, score.vocals, voice, n, rng),
        "lead": play(plan, score.lead, style.lead[0], n, rng),
        "chords": play(plan, score.chords, style.chords[0], n, rng),
        "bass": play(plan, score.bass, style.bass[0], n, rng),
        "drums": play_drums(plan, score.drums, n, rng),
    }
    stems = {}
    for name, audio in dry.items():
        if _WET[name]:
            audio = reverberated(audio, rng, room_s=style.room_s, wet=_WET[name])
        balance_db = float(rng.uniform(-1.5, 1.5))
        stems[name] = levelled(audio, _LEVELS_DB[name] + balance_db)
    fade = np.minimum(1.0, np.arange(n)[::-1] / (0.3 * SAMPLE_RATE))
    peak = np.abs(np.sum(list(stems.values()), axis=0) * fade).max()
    gain = min(1.0, _PEAK / peak) * fade
    labels = {"vocals": "vocals", "drums": "drums"}
    labels |= {"bass": style.bass[1], "chords": style.chords[1], "lead": style.lead[1]}
    return Song(
        title=f"{plan.style_name} {index} in {PITCH_NAMES[plan.key.tonic]} {plan.key.mode}",
        style=plan.style_name,
        stems={
            k: (rounded(v * gain) / np.float32(32767)).astype(np.float32) for k, v in stems.items()
        },
        labels=labels,
        sample_rate=SAMPLE_RATE,
        tempo_bpm=plan.tempo_bpm,
        beats=tuple(plan.beats_s()),
        downbeats=tuple(plan.downbeats_s()),
        beats_per_bar=style.beats_per_bar,
        key=plan.key,
        swing=plan.swing,
        sections=_section_truth(plan, n / SAMPLE_RATE),
        chords=tuple(
            ChordTruth(
                round(plan.seconds(span.start_beats), 6),
                round(plan.seconds(span.end_beats), 6),
                span.chord.numeral,
                span.chord.pitch_classes,
            )
            for span in plan.chords
        ),
    )


def _section_truth(plan: Plan, duration_s: float) -> tuple[SectionTruth, ...]:
    meter = plan.style.beats_per_bar
    edges = [round(plan.seconds(s.start_bar * meter), 6) for s in plan.sections[1:]]
    starts, ends = [0.0, *edges], [*edges, duration_s]
    return tuple(
        SectionTruth(start, end, section.label)
        for start, end, section in zip(starts, ends, plan.sections, strict=True)
    )
