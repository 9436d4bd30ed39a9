"""Rubber Band in its three wrappings: the one file that calls it.

Conventions as in `mashnet.audio.stretch`, which checks what is asked before it comes here. All of
it is GPL (README, Licences).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

import numpy as np
import pedalboard
import pyrubberband
import soxr
from pylibrb import Option, RubberBandStretcher

from mashnet.errors import ConfigError

KeyFrames = Sequence[tuple[float, float]]

# The finer engine looks where it stands once per block: with 1024 samples it keeps time within
# about a millisecond, with 65536 it drifts by up to 20 ms in 30 s.
_BLOCK = 1024  # samples handed over at once
_KEYFRAME_BLOCK = 256  # samples between two settings of the ratio
_PULL_S = 0.3  # time in which an error against the key frames is taken back
# The faster engine renders an onset with the frame whose window it enters, half a window (23 ms)
# before the frame's centre, and keeps that distance unstretched: onsets come early by 23 ms times
# (effective stretch - 1). Measured on clicks, and the same at 22.05 and 44.1 kHz.
_R2_ONSET_LEAD_S = 0.023
_LEAST_CORRELATION = 0.1  # below it two channels are two sounds


def steady(
    audio: np.ndarray,
    sample_rate: int,
    tempo_ratio: float,
    semitones: float,
    *,
    engine: str,
    pitched: bool,
) -> np.ndarray:
    """Move all of a sound by one ratio; returns about as many samples as are wanted."""
    pitch_scale = 2.0 ** (semitones / 12)
    if engine == "rubberband":
        return _program(audio, sample_rate, tempo_ratio, semitones)
    if engine == "pylibrb":
        return _offline(audio, sample_rate, 1 / tempo_ratio, pitch_scale, Option.ENGINE_FINER)
    # Shifting inside Rubber Band costs four times as much as stretching further and playing
    # the result faster; that is what it does inside, too.
    slowed = tempo_ratio / pitch_scale
    if engine == "pylibrb_r2":
        stretched = _offline(audio, sample_rate, 1 / slowed, 1.0, _faster_engine(pitched))
    else:
        stretched = _pedalboard(audio, sample_rate, slowed, pitched)
    lead_s = _R2_ONSET_LEAD_S * (1 / slowed - 1)
    return _played_at(_delayed(stretched, round(lead_s * sample_rate)), pitch_scale)


def by_keyframes(
    audio: np.ndarray,
    sample_rate: int,
    keyframes: KeyFrames,
    semitones: float,
    *,
    engine: str,
    pitched: bool,
) -> np.ndarray:
    """Move a sound along key frames; returns about as many samples as are wanted."""
    pitch_scale = 2.0 ** (semitones / 12)
    if engine == "pylibrb":
        return _finer_by_keyframes(audio, sample_rate, keyframes, pitch_scale)
    slower = [(before, after * pitch_scale) for before, after in keyframes]
    return _played_at(_faster_by_keyframes(audio, sample_rate, slower, pitched), pitch_scale)


def _played_at(audio: np.ndarray, speed: float) -> np.ndarray:
    """Play a sound faster, which moves its pitch."""
    return audio if speed == 1.0 else soxr.resample(audio.T, speed, 1.0).T


def _options(channels: int, engine: Option, *, together: bool = True) -> Option:
    linked = Option.CHANNELS_TOGETHER if together and channels > 1 else Option.CHANNELS_APART
    return engine | Option.THREADING_NEVER | linked


def _related(audio: np.ndarray) -> bool:
    """Return whether the two channels of a stereo sound have something in common.

    The faster engine takes them as mid and side, which keeps a stereo picture (a correlation of
    0.67 stays 0.65; it becomes 0.20 where each channel goes its own way). Channels that have
    nothing to do with each other would be brought to the same level: 20 dB became 0.
    """
    if audio.shape[0] != 2:
        return False
    both = np.einsum("is,js->ij", audio, audio, dtype=np.float64)
    return bool(abs(both[0, 1]) > _LEAST_CORRELATION * np.sqrt(both[0, 0] * both[1, 1]))


def _faster_engine(pitched: bool) -> Option:
    onsets = Option.TRANSIENTS_SMOOTH if pitched else Option.TRANSIENTS_CRISP
    return Option.ENGINE_FASTER | onsets


def _offline(
    audio: np.ndarray, sample_rate: int, time_ratio: float, pitch_scale: float, engine: Option
) -> np.ndarray:
    channels, samples = audio.shape
    options = _options(channels, engine)
    stretcher = RubberBandStretcher(sample_rate, channels, options, time_ratio, pitch_scale)
    stretcher.set_expected_input_duration(samples)
    stretcher.set_max_process_size(_BLOCK)
    starts = range(0, samples, _BLOCK)
    for start in starts:
        block = np.ascontiguousarray(audio[:, start : start + _BLOCK])
        stretcher.study(block, start == starts[-1])
    out = [np.zeros((channels, 0), np.float32)]
    for start in starts:
        block = np.ascontiguousarray(audio[:, start : start + _BLOCK])
        stretcher.process(block, start == starts[-1])
        while stretcher.available() > 0:
            out.append(stretcher.retrieve_available())
    return np.concatenate(out, axis=1)


def _finer_by_keyframes(
    audio: np.ndarray, sample_rate: int, keyframes: KeyFrames, pitch_scale: float
) -> np.ndarray:
    """Follow key frames by setting the ratio anew before every block.

    pylibrb 0.1.2 has `set_keyframe_map`, but no way to make the map it takes. In real-time mode
    the ratio may change at any time; left alone the output drifts away, so each block's ratio is
    the slope the key frames ask for, corrected by where the output stands.
    """
    channels, samples = audio.shape
    source, target = np.asarray(keyframes, dtype=np.float64).T
    slopes = np.diff(target) / np.diff(source)
    options = _options(channels, Option.ENGINE_FINER | Option.PROCESS_REALTIME)
    stretcher = RubberBandStretcher(sample_rate, channels, options, slopes[0], pitch_scale)

    def ratio_at(centre: int, emitted: int) -> float | None:
        if not 0 <= centre < samples:
            return None
        here, ahead = np.interp([centre, centre + _KEYFRAME_BLOCK], source, target)
        slope = slopes[-1]
        if centre + _KEYFRAME_BLOCK <= samples:
            slope = (ahead - here) / _KEYFRAME_BLOCK
        # Output comes in hops: on average half of one, about this many samples, lies waiting.
        behind = here - emitted + _KEYFRAME_BLOCK * 0.45
        ratio = slope + behind / (_PULL_S * sample_rate)
        return float(np.clip(ratio, 0.7 * slope, 1.4 * slope))

    length = round(target[-1])
    return _in_real_time(stretcher, audio, sample_rate, length, _KEYFRAME_BLOCK, ratio_at)


def _faster_by_keyframes(
    audio: np.ndarray, sample_rate: int, keyframes: KeyFrames, pitched: bool
) -> np.ndarray:
    """Follow key frames with the faster engine, whose pitch stays as it is.

    One ratio from end to end passes pedalboard's build of the engine, which takes a third less
    time. Else the engine is in real-time mode, where it keeps its own account of how long the
    output should be by now, so that the slope of the key frames is all it has to be told: clicks
    come within a few milliseconds of where they belong.
    """
    channels, samples = audio.shape
    source, target = np.asarray(keyframes, dtype=np.float64).T
    slopes = np.diff(target) / np.diff(source)
    related = _related(audio)
    if len(slopes) == 1 and (channels == 1 or related):
        steady = _pedalboard(audio, sample_rate, 1 / float(slopes[0]), pitched)
        return _delayed(steady, round(_R2_ONSET_LEAD_S * (float(slopes[0]) - 1) * sample_rate))
    engine = _faster_engine(pitched) | Option.PROCESS_REALTIME
    options = _options(channels, engine, together=related)
    stretcher = RubberBandStretcher(sample_rate, channels, options, slopes[0], 1.0)

    def ratio_at(centre: int, _: int) -> float | None:
        if not 0 <= centre <= samples - _BLOCK:
            return None
        here, ahead = np.interp([centre, centre + _BLOCK], source, target)
        return float(ahead - here) / _BLOCK

    return _in_real_time(stretcher, audio, sample_rate, round(target[-1]), _BLOCK, ratio_at)


def _in_real_time(
    stretcher: RubberBandStretcher,
    audio: np.ndarray,
    sample_rate: int,
    length: int,
    block: int,
    ratio_at: Callable[[int, int], float | None],
) -> np.ndarray:
    """Feed a stretcher block by block, its ratio set anew before each.

    Args:
        stretcher: in real-time mode.
        audio: shape (channels, samples).
        sample_rate: in Hz.
        length: of the output that is waited for, in samples.
        block: how much is fed at once, in samples.
        ratio_at: from the input sample on which the next frame is centred, and the output samples
            that have come, to the ratio; None leaves it as it is.
    """
    channels, samples = audio.shape
    stretcher.set_max_process_size(block)
    # The first frame is centred on the first sample, half a window of silence before it; what the
    # engine emits before that centre is its delay, and is dropped at the end.
    lead = stretcher.get_preferred_start_pad()
    delay = stretcher.get_start_delay()
    longest = samples + 3 * lead + sample_rate
    fed, emitted = 0, 0
    out = [np.zeros((channels, 0), np.float32)]
    padded = np.pad(audio, ((0, 0), (lead, longest - samples)))
    while emitted < length + delay and fed < longest:
        ratio = ratio_at(fed - 2 * lead, emitted)
        if ratio is not None:
            stretcher.time_ratio = ratio
        stretcher.process(np.ascontiguousarray(padded[:, fed : fed + block]), False)
        fed += block
        while stretcher.available() > 0:
            out.append(stretcher.retrieve_available())
            emitted += out[-1].shape[1]
    return np.concatenate(out, axis=1)[:, delay:]


def _pedalboard(
    audio: np.ndarray, sample_rate: int, tempo_ratio: float, pitched: bool
) -> np.ndarray:
    return pedalboard.time_stretch(
        audio,
        float(sample_rate),
        stretch_factor=tempo_ratio,
        high_quality=False,
        transient_mode="smooth" if pitched else "crisp",
        preserve_formants=False,
    )


def _program(
    audio: np.ndarray, sample_rate: int, tempo_ratio: float, semitones: float
) -> np.ndarray:
    # It reads and writes 16-bit files, which clip: half scale leaves room for what stretching adds.
    gain = 0.5 / max(float(np.abs(audio).max()), 0.5)
    # pyrubberband does not call the program for a rate of exactly 1.
    rate = tempo_ratio if tempo_ratio != 1.0 else float(np.nextafter(1.0, 2.0))
    settings = {"--pitch": f"{semitones:g}", "--fine": ""}
    try:
        stretched = pyrubberband.time_stretch((audio * gain).T, sample_rate, rate, rbargs=settings)
    except subprocess.CalledProcessError as error:
        raise ConfigError(
            f"the rubberband program failed (exit status {error.returncode}); engine=rubberband "
            f"needs its version 3 or later"
        ) from error
    return np.asarray(stretched, dtype=np.float32).reshape(-1, audio.shape[0]).T / np.float32(gain)


def _delayed(audio: np.ndarray, samples: int) -> np.ndarray:
    if samples >= 0:
        return np.pad(audio, ((0, 0), (samples, 0)))
    return audio[:, -samples:]
