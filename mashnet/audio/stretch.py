"""The one file that calls Rubber Band: time-stretching and pitch-shifting in one pass.

Conventions: audio is float32, (channels, samples). A tempo ratio multiplies the tempo, so the
output has round(samples / ratio) samples. A shift is in semitones, positive upwards.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pedalboard
import pylibrb
import pyrubberband

from mashnet.errors import ConfigError, require_one_of

BLOCK_SAMPLES = 8192  # fed to Rubber Band at a time, which bounds its buffers
JOINT_S = 0.01  # neighbouring stretches of a warped signal are cross-faded over this time
CONTEXT_S = 0.2  # given to the engine on either side of a stretch, so that it never starts cold

Keyframes = Sequence[tuple[int, int]]
_Engine = Callable[[np.ndarray, int, float, float], np.ndarray]


def stretch(
    audio: np.ndarray,
    sample_rate: int,
    *,
    tempo_ratio: float = 1.0,
    semitones: float = 0.0,
    keyframes: Keyframes | None = None,
    engine: str = "pylibrb",
    force: bool = False,
) -> np.ndarray:
    """Change tempo and pitch of audio independently.

    Args:
        audio: (channels, samples).
        sample_rate: in Hz.
        tempo_ratio: output tempo / input tempo.
        semitones: pitch shift.
        keyframes: pairs (input sample, output sample), both strictly increasing, which replace
            `tempo_ratio`: each input sample named comes out at its output sample, with constant
            tempo in between; before the first pair and after the last the neighbouring tempo
            goes on. The output ends where the input does.
        engine: one of `ENGINES`.
        force: pass the engine even if nothing changes, to get its traces.

    Returns:
        (channels, output samples), float32; the input itself if nothing changes.

    Raises:
        ConfigError: if the engine is unknown or not installed.
        ValueError: if the ratio or the keyframes make no sense.
    """
    run = ENGINES[require_one_of("engine", engine, ENGINES)]
    audio = np.ascontiguousarray(audio, dtype=np.float32)
    if not 0.1 <= tempo_ratio <= 10:
        raise ValueError(f"tempo_ratio must lie in [0.1, 10], not {tempo_ratio}")
    if keyframes is not None:
        return _warp(audio, sample_rate, _complete(keyframes, audio.shape[1]), semitones, run)
    if tempo_ratio == 1.0 and semitones == 0 and not force:
        return audio
    length = round(audio.shape[1] / tempo_ratio)
    return _fit(run(audio, sample_rate, tempo_ratio, semitones), length)


def _fit(audio: np.ndarray, length: int) -> np.ndarray:
    """Cut or pad the few samples by which an engine misses the wanted length."""
    missing = max(0, length - audio.shape[1])
    return np.pad(audio, ((0, 0), (0, missing)))[:, :length].astype(np.float32, copy=False)


def _complete(keyframes: Keyframes, samples: int) -> list[tuple[int, int]]:
    """Extend keyframes to the start and the end of the input."""
    pairs = [(int(i), int(o)) for i, o in keyframes]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(pairs)]
    if not steps or any(i <= 0 or o <= 0 for i, o in steps):
        raise ValueError("keyframes must be at least two pairs, both sides strictly increasing")
    if pairs[0][0] < 0 or pairs[-1][0] > samples:
        raise ValueError("keyframes must lie within the input")
    if pairs[0][0] > 0:
        before = round(pairs[0][0] * steps[0][1] / steps[0][0])
        # What would come out before time zero is cut from the input instead.
        if before > pairs[0][1]:
            start = pairs[0][0] - round(pairs[0][1] * steps[0][0] / steps[0][1])
            if pairs[0][1] > 0:
                pairs.insert(0, (start, 0))
        else:
            pairs.insert(0, (0, pairs[0][1] - before))
    if pairs[-1][0] < samples:
        after = round((samples - pairs[-1][0]) * steps[-1][1] / steps[-1][0])
        if after > 0:
            pairs.append((samples, pairs[-1][1] + after))
    return pairs


def _warp(
    audio: np.ndarray,
    sample_rate: int,
    pairs: list[tuple[int, int]],
    semitones: float,
    run: _Engine,
) -> np.ndarray:
    """Stretch between keyframes one by one and join with short cross-fades.

    Rubber Band has a key-frame map of its own, but no Python binding can fill it (pylibrb 0.1.2
    exports the method without the map's type), so every engine is warped this way.
    """
    samples = audio.shape[1]
    context = round(CONTEXT_S * sample_rate)
    half = max(1, round(JOINT_S * sample_rate / 2))
    output = np.zeros((audio.shape[0], pairs[-1][1]), np.float32)
    for number, ((in_0, out_0), (in_1, out_1)) in enumerate(pairwise(pairs)):
        ratio = (in_1 - in_0) / (out_1 - out_0)
        start, stop = max(0, in_0 - context), min(samples, in_1 + context)
        piece = run(np.ascontiguousarray(audio[:, start:stop]), sample_rate, ratio, semitones)
        offset = round((in_0 - start) / ratio)  # where in_0 lies in the piece
        first, last = number == 0, number == len(pairs) - 2
        low = max(0, out_0 - (0 if first else half))
        high = min(output.shape[1], out_1 + (0 if last else half))
        positions = np.arange(low, high)
        gain = np.ones(len(positions))
        if not first:
            gain *= np.clip((positions - (out_0 - half) + 0.5) / (2 * half), 0, 1)
        if not last:
            gain *= np.clip(((out_1 + half) - positions - 0.5) / (2 * half), 0, 1)
        source = positions - out_0 + offset
        inside = (source >= 0) & (source < piece.shape[1])
        output[:, positions[inside]] += piece[:, source[inside]] * gain[inside].astype(np.float32)
    return output


def _pylibrb(option: pylibrb.Option) -> _Engine:
    def run(audio: np.ndarray, sample_rate: int, ratio: float, semitones: float) -> np.ndarray:
        channels, samples = audio.shape
        options = pylibrb.Option.PROCESS_OFFLINE | pylibrb.Option.THREADING_NEVER | option
        engine = pylibrb.RubberBandStretcher(
            sample_rate, channels, options, 1.0 / ratio, 2.0 ** (semitones / 12)
        )
        engine.set_expected_input_duration(samples)
        engine.set_max_process_size(BLOCK_SAMPLES)
        blocks = [
            np.ascontiguousarray(audio[:, i : i + BLOCK_SAMPLES])
            for i in range(0, samples, BLOCK_SAMPLES)
        ]
        for number, block in enumerate(blocks):
            engine.study(block, number == len(blocks) - 1)
        stretched = []
        for number, block in enumerate(blocks):
            engine.process(block, number == len(blocks) - 1)
            stretched.append(engine.retrieve_available())
        while engine.available() > 0:
            stretched.append(engine.retrieve_available())
        return np.concatenate(stretched, axis=1)

    return run


def _pedalboard(audio: np.ndarray, sample_rate: int, ratio: float, semitones: float) -> np.ndarray:
    # The default, high_quality=True, drifts by more than a millisecond per second.
    return pedalboard.time_stretch(
        audio,
        float(sample_rate),
        stretch_factor=ratio,
        pitch_shift_in_semitones=semitones,
        high_quality=False,
    )


def _rubberband(audio: np.ndarray, sample_rate: int, ratio: float, semitones: float) -> np.ndarray:
    if shutil.which("rubberband") is None:
        raise ConfigError(
            "engine=rubberband needs the rubberband program: apt install rubberband-cli "
            "(or use the default, engine=pylibrb)"
        )
    # pyrubberband passes 16-bit files, which clip above 1; a stretch can overshoot its input.
    scale = 0.5 / max(1e-9, float(np.abs(audio).max()))
    options = {"--fine": "", "--pitch": repr(float(semitones)), "--tempo": repr(float(ratio))}
    # pyrubberband returns the input untouched at rate 1; the tempo option passed beside wins.
    stretched = pyrubberband.time_stretch(audio.T * scale, sample_rate, 2.0, rbargs=options)
    return np.atleast_2d(stretched.T) / np.float32(scale)


ENGINES: dict[str, _Engine] = {
    "pylibrb": _pylibrb(pylibrb.Option.ENGINE_FINER),  # R3: the most exact
    "pylibrb_r2": _pylibrb(pylibrb.Option.ENGINE_FASTER),  # three times faster
    "pedalboard": _pedalboard,
    "rubberband": _rubberband,
}
