"""The pitched instruments: what one note of each sounds like, and how a part is played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from data_pipelines.synth.effects import faded
from data_pipelines.synth.melody import Note
from data_pipelines.synth.plan import Plan
from data_pipelines.synth.tones import (
    SAMPLE_RATE,
    clock_s,
    hertz,
    lowpass,
    modulated,
    oscillator,
    plucked_string,
    sawtooth_amplitudes,
    wavetable,
)

Tone = Callable[[float, int, np.random.Generator], np.ndarray]  # frequency_hz, samples, rng
_LONGEST_STRUCK_S = 2.2
_TIMING_S = 0.004  # standard deviation of the players' timing
_ATTACK_S = 0.004


@dataclass(frozen=True)
class Instrument:
    """How a note sounds. A struck one fades by itself, so one rendering serves every length."""

    tone: Tone
    release_s: float
    struck: bool
    drive: float = 0.0  # distortion of the whole part, 0: none
    attack_s: float = _ATTACK_S


def _decay(num_samples: int, time_s: float) -> np.ndarray:
    return np.exp(-clock_s(num_samples) / time_s)


def _blend(
    frequency_hz: float,
    num_samples: int,
    *,
    dark: float,
    bright: float,
    decay_s: float,
    highest_hz: float,
) -> np.ndarray:
    """Let a sawtooth go from bright to dark: a low-pass filter that closes on each note."""
    edge = sawtooth_amplitudes(frequency_hz, slope=bright, highest_hz=highest_hz)
    soft = sawtooth_amplitudes(frequency_hz, slope=dark, highest_hz=highest_hz)
    envelope = _decay(num_samples, decay_s)
    return envelope * oscillator(wavetable(edge), frequency_hz, num_samples) + (
        1 - envelope
    ) * oscillator(wavetable(soft), frequency_hz, num_samples)


def _synth_bass(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    tone = _blend(frequency_hz, n, dark=2.2, bright=1.1, decay_s=0.12, highest_hz=2500)
    return tone * (0.4 + 0.6 * _decay(n, 0.5))


def _sub_bass(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    tone = oscillator(wavetable((1.0, 0.45, 0.2, 0.08)), frequency_hz, n)
    return tone * (0.5 + 0.5 * _decay(n, 0.6))


def _reese_bass(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    table = wavetable(sawtooth_amplitudes(frequency_hz, slope=1.5, highest_hz=1500))
    low, high = frequency_hz * 2 ** (-7 / 1200), frequency_hz * 2 ** (7 / 1200)
    sub = oscillator(wavetable((1.0,)), frequency_hz, n)
    return 0.35 * (oscillator(table, low, n) + oscillator(table, high, n)) + 0.4 * sub


def _upright_bass(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    string = plucked_string(frequency_hz, n, rng, damping=0.994, brightness_hz=500)
    return lowpass(string, 900) * _decay(n, 0.5)


def _picked_bass(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    string = plucked_string(frequency_hz, n, rng, damping=0.995, brightness_hz=900)
    return lowpass(string, 1600) * _decay(n, 0.7)


def _organ(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    drawbars = wavetable((1.0, 0.8, 0.5, 0.3, 0.0, 0.15, 0.0, 0.15))
    return oscillator(drawbars, frequency_hz, n) * (0.7 + 0.3 * _decay(n, 0.15))


def _electric_piano(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    body = modulated(frequency_hz, n, ratio=1.0, index=0.9, index_decay_s=0.6)
    tine = modulated(frequency_hz, n, ratio=7.0, index=0.3, index_decay_s=0.08)
    return (0.75 * body + 0.25 * tine) * _decay(n, 0.9)


def _piano(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    tone = _blend(frequency_hz, n, dark=2.4, bright=1.3, decay_s=0.25, highest_hz=5000)
    return tone * (0.6 * _decay(n, 0.35) + 0.4 * _decay(n, 1.4))


def _pad(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    table = wavetable(sawtooth_amplitudes(frequency_hz, slope=1.7, highest_hz=3000))
    detuned = [frequency_hz * 2 ** (cents / 1200) for cents in (-6, 0, 7)]
    return sum((oscillator(table, f, n) for f in detuned), np.zeros(n)) / 3


def _clean_guitar(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    return plucked_string(frequency_hz, n, rng, damping=0.995, brightness_hz=3500)


def _nylon_guitar(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    string = plucked_string(frequency_hz, n, rng, damping=0.995, brightness_hz=1500)
    return string * _decay(n, 0.6)


def _distorted_guitar(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    string = plucked_string(frequency_hz, n, rng, damping=0.998, brightness_hz=1500)
    return string * _decay(n, 0.8)


def _vibrato(frequency_hz: float, n: int, *, depth_cents: float, rate_hz: float) -> np.ndarray:
    time_s = clock_s(n)
    growth = np.clip((time_s - 0.15) / 0.3, 0, 1)
    cents = depth_cents * growth * np.sin(2 * np.pi * rate_hz * time_s)
    return frequency_hz * 2 ** (cents / 1200)


def _lead_guitar(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    table = wavetable(sawtooth_amplitudes(frequency_hz, slope=1.2, highest_hz=4500))
    bent = _vibrato(frequency_hz, n, depth_cents=25, rate_hz=5.5)
    return oscillator(table, bent, n) * (0.5 + 0.5 * _decay(n, 0.7))


def _flute(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    blown = _vibrato(frequency_hz, n, depth_cents=14, rate_hz=4.8)
    return oscillator(wavetable((1.0, 0.35, 0.12, 0.04)), blown, n)


def _brass(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    bright = wavetable(sawtooth_amplitudes(frequency_hz, slope=0.9, highest_hz=4000))
    dark = wavetable(sawtooth_amplitudes(frequency_hz, slope=2.2, highest_hz=4000))
    blown = _vibrato(frequency_hz, n, depth_cents=10, rate_hz=5.0)
    opening = 0.6 * (1 - _decay(n, 0.06))
    return opening * oscillator(bright, blown, n) + (1 - opening) * oscillator(dark, blown, n)


def _pluck_synth(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    tone = _blend(frequency_hz, n, dark=2.5, bright=1.0, decay_s=0.08, highest_hz=6000)
    return tone * _decay(n, 0.35)


def _bell(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    return modulated(frequency_hz, n, ratio=3.5, index=1.2, index_decay_s=0.3) * _decay(n, 0.8)


def _vibraphone(frequency_hz: float, n: int, rng: np.random.Generator) -> np.ndarray:
    bar = modulated(frequency_hz, n, ratio=4.0, index=0.4, index_decay_s=0.12) * _decay(n, 1.1)
    return bar * (1 + 0.25 * np.sin(2 * np.pi * 5.5 * clock_s(n)))


INSTRUMENTS: dict[str, Instrument] = {
    "synth_bass": Instrument(_synth_bass, 0.03, struck=True),
    "sub_bass": Instrument(_sub_bass, 0.05, struck=True, attack_s=0.008),
    "reese_bass": Instrument(_reese_bass, 0.05, struck=False, attack_s=0.008),
    "upright_bass": Instrument(_upright_bass, 0.06, struck=True),
    "picked_bass": Instrument(_picked_bass, 0.03, struck=True),
    "organ": Instrument(_organ, 0.04, struck=False),
    "electric_piano": Instrument(_electric_piano, 0.12, struck=True),
    "piano": Instrument(_piano, 0.1, struck=True),
    "pad": Instrument(_pad, 0.25, struck=False, attack_s=0.12),
    "clean_guitar": Instrument(_clean_guitar, 0.04, struck=True),
    "nylon_guitar": Instrument(_nylon_guitar, 0.08, struck=True),
    "distorted_guitar": Instrument(_distorted_guitar, 0.04, struck=True, drive=1.2),
    "lead_guitar": Instrument(_lead_guitar, 0.05, struck=False, drive=1.5),
    "flute": Instrument(_flute, 0.06, struck=False, attack_s=0.04),
    "brass": Instrument(_brass, 0.06, struck=False, attack_s=0.03),
    "pluck_synth": Instrument(_pluck_synth, 0.08, struck=True),
    "bell": Instrument(_bell, 0.3, struck=True),
    "vibraphone": Instrument(_vibraphone, 0.3, struck=True),
}


def play(
    plan: Plan,
    notes: Sequence[Note],
    name: str,
    num_samples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Play notes on an instrument.

    Args:
        plan: the song, whose clock places the notes.
        notes: what to play.
        name: a key of `INSTRUMENTS`.
        num_samples: length of the result.
        rng: draws the players' small deviations in time and force.

    Returns:
        The part, shape (samples,), without room and at no particular level.
    """
    instrument = INSTRUMENTS[name]
    audio = np.zeros(num_samples)
    struck: dict[int, np.ndarray] = {}
    jitter_s = 0.0
    last_start: float | None = None
    for note in notes:
        if note.start_beats != last_start:  # the notes of a chord fall together
            jitter_s = float(np.clip(rng.normal(0, _TIMING_S), -2 * _TIMING_S, 2 * _TIMING_S))
            last_start = note.start_beats
        start_s = max(0.0, plan.seconds(note.start_beats) + jitter_s)
        end_s = plan.seconds(note.start_beats + note.length_beats) + instrument.release_s
        start = round(start_s * SAMPLE_RATE)
        length = min(round(max(end_s - start_s, 0.06) * SAMPLE_RATE), num_samples - start)
        if length <= 0:
            continue
        if instrument.struck:
            length = min(length, round(_LONGEST_STRUCK_S * SAMPLE_RATE))
            if note.pitch not in struck:
                whole = round(_LONGEST_STRUCK_S * SAMPLE_RATE)
                struck[note.pitch] = instrument.tone(hertz(note.pitch), whole, rng)
            tone = struck[note.pitch][:length]
        else:
            tone = instrument.tone(hertz(note.pitch), length, rng)
        force = note.velocity * float(np.clip(rng.normal(1, 0.06), 0.85, 1.15))
        audio[start : start + length] += force * faded(
            tone, instrument.attack_s, instrument.release_s
        )
    if instrument.drive:
        peak = np.abs(audio).max() or 1.0
        audio = np.tanh(instrument.drive * 2 * audio / peak)
        audio = lowpass(lowpass(audio, 3000), 3000)  # the loudspeaker of the amplifier
    return audio
