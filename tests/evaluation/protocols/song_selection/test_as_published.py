"""The notebooks' procedure: parts in turn, ten seconds of each, layers joined at random."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from mashnet.data.parts import ArrayPart
from mashnet.data.stems.frontend import StemFrontend
from mashnet.evaluation.protocols.song_selection.as_published import (
    interleaved_cosines,
    was_published,
)
from mashnet.evaluation.protocols.song_selection.measures import (
    correlations_as_published,
    pearson_in_other_orders,
)
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.songs import SongClip
from mashnet.models.published.mert import MertScorer
from mashnet.models.published.sound_embedding import SoundEmbeddingScorer
from mashnet.models.rules.random import RandomScorer

RATE = 1000


def moments(samples):
    return torch.tensor([samples.mean(), samples.std(), abs(samples).max()], dtype=torch.float32)


class Moments(SoundEmbeddingScorer):
    name = "clap"

    def __init__(self):
        super().__init__(StemFrontend(sample_rate=RATE, window_s=10.0), 3)

    def hear(self, samples):
        return moments(samples)


class Layers(MertScorer):
    """Three layers that are known, in place of a network."""

    def __init__(self):
        SoundEmbeddingScorer.__init__(self, StemFrontend(sample_rate=RATE, window_s=5.0), 3)

    def layers_of(self, samples):
        return torch.stack([moments(samples), moments(samples[::2]), moments(samples**2)])


def clips(count=3, *, ending=0.0):
    """Clips of 12 s whose last two seconds are `ending`."""
    generator = np.random.default_rng(0)
    found = []
    for index in range(count):
        waves = generator.uniform(-1, 1, (2, 12 * RATE)) + generator.uniform(-1, 1, (2, 1))
        waves[:, 10 * RATE :] = ending
        vocal, music = (ArrayPart(wave.astype(np.float32), RATE) for wave in waves)
        found.append(
            SongClip(f"c{index}", f"s{index}", "", {"vocal": vocal}, {"harmonic": music}, 12.0)
        )
    return found


def test_parts_stand_in_turn_and_ten_seconds_are_heard():
    found = interleaved_cosines(Moments(), clips(), seed=0)
    waves = [next(iter(g.values())).samples for c in clips() for g in (c.vocal, c.music)]
    vectors = torch.stack([moments(wave[: 10 * RATE]) for wave in waves])
    expected = functional.cosine_similarity(vectors[:, None], vectors[None], dim=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found, interleaved_cosines(Moments(), clips(ending=0.9), seed=0))


def test_equal_parts_are_not_equal_under_random_weights():
    same = [clips(1)[0]] * 3
    cosines = interleaved_cosines(Layers(), same, seed=0)
    assert np.diag(cosines) == pytest.approx(np.ones(6))
    assert abs(cosines[0, 2] - 1) > 0.01  # the vocal, heard twice
    np.testing.assert_array_equal(cosines, interleaved_cosines(Layers(), same, seed=0))
    assert not np.allclose(cosines, interleaved_cosines(Layers(), same, seed=1))


def test_the_published_figure_depends_on_the_order_of_the_songs():
    generator = np.random.default_rng(0)
    cosines, judged = generator.standard_normal((16, 16)), generator.standard_normal((8, 8))
    found = correlations_as_published("mert", cosines, judged)["pearson_as_published"]
    assert found.value == pytest.approx(np.corrcoef(cosines[:8, 8:].ravel(), judged.ravel())[0, 1])
    assert np.isnan(found.low)
    low, high = pearson_in_other_orders("mert", cosines, judged, Bootstrap(num_resamples=200))
    # 64 unrelated cells: a standard deviation of about 1 / 8.
    assert -0.45 < low < -0.1
    assert 0.1 < high < 0.45


def test_who_was_compared_so():
    assert was_published(Moments())
    assert was_published(Layers())
    assert not was_published(RandomScorer())
