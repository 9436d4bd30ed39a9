"""Phrases: cut on bars, shifted, and counted anew at half and twice the tempo."""

import numpy as np
import pytest
import torch

from mashnet.audio.beat_features import PITCHES, STEPS, BeatFeatures
from mashnet.data.phrases.phrase import SidePhrases, chroma_of, joined
from mashnet.music.keys import Key


def side(bars=4, beats=4):
    numbers = torch.arange(bars * beats, dtype=torch.float32).view(bars, beats)
    return SidePhrases(
        numbers[..., None, None].expand(-1, -1, 12, 3).clone(),
        numbers[..., None, None].expand(-1, -1, 2, 12).clone(),
        numbers - 100,
    )


def test_phrases_begin_at_their_bars_and_some_beats_later():
    found = side().cut([0, 2], 2)
    assert found.level.tolist() == [
        [b - 100.0 for b in range(8)],
        [b - 100.0 for b in range(8, 16)],
    ]
    assert found.chroma[1, :, 0].tolist() == [b for b in range(8, 16) for _ in range(2)]
    assert found.bars == 2
    assert side().cut([1], 2, late=-1).level[0, 0] == 3 - 100
    for bars, late in (([3], 0), ([2], 1), ([0], -1)):
        with pytest.raises(IndexError):
            side().cut(bars, 2, late=late)


def test_a_shift_turns_pitch_classes_all_alike_or_each_by_its_own():
    phrases = joined([side().cut([0], 1), side().cut([1], 1)])
    phrases.chroma[...] = torch.arange(12.0)
    up = phrases.shifted(2)
    assert up.chroma[0, 0].tolist() == [10, 11, *range(10)]  # what was on C is on D
    each = phrases.shifted(torch.tensor([2, -1]))
    torch.testing.assert_close(each.chroma[0], up.chroma[0])
    torch.testing.assert_close(each.chroma[1], phrases.shifted(-1).chroma[1])
    torch.testing.assert_close(each.onsets, phrases.onsets)


def test_at_half_time_a_beat_is_two_and_back():
    phrase = side().cut([0], 2)
    slow = phrase.at_level(2.0)
    assert (slow.bars, slow.level.shape, slow.chroma.shape) == (4, (1, 16), (1, 32, 12))
    assert slow.level[0, :4].tolist() == [-100, -100, -99, -99]
    back = slow.at_level(0.5)
    torch.testing.assert_close(back.level, phrase.level)
    torch.testing.assert_close(back.chroma, phrase.chroma)
    torch.testing.assert_close(back.onsets, phrase.onsets)
    assert phrase.at_level(1.0) is phrase


def test_onsets_keep_their_moment_when_beats_are_halved():
    phrase = side().cut([0], 1)
    phrase.onsets[...] = 0
    phrase.onsets[0, 1, 6] = 1.0  # the middle of beat 1
    slow = phrase.at_level(2.0).onsets[0, :, :, 0]
    assert slow.nonzero().tolist() == [[3, 0], [3, 1]]  # now the beginning of beat 3


def test_three_bars_have_no_half_and_other_levels_are_none():
    with pytest.raises(ValueError, match="3 bars"):
        side().cut([0], 3).at_level(0.5)
    with pytest.raises(ValueError):
        side().cut([0], 2).at_level(1.5)


def test_chroma_folds_octaves_and_leaves_out_what_lies_between():
    pitches = torch.zeros(PITCHES)
    pitches[STEPS * 9] = 1.0  # A2
    pitches[STEPS * (12 + 9)] = 2.0  # A3
    pitches[STEPS * 4 + 1] = 5.0  # half way between E and F
    assert chroma_of(pitches).tolist() == [0.0] * 9 + [3.0, 0.0, 0.0]


def test_the_tonic_of_the_relative_major_comes_first():
    features = BeatFeatures(
        torch.zeros(1, 1, 12, 3),
        torch.zeros(1, 1, 2, PITCHES),
        torch.zeros(1, 1),
        torch.zeros(1, 1),
    )
    features.pitches[..., 0] = 1.0  # a C
    places = {
        key: int(SidePhrases.of(features, key).chroma[0, 0, 0].argmax())
        for key in (Key(0, "major"), Key(9, "minor"), Key(7, "major"), None)
    }
    assert list(places.values()) == [0, 0, 5, 0]  # C is the fourth of G


def test_what_is_silent_for_most_of_a_phrase_does_not_sound():
    phrases = side().cut([0, 1], 1)
    phrases.level[0] = torch.tensor([-3.0, -3.0, -3.0, 0.0])
    phrases.level[1] = torch.tensor([-3.0, -3.0, 0.0, 0.0])
    assert phrases.sounding().tolist() == [False, True]
    assert np.isclose(float(phrases[1:].level.sum()), -6.0)
