import shutil

import numpy as np
import pytest

from benchmarks.stretch import click_track, timing_errors_ms, tuning_errors_cents
from mashnet.audio import stretch as module
from mashnet.audio.stretch import BEATWISE_ENGINES, ENGINES, require_installed, stretch
from mashnet.errors import AudioError, ConfigError

RATE = 22050
INSTALLED = [
    pytest.param(
        engine,
        marks=pytest.mark.skipif(
            engine == "rubberband" and shutil.which("rubberband") is None,
            reason="the rubberband program is not installed",
        ),
    )
    for engine in ENGINES
]
MOVES = [(0.9, 0), (1.2, 0), (1.05, 3), (1.0, -3)]


def sine(hertz: float, duration_s: float, rate: int = RATE) -> np.ndarray:
    time_s = np.arange(round(duration_s * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)[None]


def strongest_hz(audio: np.ndarray, rate: int = RATE) -> float:
    spectrum = np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1])))
    return float(spectrum.argmax() * rate / audio.shape[1])


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize(("tempo_ratio", "semitones"), MOVES)
def test_clicks_keep_time(engine: str, tempo_ratio: float, semitones: int) -> None:
    track, times = click_track(RATE)
    moved = stretch(
        track, RATE, tempo_ratio=tempo_ratio, semitones=semitones, engine=engine, pitched=False
    )
    assert moved.shape == (1, round(track.shape[1] / tempo_ratio))
    assert moved.dtype == np.float32
    errors = timing_errors_ms(track, moved, RATE, times, times / tempo_ratio)
    finer = engine in ("pylibrb", "rubberband")
    assert np.abs(errors).max() < 3
    assert abs(np.median(errors)) < (1 if finer else 2)
    drift_ms_per_s = abs(np.polyfit(times, errors, 1)[0])
    assert drift_ms_per_s < (0.02 if finer else 0.07)


@pytest.mark.parametrize("engine", BEATWISE_ENGINES)
@pytest.mark.parametrize(("ratio", "semitones"), [(0.85, 0), (1.0, 3), (1.15, -2)])
def test_clicks_follow_key_frames(ratio: float, semitones: int, engine: str) -> None:
    track, times = click_track(RATE)
    wanted = times / ratio + np.random.default_rng(1).uniform(-0.02, 0.02, len(times))
    end = track.shape[1], round(track.shape[1] / ratio)
    frames = [(0.0, 0.0), *zip(times * RATE, wanted * RATE, strict=True), end]
    moved = stretch(
        track, RATE, semitones=semitones, keyframes=frames, engine=engine, pitched=False
    )
    assert moved.shape == (1, end[1])
    errors = timing_errors_ms(track, moved, RATE, times, wanted)
    assert np.abs(errors).max() < 6
    assert abs(np.median(errors)) < 4


@pytest.mark.parametrize("engine", INSTALLED)
def test_pitch_moves_by_semitones_and_tempo_does_not_move_it(engine: str) -> None:
    for hertz in (220, 440, 660):
        tone = sine(hertz, 3)
        up = stretch(tone, RATE, semitones=3, engine=engine)
        assert strongest_hz(up) == pytest.approx(hertz * 2 ** (3 / 12), rel=0.005)
        slow = stretch(tone, RATE, tempo_ratio=0.8, engine=engine)
        assert strongest_hz(slow) == pytest.approx(hertz, rel=0.005)


@pytest.mark.parametrize("engine", ["pylibrb", "pylibrb_r2", "pedalboard"])
def test_struck_notes_stay_in_tune(engine: str) -> None:
    assert tuning_errors_cents(engine, pitched=True).max() < 3


def test_pitch_moves_along_key_frames() -> None:
    tone = sine(440, 3)
    frames = [(0, 0), (20000, 24000), (tone.shape[1], 72000)]
    up = stretch(tone, RATE, semitones=-2, keyframes=frames)
    assert strongest_hz(up) == pytest.approx(440 * 2 ** (-2 / 12), rel=0.005)


@pytest.mark.parametrize("engine", INSTALLED)
def test_silence_stays_silence(engine: str) -> None:
    silence = np.zeros((2, RATE), np.float32)
    moved = stretch(silence, RATE, tempo_ratio=1.1, semitones=1, engine=engine)
    assert moved.shape == (2, round(RATE / 1.1))
    assert np.abs(moved).max() < 1e-6


