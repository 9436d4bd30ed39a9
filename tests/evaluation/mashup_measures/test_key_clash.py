"""Chords that fit, chords that do not, and songs against themselves at another pitch."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mashnet.audio.io import read_audio
from mashnet.audio.stretch import stretch
from mashnet.evaluation.mashup_measures.key_clash import clashing_share, key_clash
from tests.triads import triads

RATE = 16_000
CHORDS_S = np.arange(0.0, 10.0, 0.5)


def chord(tonic: int) -> np.ndarray:
    return triads(CHORDS_S, tonic).samples


@pytest.mark.parametrize("tonic", [0, 3, 9])
@pytest.mark.parametrize("semitones", [0, 12, -12])
def test_the_same_chord_does_not_clash(tonic: int, semitones: int) -> None:
    assert key_clash(chord(tonic + semitones), chord(tonic), RATE) < 0.02


@pytest.mark.parametrize("semitones", [1, -1, 6, 11])
def test_a_chord_a_semitone_or_a_tritone_away_clashes_all_the_time(semitones: int) -> None:
    assert key_clash(chord(semitones), chord(0), RATE) > 0.98


def test_it_is_a_share_of_time() -> None:
    half = np.concatenate([chord(0)[: 5 * RATE], chord(1)[5 * RATE :]])
    assert key_clash(half, chord(0), RATE) == pytest.approx(0.5, abs=0.06)


def test_a_melody_of_the_chord_and_one_beside_it() -> None:
    time_s = np.arange(10 * RATE) / RATE

    def note(midi: int) -> np.ndarray:
        return (0.1 * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time_s)).astype("float32")

    for midi in (60, 64, 67, 76):  # C, E, G
        assert key_clash(note(midi), chord(0), RATE) < 0.02
    for midi in (61, 63, 66, 68):  # a semitone from one of them
        assert key_clash(note(midi), chord(0), RATE) > 0.98
    assert key_clash(note(69), chord(0), RATE) < 0.02  # A, the sixth


def test_a_common_detuning_is_no_clash() -> None:
    stretched = np.interp(np.arange(9 * RATE) * 2 ** (0.4 / 12), np.arange(10 * RATE), chord(0))
    detuned = stretched.astype(np.float32)
    assert key_clash(detuned, detuned, RATE) < 0.02


@pytest.mark.parametrize("seconds", [0.0, 0.3, 10.0])
def test_silence_and_next_to_nothing_have_no_clash(seconds: float) -> None:
    silent, chords = np.zeros(round(seconds * RATE), np.float32), chord(0)[: round(seconds * RATE)]
    assert np.isnan(key_clash(silent, chords, RATE)) and np.isnan(key_clash(chords, silent, RATE))


def test_layers_that_never_sound_together_have_no_clash() -> None:
    first, second = np.zeros((12, 4)), np.zeros((12, 4))
    first[0, :2] = 1
    second[1, 2:] = 1
    assert np.isnan(clashing_share(first, second))


@given(
    arrays.arrays(float, (12, 5), elements=st.floats(0, 1)),
    arrays.arrays(float, (12, 5), elements=st.floats(0, 1)),
    st.integers(0, 11),
)
def test_what_does_not_matter(voice: np.ndarray, music: np.ndarray, shift: int) -> None:
    share = clashing_share(voice, music)
    if np.isnan(share):
        return
    assert 0 <= share <= 1
    moved = clashing_share(np.roll(voice, shift, 0), np.roll(music, shift, 0))
    assert moved == pytest.approx(share)
    assert clashing_share(4 * voice, 4 * music) == pytest.approx(share)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("song", "voice", "music"),
    [
        ("midi-openmsx__be-sharp-bw-redfarn", "other", "bass"),
        ("lmms__alf42red-mauiwowi", "other", "bass"),
        ("lmms__settel-innerrecreation", "vocals", "other"),
    ],
)
def test_songs_clash_less_than_with_their_voice_at_another_pitch(
    corpus: Path, song: str, voice: str, music: str
) -> None:
    own, under = (
        read_audio(corpus / "songs" / song / f"{name}.ogg", sample_rate=RATE, duration_s=30)[0]
        for name in (voice, music)
    )
    ends = ((0, 0), (own.shape[1], own.shape[1]))
    no_collation = key_clash(own.mean(0), under.mean(0), RATE)
    for semitones in (1, -1, 6):
        moved = stretch(own, RATE, keyframes=ends, semitones=semitones, engine="pylibrb_r2")
        assert key_clash(moved.mean(0), under.mean(0), RATE) > no_collation + 0.15
