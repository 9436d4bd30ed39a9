"""Time-stretching and pitch-shifting: one interface to engines of two licences.

Conventions: audio is float32, shape (channels, samples). A tempo ratio multiplies the tempo: the
output of n samples has round(n / tempo_ratio) of them. A shift is in semitones, positive upwards.

| engine       | what it is                                  | key frames |
|--------------|---------------------------------------------|------------|
| pylibrb      | Rubber Band's finer engine (R3), in process | yes        |
| pylibrb_r2   | its faster engine (R2), in process          | yes        |
| pedalboard   | the faster engine as pedalboard wraps it    | no         |
| rubberband   | the finer engine of the rubberband program  | no         |
| signalsmith  | Signalsmith Stretch, in process             | no         |

Rubber Band is GPL and comes with the extra `render`; Signalsmith Stretch is MIT and always there.

Rubber Band's faster engine resets phases at onsets, which keeps drums crisp but puts notes off
pitch, by up to half a semitone; where there is pitch it is told not to, and onsets soften.
pedalboard's own default (its finer engine in real-time mode) drifts by more than a millisecond per
second and is not offered; the program's time map goes astray by tens of milliseconds and is not
used. `python -m benchmarks.stretch` measures speed, timing and tuning of them all.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from types import ModuleType

import numpy as np

from mashnet.errors import AudioError, ConfigError, require_one_of
from mashnet.extras import lacking

FREE_ENGINE = "signalsmith"  # needs no extra, and no GPL
ENGINES = ("pylibrb", "pylibrb_r2", "pedalboard", "rubberband", FREE_ENGINE)
BEATWISE_ENGINES = ("pylibrb", "pylibrb_r2")  # those that follow key frames
UNPITCHED_ENGINES = ("pylibrb_r2", "pedalboard")  # those that treat drums in another way
DEFAULT_ENGINE = "pylibrb"

KeyFrames = Sequence[tuple[float, float]]

_LEAST_SAMPLES = 4096  # shorter input is filled up with silence: engines emit nothing for a few


def stretch(
    audio: np.ndarray,
    sample_rate: int,
    *,
    tempo_ratio: float = 1.0,
    semitones: float = 0.0,
    keyframes: KeyFrames | None = None,
    engine: str = DEFAULT_ENGINE,
    pitched: bool = True,
    force: bool = False,
) -> np.ndarray:
    """Change tempo and pitch independently, in one pass.

    Args:
        audio: shape (channels, samples), finite.
        sample_rate: in Hz.
        tempo_ratio: output tempo over input tempo.
        semitones: shift in pitch; formants move along.
        keyframes: (input sample, output sample) pairs, both strictly increasing, from (0, 0) to
            (input length, output length); the tempo is constant between two of them. They stand
            in place of `tempo_ratio`.
        engine: one of `ENGINES`.
        pitched: False for drums; only `UNPITCHED_ENGINES` care.
        force: run the engine even where nothing would change, so that its traces are there.

    Returns:
        float32, shape (channels, round(samples / tempo_ratio)), or the last key frame's length.
        Where nothing changes and `force` is not set, the input itself.

    Raises:
        ConfigError: if the engine is unknown, not installed, or cannot follow key frames, or a
            ratio or the key frames make no sense.
        AudioError: if the audio is empty or not finite.
    """
    require_one_of("engine", engine, ENGINES)
    if audio.ndim != 2 or audio.shape[1] == 0:
        raise AudioError(f"nothing to stretch: audio of shape {audio.shape}")
    if not np.isfinite(audio).all():
        raise AudioError("cannot stretch samples that are not finite (NaN or infinity)")
    if not 0.1 <= tempo_ratio <= 10 or abs(semitones) > 36:
        raise ConfigError(f"cannot stretch to {tempo_ratio} times the tempo, {semitones} semitones")
    samples = audio.shape[1]
    if keyframes is not None:
        _check_keyframes(keyframes, samples, tempo_ratio, engine)
        length = round(keyframes[-1][1])
        unchanged = all(before == after for before, after in keyframes)
    else:
        length = round(samples / tempo_ratio)
        unchanged = tempo_ratio == 1.0
    audio = np.ascontiguousarray(audio, dtype=np.float32)
    if unchanged and semitones == 0 and not force:
        return audio

    missing = max(0, _LEAST_SAMPLES - samples)
    padded = np.pad(audio, ((0, 0), (0, missing)))
    if keyframes is not None:
        slope = length / samples
        beyond = [(samples + missing, length + missing * slope)] if missing else []
        frames = [*keyframes, *beyond]
        stretched = _rubber_band().by_keyframes(
            padded, sample_rate, frames, semitones, engine=engine, pitched=pitched
        )
    elif engine == FREE_ENGINE:
        from mashnet.audio import signalsmith

        stretched = signalsmith.steady(padded, sample_rate, tempo_ratio, semitones)
    else:
        require_installed(engine)
        stretched = _rubber_band().steady(
            padded, sample_rate, tempo_ratio, semitones, engine=engine, pitched=pitched
        )
    return _cut_to(stretched, length)


def default_engine() -> str:
    """Return the engine to take where none is named: Rubber Band's finer one, if it is there."""
    return DEFAULT_ENGINE if importlib.util.find_spec("pylibrb") else FREE_ENGINE


def require_beatwise(engine: str) -> None:
    """Raise a ConfigError if an engine cannot follow key frames."""
    if engine not in BEATWISE_ENGINES:
        raise ConfigError(
            f"engine {engine} cannot follow beats one by one (stretch=beatwise); "
            f"use {' or '.join(BEATWISE_ENGINES)}"
        )


def require_installed(engine: str) -> None:
    """Raise a ConfigError if an engine is unknown, or its package or program is missing."""
    require_one_of("engine", engine, ENGINES)
    if engine != FREE_ENGINE:
        _rubber_band()
    if engine == "rubberband" and shutil.which("rubberband") is None:
        raise ConfigError(
            "engine rubberband needs the rubberband program: apt install rubberband-cli "
            "(or use engine=pylibrb, which needs nothing)"
        )


def _rubber_band() -> ModuleType:
    try:
        from mashnet.audio import rubber_band
    except ModuleNotFoundError as error:
        raise lacking(error) or error from error
    return rubber_band


def _check_keyframes(keyframes: KeyFrames, samples: int, tempo_ratio: float, engine: str) -> None:
    require_beatwise(engine)
    points = np.asarray(keyframes, dtype=np.float64)
    if tempo_ratio != 1.0:
        raise ConfigError("key frames say how fast each stretch is: leave tempo_ratio at 1")
    if points.ndim != 2 or len(points) < 2 or tuple(points[0]) != (0, 0):
        raise ConfigError("key frames must begin with (0, 0) and have an end")
    if points[-1, 0] != samples:
        raise ConfigError(f"the last key frame is at {points[-1, 0]:g} of {samples} samples")
    if not (np.diff(points, axis=0) > 0).all():
        raise ConfigError("key frames must increase, in the input and in the output")


def _cut_to(audio: np.ndarray, length: int) -> np.ndarray:
    cut = audio[:, :length]
    return np.ascontiguousarray(np.pad(cut, ((0, 0), (0, length - cut.shape[1]))), dtype=np.float32)
