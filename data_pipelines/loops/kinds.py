"""Whether a loop is drums, bass or something harmonic: by the stems it is made of, else by ear."""

from __future__ import annotations

import re

import numpy as np

from mashnet.audio.numba_imports import compiling_alone
from mashnet.audio.timbre import low_share, percussive_share
from mashnet.data.loops.loops import SAMPLE_RATE

with compiling_alone():
    import librosa.core.spectrum
    import librosa.util.utils


# Fixed on the bars of those songs of ../shared/corpus whose id hashes to an even number: the two
# cuts that a decision tree of these two shares chose first. Tests measure on the other songs.
_DRUMS_FROM = 0.48  # share of the magnitude that is percussive
_BASS_FROM = 0.44  # share of the magnitude that lies below 250 Hz
_N_FFT = 2048


def kind_of_stem(label: str, role: str) -> str | None:
    """Return the kind of what a stem plays, None where it is unknown or several at once.

    Args:
        label: what the source calls the stem.
        role: its role in mixes; "" where it has none, as accompaniments have.
    """
    if role == "percussion":
        return "drum"
    words = re.findall(r"[a-z]+", label.lower())
    if role == "" and not words:
        return None
    if any(word.startswith(("drum", "perc")) for word in words):
        return "drum"
    if any(word.startswith("bass") and word != "bassoon" for word in words):
        return "bass"
    return "harmonic" if role in ("vocal", "harmonic") else None


def kind_by_sound(samples: np.ndarray) -> str:
    """Return the kind of a bar by what it sounds like.

    Drums have most of their magnitude in upright strokes of the spectrogram (median filtering,
    Fitzgerald, DAFx 2010); of the others, a bass has much of it below 250 Hz. Silence is harmonic.

    Args:
        samples: mono at 44.1 kHz, shape (samples,), of any level.
    """
    magnitude = np.abs(librosa.stft(samples, n_fft=_N_FFT))
    if percussive_share(magnitude) > _DRUMS_FROM:
        return "drum"
    return "bass" if low_share(magnitude, SAMPLE_RATE) > _BASS_FROM else "harmonic"