@pytest.mark.parametrize("engine", INSTALLED)
def test_peaks_above_full_scale_are_not_clipped(engine: str) -> None:
    tone = 5 * sine(220, 2)
    moved = stretch(tone, RATE, tempo_ratio=0.95, semitones=1, engine=engine)
    middle = moved[0, RATE // 2 : -RATE // 2]
    assert np.abs(middle).max() == pytest.approx(2.5, rel=0.1)


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("samples", [1, 100, 3000])
def test_short_audio_has_the_exact_length(engine: str, samples: int) -> None:
    noise = np.random.default_rng(0).standard_normal((1, samples)).astype(np.float32)
    moved = stretch(noise, RATE, tempo_ratio=0.9, semitones=2, engine=engine)
    assert moved.shape == (1, round(samples / 0.9))
    assert np.isfinite(moved).all()


def test_nothing_to_do_returns_the_input_unless_forced() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 20000)).astype(np.float32) / 5
    assert stretch(noise, RATE) is noise
    assert stretch(noise, RATE, keyframes=[(0, 0), (500, 500), (20000, 20000)]) is noise
    forced = stretch(noise, RATE, force=True)
    assert forced.shape == noise.shape
    assert not np.array_equal(forced, noise)


@pytest.mark.parametrize("engine", INSTALLED)
def test_same_input_same_bytes(engine: str) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 30000)).astype(np.float32) / 5
    once, again = (
        stretch(noise, RATE, tempo_ratio=1.07, semitones=-1, engine=engine) for _ in range(2)
    )
    assert once.tobytes() == again.tobytes()


def test_key_frames_give_the_same_bytes_again() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 30000)).astype(np.float32) / 5
    frames = [(0, 0), (10000, 11000), (30000, 29000)]
    once, again = (stretch(noise, RATE, keyframes=frames) for _ in range(2))
    assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - set(BEATWISE_ENGINES)))
def test_engines_without_key_frames_say_so(engine: str) -> None:
    with pytest.raises(ConfigError, match=f"{engine}.*beats.*pylibrb"):
        stretch(np.zeros((1, 100), np.float32), RATE, keyframes=[(0, 0), (100, 90)], engine=engine)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "pylibrp"}, "Did you mean 'pylibrb'"),
        ({"tempo_ratio": 0.0}, "0.0 times"),
        ({"semitones": 60}, "60 semitones"),
        ({"keyframes": [(5, 0), (100, 90)]}, "begin with"),
        ({"keyframes": [(0, 0), (90, 90)]}, "of 100 samples"),
        ({"keyframes": [(0, 0), (50, 95), (100, 90)]}, "must increase"),
        ({"keyframes": [(0, 0), (100, 90)], "tempo_ratio": 1.1}, "leave tempo_ratio"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        stretch(np.zeros((1, 100), np.float32), RATE, **settings)


@pytest.mark.parametrize("audio", [np.zeros((1, 0)), np.zeros(5), np.array([[0.0, np.nan]])])
def test_unusable_audio_is_refused(audio: np.ndarray) -> None:
    with pytest.raises(AudioError):
        stretch(audio.astype(np.float32), RATE, tempo_ratio=1.1)


def test_a_missing_program_names_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="apt install rubberband-cli"):
        require_installed("rubberband")
    with pytest.raises(ConfigError, match="apt install rubberband-cli"):
        stretch(np.zeros((1, 100), np.float32), RATE, tempo_ratio=1.1, engine="rubberband")


@pytest.mark.parametrize(("ratio", "semitones"), [(0.85, 0), (1.0, 3), (1.15, -2)])
def test_clicks_keep_time_along_one_ratio(ratio: float, semitones: int) -> None:
    track, times = click_track(RATE)
    end = track.shape[1], round(track.shape[1] / ratio)
    moved = stretch(
        track,
        RATE,
        semitones=semitones,
        keyframes=[(0, 0), end],
        engine="pylibrb_r2",
        pitched=False,
    )
    assert moved.shape == (1, end[1])
    errors = timing_errors_ms(track, moved, RATE, times, times / ratio)
    assert np.abs(errors).max() < 3
    assert abs(np.median(errors)) < 2


@pytest.mark.parametrize("steady", [True, False])
def test_stereo_pictures_stay(steady: bool) -> None:
    random = np.random.default_rng(0)
    middle, left, right = random.standard_normal((3, 4 * RATE)) / 10
    end = 4 * RATE, round(4.2 * RATE)
    frames = [(0, 0), end] if steady else [(0, 0), (2 * RATE, round(2.15 * RATE)), end]

    def moved(stereo: list[np.ndarray]) -> np.ndarray:
        audio = np.stack(stereo).astype(np.float32)
        return stretch(audio, RATE, keyframes=frames, engine="pylibrb_r2")[:, RATE : 3 * RATE]

    wide = moved([middle + left / 2, middle + right / 2])
    assert np.corrcoef(wide)[0, 1] == pytest.approx(0.8, abs=0.06)
    panned = moved([middle, middle / 4])
    assert np.abs(panned[0] - 4 * panned[1]).max() < 0.05
    unrelated = moved([left, right / 10])
    levels = np.sqrt((unrelated**2).mean(axis=1))
    assert levels[0] / levels[1] == pytest.approx(10, rel=0.1)
