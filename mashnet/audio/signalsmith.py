"""Signalsmith Stretch (MIT): the engine that asks for no extra and no GPL.

Conventions as in `mashnet.audio.stretch`.
"""

from __future__ import annotations

import numpy as np
from python_stretch.Signalsmith import Stretch


def steady(audio: np.ndarray, sample_rate: int, tempo_ratio: float, semitones: float) -> np.ndarray:
    """Move all of a sound by one ratio; returns about as many samples as are wanted."""
    stretcher = Stretch()
    stretcher.preset(audio.shape[0], sample_rate)
    stretcher.timeFactor = tempo_ratio
    stretcher.setTransposeSemitones(float(semitones))
    return np.asarray(stretcher.process(audio), dtype=np.float32)
