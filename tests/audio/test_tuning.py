import numpy as np
import pytest
import soxr

from mashnet.audio.annotate import key_in_tune
from mashnet.audio.tuning import estimate_tuning, tuning_of_stems
from mashnet.music.tunings import SURE, Tuning, fold_cents

RATE = 22050


def chords(cents: float = 0.0, seconds: float = 8.0, rate: int = RATE) -> np.ndarray:
    """Return triads with six partials each, so many cents above A440; shape (1, samples)."""
    time_s = np.arange(round(seconds * rate)) / rate
    wave = np.zeros_like(time_s)
    for begin, root in enumerate((48, 53, 55, 50)):
        heard = (time_s >= 2 * begin) & (time_s < 2 * begin + 2)
        for note in (root, root + 4, root + 7, root + 12):
            hertz = 440 * 2 ** ((note - 69 + cents / 100) / 12)
            for partial in range(1, 7):
                tone = np.sin(2 * np.pi * partial * hertz * time_s + note * partial)
                wave += heard * tone / partial**1.5
    return (0.05 * wave[None]).astype(np.float32)


@pytest.mark.parametrize("cents", [-49, -30, -10, 0, 7, 20, 38, 50])
def test_the_tuning_of_chords_is_found(cents):
    found = estimate_tuning(chords(cents), RATE)
    assert abs(fold_cents(found.cents - cents)) < 2
    assert found.confidence > 2 * SURE


def test_a_recording_that_runs_faster_is_sharp_by_as_much():
    song = chords(4)
    faster = soxr.resample(song[0], RATE, RATE / 2 ** (33 / 1200))[None]
    moved = estimate_tuning(faster, RATE).cents - estimate_tuning(song, RATE).cents
    assert moved == pytest.approx(33, abs=1)


def test_neither_level_nor_channels_nor_rate_matter():
    song = chords(12)
    found = estimate_tuning(song, RATE)
    for other, rate in (
        (1e-3 * song, RATE),
        (np.repeat(song, 2, axis=0), RATE),
        (chords(12, rate=44100), 44100),
    ):
        again = estimate_tuning(other, rate)
        assert again.cents == pytest.approx(found.cents, abs=0.5)
        assert again.confidence == pytest.approx(found.confidence, abs=0.05)


def test_stems_are_heard_together():
    found = tuning_of_stems([chords(20), chords(20, seconds=3)], RATE)
    assert found.cents == pytest.approx(20, abs=2)


def test_noise_is_not_sure():
    noise = np.random.default_rng(0).standard_normal((1, 8 * RATE)).astype(np.float32)
    assert estimate_tuning(noise, RATE).confidence < SURE / 2


def test_a_free_glide_is_not_sure():
    time_s = np.arange(8 * RATE) / RATE
    glide = np.sin(2 * np.pi * np.cumsum(220 * 2 ** (time_s / 4)) / RATE)[None]
    assert estimate_tuning(glide.astype(np.float32), RATE).confidence < SURE


@pytest.mark.parametrize("samples", [0, 100])
def test_what_is_silent_or_too_short_has_none(samples):
    assert estimate_tuning(np.zeros((2, samples), np.float32), RATE) is None
    assert estimate_tuning(np.zeros((2, 5 * RATE), np.float32), RATE) is None
    assert tuning_of_stems([], RATE) is None


def test_a_key_is_named_relative_to_a_tuning_that_is_sure_and_far_off():
    for cents in (-45, 45):
        song = chords(cents, rate=44100)
        key, confidence = key_in_tune(song, 44100, estimate_tuning(song, 44100))
        assert str(key) == "C major" and confidence > 0.3
    song = chords(0, rate=44100)
    for tuning in (None, Tuning(10, 1.0), Tuning(45, SURE - 0.01)):
        assert key_in_tune(song, 44100, tuning) is None
