"""A singer without a throat: a glottal source through formants that move with the syllables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import istft, stft

from data_pipelines.synth.melody import Note
from data_pipelines.synth.plan import Plan
from data_pipelines.synth.tones import SAMPLE_RATE, clock_s, hertz, oscillator, wavetable

# Formant frequencies in Hz of a low voice, after the tables of Peterson and Barney (1952).
_VOWELS = {
    "a": (700, 1150, 2500, 3400),
    "e": (500, 1800, 2500, 3400),
    "i": (300, 2200, 2900, 3500),
    "o": (480, 850, 2450, 3300),
    "u": (330, 800, 2300, 3300),
}
_BANDWIDTHS_HZ = (90, 110, 170, 250)
_FORMANT_GAINS = (1.0, 0.6, 0.35, 0.2)
# Noise of the consonants: band in Hz, length in seconds, level.
_CONSONANTS = {
    "s": (4200, 7500, 0.075, 0.20),
    "sh": (2200, 5200, 0.075, 0.20),
    "t": (2500, 6000, 0.025, 0.25),
    "k": (1300, 3200, 0.03, 0.25),
    "h": (600, 2500, 0.06, 0.10),
}
_VOICED = ("m", "n", "l", "")  # begin softly, without noise
_FRAME, _HOP = 1024, 256
_GLIDE_S = 0.045


@dataclass(frozen=True)
class Voice:
    """Who sings."""

    centre: int  # MIDI pitch in the middle of the range
    formant_scale: float  # a shorter throat has higher formants
    tilt: float  # how fast the harmonics of the glottal pulse fall
    vibrato_hz: float
    vibrato_cents: float


def draw_voice(rng: np.random.Generator) -> Voice:
    """Draw a singer: low or high voice, and its habits."""
    high = rng.random() < 0.5
    return Voice(
        centre=int(rng.integers(64, 68) if high else rng.integers(54, 59)),
        formant_scale=float(rng.uniform(1.1, 1.2) if high else rng.uniform(0.95, 1.05)),
        tilt=float(rng.uniform(1.2, 1.5)),
        vibrato_hz=float(rng.uniform(4.8, 6.0)),
        vibrato_cents=float(rng.uniform(18, 38)),
    )


def _lyrics(notes: Sequence[Note], meter: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Give each note a syllable; the same place in a phrase tends to get the same one."""
    consonants = [*_CONSONANTS, *_VOICED]
    vowels = list(_VOWELS)
    words: dict[float, tuple[str, str]] = {}
    lyrics = []
    for note in notes:
        place = note.start_beats % (4 * meter)
        if place not in words or rng.random() < 0.25:
            words[place] = (
                consonants[rng.integers(len(consonants))],
                vowels[rng.integers(len(vowels))],
            )
        lyrics.append(words[place])
    return lyrics


