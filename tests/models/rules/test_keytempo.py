from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mashnet.audio.descriptors import chromagram, onset_strength
from mashnet.data.parts import ArrayPart
from mashnet.models.rules.keytempo import (
    KeytempoScorer,
    estimate_key,
    estimate_tempo_bpm,
    fifths_between,
)
from mashnet.music.keys import Key
from mashnet.scoring import EmbeddingScorer

RATE = 16_000
KEYS = st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"]))


def scale(tonic, mode="major", *, bpm=120.0, seconds=8.0, chords=True):
    """Triads on the first, fourth, fifth and first degree of a key, one per beat."""
    third = 4 if mode == "major" else 3
    times = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros_like(times)
    for beat, onset in enumerate(np.arange(0, seconds, 60 / bpm)):
        root = tonic + (0, 5, 7, 0)[beat % 4]
        third_here = 4 if root == tonic + 7 else third  # the dominant is major in both modes
        since = times - onset
        envelope = np.where(since >= 0, np.exp(-6 * np.maximum(since, 0)), 0)
        for step in (0, third_here, 7):
            out += envelope * np.sin(2 * np.pi * 261.63 * 2 ** ((root + step) / 12) * times)
    return (0.1 * out).astype(np.float32)


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("tonic", [0, 5, 9])
def test_keys_of_cadences_are_found(tonic, mode):
    assert estimate_key(chromagram(scale(tonic, mode)).mean(dim=1).numpy()) == Key(tonic, mode)


@pytest.mark.parametrize("bpm", [84.0, 100.0, 132.0])
def test_tempi_of_cadences_are_found(bpm):
    assert estimate_tempo_bpm(onset_strength(scale(0, bpm=bpm))) == pytest.approx(bpm, rel=0.01)


def test_fifths_by_hand():
    assert fifths_between(Key(0, "major"), Key(7, "major")) == 1
    assert fifths_between(Key(9, "minor"), Key(0, "major")) == 0  # relatives share their notes
    assert fifths_between(Key(0, "major"), Key(11, "major")) == 5
    assert fifths_between(Key(0, "major"), Key(6, "major")) == 6


@given(KEYS, KEYS, st.integers(-12, 12))
def test_distance_is_symmetric_and_ignores_common_transposition(first, second, semitones):
    distance = fifths_between(first, second)
    assert 0 <= distance <= 6
    assert fifths_between(second, first) == distance
    assert fifths_between(first.transposed(semitones), second.transposed(semitones)) == distance


def group(audio, role="harmonic"):
    return {role: ArrayPart(audio, RATE)}


def test_the_formula():
    scorer = KeytempoScorer()
    query = group(scale(0, bpm=100), "vocal")
    scores = scorer.score(
        query,
        [
            group(scale(0, bpm=100)),
            group(scale(7, bpm=100)),  # one fifth away
            group(scale(6, bpm=100)),  # six
            group(scale(0, bpm=120)),
            {"percussion": ArrayPart(scale(6, bpm=100), RATE)},  # has no key
        ],
    )
    ratio = np.log2(1.2)
    assert scores.numpy() == pytest.approx(
        [1.0, 1 - 1 / 12, 0.5, 0.5 + (1 - 2 * ratio) / 2, 0.75], abs=0.02
    )


def test_half_and_double_tempo_are_equal():
    scorer = KeytempoScorer()
    embeddings = torch.tensor([[0.0, np.log2(75)], [0.0, np.log2(150)], [0.0, np.log2(300)]])
    assert scorer.similarity(embeddings, embeddings).numpy() == pytest.approx(np.ones((3, 3)))


def test_silence_gives_one_half():
    scorer = KeytempoScorer()
    silent = group(np.zeros(RATE, dtype=np.float32))
    assert scorer.score(group(scale(0), "vocal"), [silent]).tolist() == [0.5]
    empty = group(np.zeros(0, dtype=np.float32))
    assert scorer.score(empty, [silent, empty]).tolist() == [0.5, 0.5]


def test_is_an_embedding_scorer():
    assert isinstance(KeytempoScorer(), EmbeddingScorer)
