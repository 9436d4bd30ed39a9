"""Terms of two phrases: what each hears, and what it does not."""

import pytest
import torch

from mashnet.data.phrases.phrase import Phrases, joined
from mashnet.models.phrases.placenet import PlaceNet
from mashnet.models.phrases.terms import START, TERMS, vectors_of


def phrase(seed=0, bars=4, n=1):
    random = torch.Generator().manual_seed(seed)
    beats = 4 * bars
    return Phrases(
        torch.rand(n, beats, 12, 3, generator=random),
        torch.rand(n, 2 * beats, 12, generator=random),
        torch.zeros(n, beats),
        bars,
    )


def products(one, other):
    found = zip(vectors_of(one), vectors_of(other), strict=True)
    return {term: float(a[0] @ b[0]) for term, (a, b) in zip(TERMS, found, strict=True)}


def test_a_phrase_has_everything_in_common_with_itself():
    for term, value in products(phrase(), phrase()).items():
        assert value == pytest.approx(1.0, abs=1e-5), term


def test_what_is_moved_in_pitch_keeps_its_onsets_and_loses_its_harmony():
    found = products(phrase(), phrase().shifted(3))
    same = {"change", "onset", "onset_band", "rhythm"}
    assert all((value > 0.999) == (term in same) for term, value in found.items())


def test_what_lasts_counts_for_harmony_and_not_for_movement():
    held, other = phrase(1), phrase(2)
    for one in (held, other):
        one.chroma[...] *= 0.1
        one.chroma[..., 4] += 1.0
    found = products(held, other)
    assert found["harmony"] > 0.8
    assert found["key"] > 0.9
    assert abs(found["movement"]) < 0.2


def test_silence_has_nothing_in_common_with_anything():
    silent = phrase()
    silent = Phrases(0 * silent.onsets, 0 * silent.chroma, silent.level, silent.bars)
    assert set(products(silent, phrase()).values()) == {0.0}
    assert set(products(silent, silent).values()) == {0.0}


def test_a_new_network_weighs_terms_as_they_start():
    network = PlaceNet(channels=0)
    one, other = phrase(1), phrase(2)
    expected = sum(START[term] * value for term, value in products(one, other).items())
    score = (network.lead(one)[0] @ network.backing(other)[0]).item()
    assert score == pytest.approx(expected, abs=1e-4)


def test_moving_both_sides_alike_in_pitch_changes_no_score():
    network = PlaceNet(channels=4).eval()
    torch.nn.init.normal_(network.joint.out.weight)
    one, other = phrase(1), phrase(2)
    plain = network.correction(one, other)
    moved = network.correction(one.shifted(5), other.shifted(5))
    torch.testing.assert_close(plain, moved)
    vectors = network.lead(one) @ network.backing(other).T
    torch.testing.assert_close(
        vectors, network.lead(one.shifted(5)) @ network.backing(other.shifted(5)).T
    )
    assert not torch.allclose(plain, network.correction(one, other.shifted(5)))


def test_a_new_joint_head_corrects_nothing():
    network = PlaceNet(channels=4).eval()
    pair = joined([phrase(1), phrase(2)]), joined([phrase(3), phrase(4)])
    assert network.correction(*pair).tolist() == [0.0, 0.0]
    assert PlaceNet(channels=0).correction(*pair).tolist() == [0.0, 0.0]
