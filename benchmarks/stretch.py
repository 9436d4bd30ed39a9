"""python -m benchmarks.stretch: how fast the stretch engines are, and how well they keep time.

One JSON line per engine, rate and move: seconds of audio per second of one core, and the timing
error of a 30 s track of clicks (matched by the correlation of their envelopes, in milliseconds).
Then, per engine, how many cents struck notes come out off pitch.
"""

from __future__ import annotations

import json
import time

import numpy as np
from scipy.signal import butter, sosfiltfilt

from mashnet.audio.stretch import BEATWISE_ENGINES, ENGINES, stretch
from mashnet.errors import ConfigError

DURATION_S = 30.0
MOVES = ((1.05, 0), (0.9, 0), (1.2, 0), (0.8, 0), (1.05, 3), (0.9, -3), (1.0, 3))


def click_track(sample_rate: int, duration_s: float = DURATION_S) -> tuple[np.ndarray, np.ndarray]:
    """Return clicks every half second, shape (1, samples), and their times in seconds."""
    times = np.arange(0.5, duration_s - 0.3, 0.5)
    samples = round(0.02 * sample_rate)
    decay = np.exp(-np.arange(samples) / (0.003 * sample_rate))
    click = 0.5 * np.random.default_rng(0).standard_normal(samples) * decay
    track = np.zeros((1, round(duration_s * sample_rate)), np.float32)
    for start in np.round(times * sample_rate).astype(int):
        track[0, start : start + samples] += click
    return track, times


def timing_errors_ms(
    before: np.ndarray, after: np.ndarray, sample_rate: int, times: np.ndarray, moved: np.ndarray
) -> np.ndarray:
    """Return how late each click at `times` of `before` is in `after`, where `moved` is asked."""
    smooth = butter(2, 100, fs=sample_rate, output="sos")
    old, new = (sosfiltfilt(smooth, np.abs(audio[0])) for audio in (before, after))
    half, reach = round(0.05 * sample_rate), round(0.02 * sample_rate)
    errors = []
    for source, target in zip(times, moved, strict=True):
        at, there = round(source * sample_rate), round(target * sample_rate)
        click = old[at - half : at + half]
        around = np.pad(new, half + reach)[there : there + 2 * (half + reach)]
        windows = np.lib.stride_tricks.sliding_window_view(around, 2 * half)
        match = windows @ click / np.maximum(np.linalg.norm(windows, axis=1), 1e-12)
        exact = (source - target) * sample_rate - (at - there)
        errors.append((int(match.argmax()) - reach + exact) / sample_rate * 1e3)
    return np.array(errors)


def tuning_errors_cents(engine: str, *, pitched: bool, sample_rate: int = 22050) -> np.ndarray:
    """Return how far struck notes are off after each of `MOVES`, shape (notes · moves,)."""
    time_s = np.arange(sample_rate) / sample_rate
    errors = []
    for hertz in 110.0 * 2 ** (np.arange(0, 24, 5) / 12):
        partials = sum(np.sin(2 * np.pi * hertz * k * time_s) / k for k in range(1, 9))
        note = 0.2 * partials * np.minimum(1, time_s / 0.01) * np.exp(-1.5 * time_s)
        notes = np.tile(note, 3).astype(np.float32)[None]
        for tempo_ratio, semitones in MOVES:
            moved = stretch(
                notes,
                sample_rate,
                tempo_ratio=tempo_ratio,
                semitones=semitones,
                engine=engine,
                pitched=pitched,
            )
            begin, end = (round(t / tempo_ratio * sample_rate) for t in (1.1, 1.9))
            middle = moved[0, begin:end] * np.hanning(end - begin)
            spectrum = np.abs(np.fft.rfft(middle, 1 << 19))
            found = np.fft.rfftfreq(1 << 19, 1 / sample_rate)
            wanted = hertz * 2 ** (semitones / 12)
            near = np.abs(np.log2(np.maximum(found, 1) / wanted)) < 1 / 12
            errors.append(1200 * np.log2(found[near][spectrum[near].argmax()] / wanted))
    return np.abs(errors)


def measure(engine: str, sample_rate: int, tempo_ratio: float, semitones: int) -> dict[str, object]:
    track, times = click_track(sample_rate)
    start = time.process_time(), time.perf_counter()
    moved = stretch(track, sample_rate, tempo_ratio=tempo_ratio, semitones=semitones, engine=engine)
    cpu_s, wall_s = time.process_time() - start[0], time.perf_counter() - start[1]
    errors = timing_errors_ms(track, moved, sample_rate, times, times / tempo_ratio)
    return {
        "engine": engine,
        "sample_rate": sample_rate,
        "tempo_ratio": tempo_ratio,
        "semitones": semitones,
        # The rubberband program's own time does not count as this process's.
        "audio_s_per_s": round(DURATION_S / (wall_s if engine == "rubberband" else cpu_s), 1),
        **_summary(errors, times),
    }


def _measure_beatwise(engine: str, sample_rate: int, semitones: int) -> dict[str, object]:
    track, times = click_track(sample_rate)
    wobble = np.random.default_rng(1).uniform(-0.02, 0.02, len(times))
    target = times / 1.1 + wobble
    end = track.shape[1]
    frames = [(0.0, 0.0), *zip(times * sample_rate, target * sample_rate, strict=True)]
    start = time.process_time(), time.perf_counter()
    moved = stretch(
        track,
        sample_rate,
        semitones=semitones,
        keyframes=[*frames, (end, round(end / 1.1))],
        engine=engine,
    )
    cpu_s, wall_s = time.process_time() - start[0], time.perf_counter() - start[1]
    errors = timing_errors_ms(track, moved, sample_rate, times, target)
    return {
        "engine": engine,
        "sample_rate": sample_rate,
        "tempo_ratio": "beatwise 1.1, ±20 ms",
        "semitones": semitones,
        "audio_s_per_s": round(DURATION_S / (wall_s if engine == "rubberband" else cpu_s), 1),
        **_summary(errors, times),
    }


def _summary(errors: np.ndarray, times: np.ndarray) -> dict[str, float]:
    return {
        "first_ms": round(float(errors[0]), 2),
        "median_ms": round(float(np.median(errors)), 2),
        "last_ms": round(float(errors[-1]), 2),
        "max_abs_ms": round(float(np.abs(errors).max()), 2),
        "drift_ms_per_s": round(float(np.polyfit(times, errors, 1)[0]), 4),
    }


def main() -> None:
    for engine in ENGINES:
        try:
            for sample_rate in (22050, 44100):
                for tempo_ratio, semitones in MOVES:
                    print(json.dumps(measure(engine, sample_rate, tempo_ratio, semitones)))
                if engine in BEATWISE_ENGINES:
                    for semitones in (0, 3):
                        print(json.dumps(_measure_beatwise(engine, sample_rate, semitones)))
            for pitched in (True, False):
                cents = tuning_errors_cents(engine, pitched=pitched)
                middle, most = (round(float(f(cents)), 1) for f in (np.median, np.max))
                line = {"engine": engine, "pitched": pitched}
                print(json.dumps({**line, "median_cents": middle, "max_cents": most}))
        except ConfigError as error:
            print(json.dumps({"engine": engine, "error": str(error)}))


if __name__ == "__main__":
    main()