def sing(
    plan: Plan, notes: Sequence[Note], voice: Voice, num_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Sing notes.

    Args:
        plan: the song, whose clock places the notes.
        notes: the melody; it never overlaps itself.
        voice: who sings.
        num_samples: length of the result.
        rng: draws the syllables and small deviations.

    Returns:
        The dry voice, shape (samples,).
    """
    frequency_hz = np.full(num_samples, hertz(voice.centre))
    vibrato = np.zeros(num_samples)
    loudness = np.zeros(num_samples)
    breath = np.zeros(num_samples)
    num_frames = num_samples // _HOP + 2
    formants = np.tile(np.array(_VOWELS["a"], dtype=float)[:, None], num_frames)
    for note, (consonant, vowel) in zip(
        notes, _lyrics(notes, plan.style.beats_per_bar, rng), strict=True
    ):
        late_s = float(np.clip(rng.normal(0.0, 0.006), -0.01, 0.012))
        start_s = max(0.0, plan.seconds(note.start_beats) + late_s)
        end_s = plan.seconds(note.start_beats + 0.96 * note.length_beats)
        start, end = round(start_s * SAMPLE_RATE), min(round(end_s * SAMPLE_RATE), num_samples)
        if end - start < 2000:
            continue
        length = end - start
        time_s = clock_s(length)
        frequency_hz[max(0, start - 800) :] = hertz(note.pitch)
        vibrato[start:end] = voice.vibrato_cents * np.clip((time_s - 0.25) / 0.3, 0, 1)
        attack_s = 0.06 if consonant in _VOICED else 0.03
        swell = np.minimum(time_s / attack_s, 1) * np.minimum(
            (length / SAMPLE_RATE - time_s) / 0.07, 1
        )
        loudness[start:end] = (
            note.velocity * swell * (0.8 + 0.2 * np.sin(np.pi * time_s / time_s[-1]))
        )
        formants[:, max(0, start // _HOP - 8) :] = np.array(_VOWELS[vowel])[:, None]
        if consonant in _CONSONANTS:
            _add_consonant(breath, consonant, start, note.velocity, rng)
    glide = round(_GLIDE_S * SAMPLE_RATE)
    drift = uniform_filter1d(rng.standard_normal(num_samples // 2000 + 2), 3)
    cents = vibrato * np.sin(2 * np.pi * voice.vibrato_hz * clock_s(num_samples))
    cents += 6 * np.interp(np.arange(num_samples), 2000 * np.arange(drift.size), drift)
    frequency_hz = 2 ** (uniform_filter1d(np.log2(frequency_hz), glide) + cents / 1200)
    harmonics = int(min(40, 15000 / frequency_hz.max()))
    pulse = wavetable(tuple(float(k**-voice.tilt) for k in range(1, harmonics + 1)))
    source = oscillator(pulse, frequency_hz, num_samples) * uniform_filter1d(loudness, 600)
    moving = uniform_filter1d(formants, 13, axis=1, mode="nearest") * voice.formant_scale
    return _evened(_throat(source, moving)) + breath


def _evened(voice: np.ndarray) -> np.ndarray:
    """Halve (in dB) how far notes stand out whose harmonics meet a formant, as singers do."""
    level = np.sqrt(np.maximum(uniform_filter1d(voice**2, 4410), 1e-18))
    usual = np.median(level[level > 0.05 * level.max()])
    return voice * np.clip(level / usual, 0.1, None) ** -0.5 * (level > 1e-3 * usual)


def _add_consonant(
    breath: np.ndarray, consonant: str, start: int, velocity: float, rng: np.random.Generator
) -> None:
    """Add a consonant's noise so that the vowel begins when it ends."""
    low_hz, high_hz, length_s, level = _CONSONANTS[consonant]
    length = round(length_s * SAMPLE_RATE)
    begin = start - round(0.7 * length)
    if begin < 0:
        return
    spectrum = np.fft.rfft(rng.standard_normal(length))
    bins_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    centre, width = (low_hz + high_hz) / 2, (high_hz - low_hz) / 2
    noise = np.fft.irfft(spectrum * np.exp(-(((bins_hz - centre) / width) ** 2)), length)
    noise *= np.hanning(length) * level * velocity / np.abs(noise).max()
    end = min(begin + length, breath.size)
    breath[begin:end] += noise[: end - begin]


def _throat(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Filter with formants that move: a short-time spectrum times their resonances.

    Args:
        source: glottal pulses, shape (samples,).
        formants: their frequencies in Hz, shape (4, frames), one frame per hop of 256 samples.
    """
    _, _, spectrum = stft(source, nperseg=_FRAME, noverlap=_FRAME - _HOP)
    frames = min(spectrum.shape[1], formants.shape[1])
    spectrum = spectrum[:, :frames]
    bins_hz = np.arange(_FRAME // 2 + 1)[:, None] * (SAMPLE_RATE / _FRAME)
    gain = np.zeros((bins_hz.size, frames))
    for centre_hz, width_hz, level in zip(formants, _BANDWIDTHS_HZ, _FORMANT_GAINS, strict=True):
        distance = (bins_hz - centre_hz[None, :frames]) / width_hz
        gain += level / (1 + distance**2) + 0.02 * level
    gain *= 1 / (1 + (bins_hz / 5000) ** 4)
    _, voice = istft(spectrum * gain, nperseg=_FRAME, noverlap=_FRAME - _HOP)
    result = np.zeros(source.size)
    count = min(source.size, voice.size)
    result[:count] = voice[:count]
    return result
