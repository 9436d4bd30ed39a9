"""The drum kits: each piece from sines, resonances and shaped noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_pipelines.synth.arrangement import Hit
from data_pipelines.synth.effects import faded
from data_pipelines.synth.plan import Plan
from data_pipelines.synth.tones import SAMPLE_RATE, bandpass, clock_s, lowpass

_TIMING_S = 0.0015  # standard deviation: the drums are the clock
_VARIANTS = 3  # renderings per piece, so that no two hits in a row are the same


@dataclass(frozen=True)
class Kit:
    """What makes a kit sound like itself."""

    kick_hz: float
    kick_s: float
    snare_hz: float
    snare_s: float
    snare_noise: float
    hat_s: float
    hat_hz: tuple[float, float]


KITS = {
    "electronic": Kit(50, 0.22, 190, 0.12, 0.6, 0.04, (6000, 7500)),
    "vintage": Kit(58, 0.18, 175, 0.14, 0.7, 0.035, (5000, 6500)),
    "rock": Kit(62, 0.16, 200, 0.16, 0.65, 0.045, (5500, 7000)),
    "latin": Kit(65, 0.14, 220, 0.10, 0.5, 0.025, (5500, 7000)),
    "breakbeat": Kit(60, 0.12, 230, 0.11, 0.7, 0.02, (5500, 7000)),
    "jazz": Kit(70, 0.14, 210, 0.12, 0.75, 0.03, (5000, 6500)),
}


def _sweep(low_hz: float, high_hz: float, fall_s: float, decay_s: float, n: int) -> np.ndarray:
    """A sine that falls from high to low: the skin of a drum."""
    time_s = clock_s(n)
    frequency_hz = low_hz + (high_hz - low_hz) * np.exp(-time_s / fall_s)
    return np.sin(2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE) * np.exp(-time_s / decay_s)


def _noise(
    n: int, low_hz: float, high_hz: float, decay_s: float, rng: np.random.Generator
) -> np.ndarray:
    noise = bandpass(rng.standard_normal(n), low_hz, high_hz) * np.exp(-clock_s(n) / decay_s)
    return noise / np.abs(noise).max()


def _metal(
    n: int, frequencies_hz: Sequence[float], decay_s: float, rng: np.random.Generator
) -> np.ndarray:
    """Inharmonic partials: cymbals, and everything else that rings without a pitch."""
    time_s = clock_s(n)
    phases = rng.uniform(0, 2 * np.pi, len(frequencies_hz))
    waves = [
        np.sin(2 * np.pi * f * time_s + p) for f, p in zip(frequencies_hz, phases, strict=True)
    ]
    return sum(waves, np.zeros(n)) / len(waves) * np.exp(-time_s / decay_s)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def drum_sound(piece: str, kit: Kit, rng: np.random.Generator) -> np.ndarray:
    """Render one hit of a piece of a kit, shape (samples,).

    Raises:
        ValueError: if there is no such piece.
    """
    if piece == "kick":
        n = _samples(2 * kit.kick_s)
        click = lowpass(_noise(n, 300, 3000, 0.004, rng), 4000)
        body = _sweep(kit.kick_hz, 4 * kit.kick_hz, 0.025, kit.kick_s, n)
        sound = 1.1 * body + 0.25 * click
    elif piece == "snare":
        n = _samples(1.6 * kit.snare_s)
        skin = _sweep(kit.snare_hz, 1.5 * kit.snare_hz, 0.02, 0.6 * kit.snare_s, n)
        wires = _noise(n, 800, 3500, 0.5 * kit.snare_s, rng)
        sound = 0.7 * skin + kit.snare_noise * wires
    elif piece == "clap":
        n = _samples(0.16)
        burst = _noise(n, 800, 2800, 0.05, rng)
        time_s = clock_s(n)
        hands = sum((np.exp(-((time_s - d) % 1.0) / 0.006) for d in (0, 0.011, 0.022)), np.zeros(n))
        sound = 1.3 * burst * np.clip(hands + np.exp(-time_s / 0.04), 0, 1)
    elif piece == "hat":
        n = _samples(2.5 * kit.hat_s)
        sound = 0.34 * _noise(n, *kit.hat_hz, kit.hat_s, rng)
    elif piece == "pedal_hat":
        sound = 0.3 * _noise(_samples(0.1), *kit.hat_hz, 0.02, rng)
    elif piece == "shaker":
        n = _samples(0.07)
        swell = np.sin(np.pi * np.arange(n) / n)
        sound = 0.3 * _noise(n, 4500, 6000, 0.05, rng) * swell
    elif piece == "ride":
        n = _samples(0.25)
        ring = _metal(n, (3140, 3890, 4730, 5560), 0.09, rng)
        sound = 0.35 * ring + 0.12 * _noise(n, 4000, 7000, 0.02, rng)
    elif piece == "crash":
        n = _samples(0.8)
        ring = _metal(n, (1890, 2530, 3370, 4210, 4990), 0.22, rng)
        sound = 0.4 * ring + 0.3 * _noise(n, 2500, 5000, 0.12, rng)
    elif piece == "rim":
        n = _samples(0.08)
        sound = 0.8 * _metal(n, (820, 1710), 0.012, rng) + 0.2 * _noise(n, 1500, 5000, 0.004, rng)
    elif piece == "stick":
        n = _samples(0.07)
        sound = 0.7 * _metal(n, (1350, 2480), 0.012, rng)
    elif piece in ("tom_high", "tom_low"):
        low = 140.0 if piece == "tom_high" else 95.0
        sound = 0.9 * _sweep(low, 1.4 * low, 0.05, 0.14, _samples(0.4))
    else:
        raise ValueError(f"no drum is called {piece!r}")
    return faded(sound, 0.0003, 0.25 * sound.size / SAMPLE_RATE)


def play_drums(
    plan: Plan, hits: Sequence[Hit], num_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Play hits on the kit of the song's style; returns shape (samples,)."""
    kit = KITS[plan.style.kit]
    audio = np.zeros(num_samples)
    sounds: dict[str, list[np.ndarray]] = {}
    for count, hit in enumerate(hits):
        if hit.piece not in sounds:
            sounds[hit.piece] = [drum_sound(hit.piece, kit, rng) for _ in range(_VARIANTS)]
        sound = sounds[hit.piece][count % _VARIANTS]
        jitter_s = float(np.clip(rng.normal(0, _TIMING_S), -2 * _TIMING_S, 2 * _TIMING_S))
        start = round(max(0.0, plan.seconds(hit.start_beats) + jitter_s) * SAMPLE_RATE)
        sound = sound[: max(0, num_samples - start)]
        force = hit.velocity * float(np.clip(rng.normal(1, 0.05), 0.88, 1.12))
        audio[start : start + sound.size] += force * sound
    return audio
