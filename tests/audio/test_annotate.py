import doctest
import importlib.metadata

import numpy as np
import pytest

from mashnet.audio.annotate import annotate
from mashnet.music.keys import Key

RATE_HZ = 22050


def click_and_chord(tempo_bpm: float, duration_s: float, first_s: float) -> np.ndarray:
    """Return a bar pattern of low and high clicks over a D major cadence, (1, samples)."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    beat_s = 60 / tempo_bpm
    beat = np.floor((time_s - first_s) / beat_s)
    since_s = (time_s - first_s) - beat * beat_s
    kick = np.sin(2 * np.pi * 60 * since_s) * np.exp(-25 * since_s) * (beat % 2 == 0)
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    snare = noise * np.exp(-40 * since_s) * (beat % 2 == 1)
    chords = np.array([[2, 6, 9], [7, 11, 14], [9, 13, 16], [2, 6, 9]])  # D G A D
    notes = chords[(beat // 4).astype(int) % 4]
    hz = 220 * 2 ** ((notes - 9) / 12)
    tones = np.sin(2 * np.pi * hz * time_s[:, None]).sum(axis=1) * np.exp(-1.5 * since_s)
    wave = (0.8 * kick + 0.3 * snare + 0.12 * tones) * (time_s >= first_s)
    return wave[None].astype(np.float32)


def test_finds_tempo_beats_downbeats_and_key_of_a_plain_groove():
    found = annotate(click_and_chord(132.0, 14.0, 0.3), RATE_HZ)
    # The median interval in 10 ms frames would read 133.3.
    assert found.tempo_bpm == pytest.approx(132.0, abs=0.3)
    truth = 0.3 + np.arange(len(found.beats)) * 60 / 132
    assert np.abs(np.array(found.beats) - truth).max() < 0.05
    assert set(found.downbeats) <= set(found.beats)
    assert found.beats_per_bar == 4
    assert found.key == Key(2, "major")
    assert 0 < found.key_confidence <= 1


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", [0, 1, 1000, 3 * RATE_HZ])
def test_silence_of_any_length_has_no_beats_and_no_key(channels, samples):
    found = annotate(np.zeros((channels, samples), np.float32), RATE_HZ)
    assert (found.tempo_bpm, found.beats, found.downbeats) == (0.0, (), ())
    assert found.key_confidence == 0.0


@pytest.mark.parametrize("duration_s", [0.05, 1.0, 2.0])
def test_sound_too_short_for_music_is_no_error(duration_s):
    noise = np.random.default_rng(1).standard_normal((1, round(duration_s * 44100)))
    found = annotate(0.1 * noise.astype(np.float32), 44100)
    assert np.isfinite(found.tempo_bpm)
    assert np.isfinite(found.key_confidence)
    assert all(0 <= beat <= duration_s for beat in found.beats)


def test_importing_the_tracker_leaves_the_process_as_it_was():
    annotate(np.random.default_rng(2).standard_normal((1, 4410)).astype(np.float32), 44100)
    assert doctest.OutputChecker.__module__ == "doctest"
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution("a distribution that nobody has")


def test_long_music_is_tracked_in_stretches_that_join_without_a_seam(monkeypatch):
    audio = click_and_chord(120.0, 14.0, 0.25)
    whole = annotate(audio, RATE_HZ)
    monkeypatch.setattr("mashnet.audio.annotate._STRETCH_S", 7.5)
    monkeypatch.setattr("mashnet.audio.annotate._OVERLAP_S", 2.5)
    joined = annotate(audio, RATE_HZ)
    assert len(joined.beats) == len(whole.beats)
    assert np.abs(np.array(joined.beats) - np.array(whole.beats)).max() <= 0.03
