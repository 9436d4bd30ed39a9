"""Channel layouts: anything down to mono or stereo."""

from __future__ import annotations

import numpy as np

_HALF_POWER = 0.5**0.5
# Weights (left, right) per channel in the order of WAVE files; the low-frequency channel is
# left out, centre and surrounds are 3 dB down (ITU-R BS.775).
_L, _R = (1.0, 0.0), (0.0, 1.0)
_C, _LFE = (_HALF_POWER, _HALF_POWER), (0.0, 0.0)
_SL, _SR = (_HALF_POWER, 0.0), (0.0, _HALF_POWER)
_LAYOUTS = {
    3: (_L, _R, _C),
    4: (_L, _R, _SL, _SR),
    5: (_L, _R, _C, _SL, _SR),
    6: (_L, _R, _C, _LFE, _SL, _SR),
    8: (_L, _R, _C, _LFE, _SL, _SR, _SL, _SR),
}


def mono_or_stereo(audio: np.ndarray) -> np.ndarray:
    """Return one or two channels as they are, and more than two mixed down to stereo.

    3 to 6 and 8 channels are taken for L R C, quadraphonic, 5.0, 5.1 and 7.1; of any other
    number the odd ones go left and the even ones right. Weights add up to 1 per side, so that the
    result never exceeds the input's peak.

    Args:
        audio: shape (channels, samples).

    Returns:
        Shape (1 or 2, samples).
    """
    channels = audio.shape[0]
    if channels <= 2:
        return audio
    layout = _LAYOUTS.get(channels, tuple(_R if i % 2 else _L for i in range(channels)))
    weights = np.array(layout, dtype=np.float32).T
    return (weights / weights.sum(axis=1, keepdims=True)) @ audio
