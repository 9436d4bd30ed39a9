"""Beat time: what is played at a moment of a beat is read there, whatever the tempo and the key."""

import numpy as np
import pytest
import torch

from mashnet.audio.beat_features import (
    MOMENTS,
    PITCHES,
    SAMPLE_RATE,
    STEPS,
    BeatFrontend,
)

LOUD = 0.3


def bars(count, beat_s, beats=4, start_s=0.0):
    grid = start_s + beat_s * (beats * np.arange(count)[:, None] + np.arange(beats + 1))
    return grid.astype(np.float64)


def tone(hertz, duration_s, strokes_s=None):
    time_s = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    wave = LOUD * np.sin(2 * np.pi * hertz * time_s)
    if strokes_s is not None:
        since = time_s[:, None] - np.asarray(strokes_s)
        wave *= np.exp(-12 * np.where(since >= 0, since, np.inf)).max(1)
    return torch.from_numpy(wave.astype(np.float32))[None]


def read(wave, times_s, cents=0.0):
    return BeatFrontend()(wave, wave, times_s, cents)


@pytest.mark.parametrize("beat_s", [0.4, 0.5, 0.7])
@pytest.mark.parametrize("moment", [0, 3, 6, 8])
def test_a_stroke_is_heard_at_its_moment_of_the_beat_at_any_tempo(beat_s, moment):
    strokes = beat_s * (np.arange(12) + moment / MOMENTS)
    found = read(tone(600.0, 12 * beat_s, strokes), bars(3, beat_s))
    middle = found.onsets[0, 1].mean(0)[:, 1]  # its band lies from 220 to 1760 Hz
    # The window of 64 ms begins to hear it a little early.
    assert int(middle.argmax()) in (moment, (moment - 1) % MOMENTS)
    assert float(middle[(moment + 6) % MOMENTS]) < 0.05 * float(middle.max())


def test_a_tone_is_read_in_its_half_semitone_and_tuning_is_taken_out():
    times = bars(2, 0.5)
    a4 = STEPS * (12 * 2 + 9)  # two octaves and nine semitones above C2
    assert int(read(tone(440.0, 4.0), times).pitches[0, 0, 1, 0].argmax()) == a4
    high = tone(440.0 * 2 ** (40 / 1200), 4.0)
    plain, tuned = (read(high, times, cents).pitches[0, 0, 1, 0] for cents in (0.0, 40.0))
    assert int(plain.argmax()) == a4 + 1  # 40 cents are nearer to half a semitone
    assert int(tuned.argmax()) == a4
    assert plain.shape == (PITCHES,)


def test_features_do_not_depend_on_the_level_of_the_recording():
    wave = tone(440.0, 4.0, 0.5 * np.arange(8))
    loud, soft = read(wave, bars(2, 0.5)), read(0.1 * wave, bars(2, 0.5))
    for one, other in ((loud.onsets, soft.onsets), (loud.pitches, soft.pitches)):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(loud.level, soft.level, atol=1e-4, rtol=1e-3)


def test_level_tells_where_it_is_silent():
    wave = tone(440.0, 4.0)
    wave[:, 2 * SAMPLE_RATE :] = 0
    level = read(wave, bars(2, 0.5)).level[0]
    assert float(level[0].min()) > -0.1
    assert float(level[1, 1:].max()) == -3.0


def test_silence_is_zeros_and_no_nan():
    found = read(torch.zeros(1, 4 * SAMPLE_RATE), bars(2, 0.5))
    assert not found.onsets.any()
    assert not found.pitches.any()
    assert bool((found.level == -3).all())
    assert not found.brightness.any()


def test_bars_that_are_not_whole_are_zeros_and_the_others_stay():
    times = bars(3, 0.5)
    wave = tone(440.0, 6.0, 0.5 * np.arange(12))
    whole = read(wave, times)
    times[1] = np.nan
    found = read(wave, times)
    for name in ("onsets", "pitches", "level", "brightness"):
        one, other = getattr(whole, name)[0], getattr(found, name)[0]
        assert not other[1].any()
        torch.testing.assert_close(one[[0, 2]], other[[0, 2]])


def test_sides_in_one_batch_are_read_as_alone():
    first, second = tone(440.0, 4.0), tone(330.0, 4.0, 0.5 * np.arange(8))
    both = read(torch.cat([first, second]), bars(2, 0.5))
    alone = read(second, bars(2, 0.5))
    torch.testing.assert_close(both.pitches[1:], alone.pitches)
    torch.testing.assert_close(both.onsets[1:], alone.onsets)


def test_beats_beyond_the_end_of_the_sound_are_silent():
    found = read(tone(440.0, 2.0), bars(3, 0.5))
    assert not found.onsets[0, 2].any()
    assert bool((found.level[0, 2] == -3).all())
