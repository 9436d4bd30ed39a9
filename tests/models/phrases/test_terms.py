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
    same = {"change", "onset", "onset_band", "rhythm", "form", "form_half", "form_onset"}
    assert all((value > 0.999) == (term in same) for term, value in found.items())


def test_form_is_what_repeats_whatever_it_is():
    """A B A B in other pitches, at another rhythm, is the same form; A B B A is not."""

    def of(order, seed):
        bars = phrase(seed, bars=4)
        one, other = bars.chroma[:, :8], bars.chroma[:, 8:16]
        beats = bars.onsets[:, :4], bars.onsets[:, 4:8]
        chroma = torch.cat([(one, other)[i] for i in order], 1)
        onsets = torch.cat([beats[i] for i in order], 1)
        return Phrases(onsets, chroma, bars.level, 4)

    alike = products(of((0, 1, 0, 1), 1), of((0, 1, 0, 1), 2))
    unlike = products(of((0, 1, 0, 1), 1), of((0, 1, 1, 0), 2))
    for term in ("form", "form_onset"):
        assert alike[term] == pytest.approx(1.0, abs=1e-4)
        assert unlike[term] < 0
    assert abs(alike["harmony"]) < 0.3


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


def test_what_leads_have_in_common_is_half_left_out():
    network = PlaceNet(lengths=[4])
    leads, backing = phrase(1, n=3), phrase(2)
    plain = network.lead(leads) @ network.backing(backing).T
    common = torch.cat(vectors_of(leads), 1).mean(0)
    network.common_4.copy_(common)
    weights = torch.tensor(list(START.values()))
    sizes = [v.shape[1] for v in vectors_of(leads)]
    half = (
        0.5 * (common * weights.repeat_interleave(torch.tensor(sizes))) @ network.backing(backing).T
    )
    torch.testing.assert_close(network.lead(leads) @ network.backing(backing).T, plain - half)
    longer = phrase(1, bars=8)
    torch.testing.assert_close(network.lead(longer), PlaceNet(lengths=[]).lead(longer))


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
