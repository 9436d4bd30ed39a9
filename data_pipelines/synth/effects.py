"""What happens to a part after it is played: room, edges, level, resolution."""

from __future__ import annotations

import numpy as np
from scipy.signal import oaconvolve

from data_pipelines.synth.tones import SAMPLE_RATE, bandpass, clock_s, highpass

# FLAC spends about one bit a sample on each 6 dB above the rounding noise, so a corpus of this size
# keeps no more resolution than is heard: rounding noise stays this far below the part as a whole
# and below the sound of the moment, which hides it. What is quieter than that is exactly silent.
_NOISE_BELOW_PART_DB = 36.0
_NOISE_BELOW_MOMENT_DB = 28.0
_BLOCK_SAMPLES = 4096  # of libFLAC, which drops low bits that are zero throughout a block


def faded(audio: np.ndarray, attack_s: float, release_s: float) -> np.ndarray:
    """Return the audio with raised-cosine edges, so that it neither starts nor ends in a click."""
    result = audio.copy()
    attack = min(round(attack_s * SAMPLE_RATE), result.size // 2)
    release = min(round(release_s * SAMPLE_RATE), result.size - attack)
    if attack:
        result[:attack] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(attack) / attack)
    if release:
        result[-release:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, release + 1) / release)
    return result


def reverberated(
    audio: np.ndarray, rng: np.random.Generator, *, room_s: float, wet: float
) -> np.ndarray:
    """Add a room: decaying band-limited noise as impulse response, `room_s` to fall by 60 dB."""
    length = round(room_s * SAMPLE_RATE)
    noise = bandpass(rng.standard_normal(length), 200, 3500)
    response = noise * 10 ** (-3 * clock_s(length) / room_s)
    response *= wet / np.sqrt(np.sum(response**2))
    before = round(0.012 * SAMPLE_RATE)  # the first reflection comes later than the sound
    tail = oaconvolve(audio, response)[: audio.size - before]
    result = audio.copy()
    result[before:] += tail
    return result


def levelled(audio: np.ndarray, loudness_db: float) -> np.ndarray:
    """Remove rumble and scale to an RMS level (dB of full scale) over the sounding part."""
    audio = highpass(audio, 30.0)
    blocks = audio[: audio.size // 4410 * 4410].reshape(-1, 4410)
    power = (blocks**2).mean(axis=1)
    sounding = power > 1e-4 * power.max()
    return audio * (10 ** (loudness_db / 20) / np.sqrt(power[sounding].mean()))


def rounded(audio: np.ndarray) -> np.ndarray:
    """Return 16-bit samples (int16) of no more resolution than the part needs.

    In each block the samples are multiples of a power of two, chosen by the level of the part and
    of the block: quiet tails come out as exact zeros, and bits that are always zero cost nothing.
    """
    sounding = audio[np.abs(audio) > 1e-4]
    part_rms = np.sqrt(np.mean(sounding**2)) if sounding.size else 0.0
    blocks = np.pad(audio, (0, -audio.size % _BLOCK_SAMPLES)).reshape(-1, _BLOCK_SAMPLES) * 32767
    block_rms = np.sqrt((blocks**2).mean(axis=1, keepdims=True))
    noise = np.maximum(
        part_rms * 32767 * 10 ** (-_NOISE_BELOW_PART_DB / 20),
        block_rms * 10 ** (-_NOISE_BELOW_MOMENT_DB / 20),
    )
    # Rounding to multiples of a step makes noise of step / √12.
    step = 2.0 ** np.clip(np.floor(np.log2(np.maximum(noise * np.sqrt(12), 1))), 0, 9)
    top = np.floor(32767 / step)
    kept = np.clip(np.round(blocks / step), -top, top) * step
    return kept.ravel()[: audio.size].astype(np.int16)
