"""Tests between systems, and Scorers against listeners: by hand, against scipy, on simulations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mashnet.evaluation.statistics import Bootstrap
from mashnet.listening.agreement import (
    ALL,
    COEFFICIENTS,
    WITHOUT_ORIGINALS,
    agreements,
    item_means,
)
from mashnet.listening.comparisons import (
    CLIPS,
    RATINGS,
    high_against_low,
    holm,
    mann_whitney,
    system_against_system,
    wilcoxon,
)
from tests.listening.study import Study, simulated

BOOTSTRAP = Bootstrap(num_resamples=50)


def small_study() -> Study:
    """Return three best clips with means 5, 4, 3.5 and two worst with 2, 3.75; two listeners."""
    study = Study()
    means = {"b1": (5, 5), "b2": (4, 4), "b3": (3, 4), "w1": (2, 2), "w2": (4, 3)}
    means["w2"] = (4, 4)  # ties with b2
    for item, (first, second) in means.items():
        study.add_item(item, ("net", "best" if item[0] == "b" else "worst"))
        study.rate("p", item, first)
        study.rate("q", item, second)
    return study


def test_mann_whitney_by_hand() -> None:
    found, missing = high_against_low(small_study().table)
    (few,) = missing  # 10 ways to choose 3 of 5
    assert few.why == "3 against 2 clips: p cannot fall below 0.20"
    clips = next(t for t in found if (t.scale, t.unit) == ("overall", CLIPS))
    # best 5, 4, 3.5 against worst 2, 4: wins 2 + 1 + 1 against w1 2, … pair by pair:
    # 5>2, 5>4, 4>2, 4=4 (½), 3.5>2, 3.5<4: U = 1 + 1 + 1 + ½ + 1 + 0 = 4.5 of 6.
    assert (clips.u, clips.n_high, clips.n_low) == (4.5, 3, 2)
    assert clips.superiority == pytest.approx(0.75)
    # Ranks: 2 → 1, 3.5 → 2, 4 and 4 → 3.5, 5 → 5; best 10.5. Of the 10 choices of three those with
    # at least as much are {5, 4, 4} = 12 and {5, 4, 3.5} twice = 10.5: p = 2 · 3/10.
    assert clips.p == pytest.approx(0.6) and clips.p_holm == pytest.approx(0.6)
    ratings = next(t for t in found if (t.scale, t.unit) == ("mean", RATINGS))
    # best 5,5,4,4,3,4 against worst 2,2,4,4: 2·6 wins over the 2s; against each 4: 2 wins, 3 ties.
    assert ratings.u == 12 + 2 * (2 + 1.5) and (ratings.n_high, ratings.n_low) == (6, 4)


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=5),
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_mann_whitney_is_scipys_also_with_ties(first: list[int], second: list[int]) -> None:
    found = mann_whitney(np.array(first), np.array(second))
    enumerated = stats.PermutationMethod(n_resamples=10**6)
    expected = stats.mannwhitneyu(first, second, method=enumerated)
    assert found == pytest.approx((expected.statistic, expected.pvalue))


def test_mann_whitney_of_many_and_of_few_that_are_all_apart() -> None:
    random = np.random.default_rng(0)
    for size in (6, 40):
        first, second = random.normal(0, 1, size), random.normal(0.5, 1, size)
        tested = stats.mannwhitneyu(first, second)
        assert mann_whitney(first, second) == pytest.approx((tested.statistic, tested.pvalue))
    # Three above three, of 20 choices two are as far apart; scipy's formula for ties says 0.077.
    assert mann_whitney(np.array([5, 5, 4.0]), np.array([2, 2, 1.0])) == (9, pytest.approx(0.1))


@given(st.lists(st.integers(-4, 4).filter(bool), min_size=2, max_size=8))
@settings(max_examples=25, deadline=None)
def test_wilcoxon_is_scipys_also_with_ties(differences: list[int]) -> None:
    found = wilcoxon(np.array([*differences, 0], float))
    enumerated = stats.PermutationMethod(n_resamples=10**6)
    expected = stats.wilcoxon(differences, method=enumerated)
    assert found == pytest.approx((expected.statistic, expected.pvalue))


def test_wilcoxon_by_hand_and_for_many() -> None:
    # |d| 1, 2, 3, 4 with one minus at rank 1: W = 1; of 16 signs 2 have a sum ≤ 1; p = 2·2/16.
    assert wilcoxon(np.array([-1.0, 2, 3, 4])) == (1, 0.25)
    many = np.random.default_rng(0).normal(0.3, 1, 40)
    tested = stats.wilcoxon(many)
    assert wilcoxon(many) == pytest.approx((tested.statistic, tested.pvalue))


def test_holm_by_hand() -> None:
    # Ascending 0.01, 0.03, 0.04 times 3, 2, 1: 0.03, 0.06, 0.04 → running maximum 0.03, 0.06, 0.06.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_systems_are_compared_by_means_of_participants() -> None:
    study = Study()
    for item, claim in (
        ("a1", ("a", "top")),
        ("a2", ("a", "top")),
        ("aw", ("a", "bottom")),
        ("b1", ("b", "")),
    ):
        study.add_item(item, claim)
    # Means of a: p 4.5, q 3, r 2; of b: 3, 3, 4. r did not hear a2, s heard only b.
    for person, item, value in (
        ("p", "a1", 5), ("p", "a2", 4), ("p", "b1", 3), ("p", "aw", 1),
        ("q", "a1", 3), ("q", "a2", 3), ("q", "b1", 3),
        ("r", "a1", 2), ("r", "b1", 4), ("s", "b1", 1),
    ):  # fmt: skip
        study.rate(person, item, value)
    found, missing = system_against_system(study.table, BOOTSTRAP)
    assert {(t.first, t.second) for t in found} == {("a top", "b")}  # not what a ranked lowest
    test = next(t for t in found if t.scale == "timbre")
    # Differences 1.5, 0, −2: ranks 1 and 2; W = 1; of four signs three have a sum ≥ 1 …: p = 1.
    assert (test.participants, test.statistic, test.p) == (3, 1, 1)
    # All ratings of p, q, r: a (5 + 4 + 3 + 3 + 2) / 5, b (3 + 3 + 4) / 3.
    assert test.difference.value == pytest.approx(17 / 5 - 10 / 3)
    assert any("cannot fall below 0.05" in one.why for one in missing)


def test_holm_counts_pairs_of_systems_within_a_scale() -> None:
    study = simulated(
        {("a", ""): 3.6, ("b", ""): 3.0, ("c", ""): 2.7}, participants=15, clips=4, seed=3
    )
    found, _ = system_against_system(study.table, BOOTSTRAP)
    of_scale = [t for t in found if t.scale == "rhythm"]
    assert len(of_scale) == 3
    assert [t.p_holm for t in of_scale] == pytest.approx(holm([t.p for t in of_scale]))


def test_correlations_are_scipys() -> None:
    study = simulated(
        {("original", "original"): 4.5, ("s", "best"): 3.0}, participants=5, clips=8, seed=0
    )
    found, missing = agreements(study.table, BOOTSTRAP)
    assert missing == []
    means = item_means(study.table)
    for one in found:
        chosen = means if one.clips == ALL else means.filter(~means["original"])
        scores = [study.items[item]["scores"][one.scorer] for item in chosen["item"]]
        rated = chosen[one.scale].to_numpy()
        test = {"pearson": stats.pearsonr, "spearman": stats.spearmanr,
                "kendall": stats.kendalltau}[one.measure]  # fmt: skip
        tested = test(scores, rated)
        assert one.value.value == pytest.approx(tested.statistic)
        if one.clips == ALL or one.measure == "kendall":
            assert one.p == pytest.approx(tested.pvalue)
        assert one.value.n == len(chosen) == (16 if one.clips == ALL else 8)
        assert one.value.low <= one.value.value <= one.value.high
    assert len(found) == 2 * 2 * 6 * 3


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-3, 3, width=16)), min_size=3, max_size=12))
@settings(max_examples=60, deadline=None)
def test_fast_coefficients_are_scipys(pairs: list[tuple[int, float]]) -> None:
    first, second = (np.array(side, float) for side in zip(*pairs, strict=True))
    expected = {
        "pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau
    }  # fmt: skip
    for name, coefficient in COEFFICIENTS.items():
        if np.ptp(first) == 0 or np.ptp(second) == 0:
            assert np.isnan(coefficient(first, second))
        elif np.ptp(second) > 1e-2:  # scipy itself warns of nearly constant input
            value = expected[name](first, second).statistic
            assert coefficient(first, second) == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("scores", [[1, 2, 3, 4, 5], [2, 1, 4, 4, 9], [5, 1, 3, 2, 4]])
def test_p_of_few_clips_is_exact(scores: list[float]) -> None:
    study = Study()
    for number, score in enumerate(scores, start=1):
        study.add_item(f"i{number}", ("s", "best"), scores={"scorer": score})
        study.rate("p", f"i{number}", number)
    found, _ = agreements(study.table, BOOTSTRAP)
    p = {one.measure: one.p for one in found if (one.clips, one.scale) == (ALL, "rhythm")}
    for name, test in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        enumerated = stats.permutation_test(
            (scores,),
            lambda x, test=test: abs(test(x, range(1, 6)).statistic),
            permutation_type="pairings",
            alternative="greater",
        )
        assert p[name] == pytest.approx(enumerated.pvalue)
    if scores == [1, 2, 3, 4, 5]:  # of 120 orders this one and its reverse
        assert p["spearman"] == pytest.approx(2 / 120)


def test_knowing_originals_only_is_found_out() -> None:
    # A Scorer that gives originals 1 and mashups noise: agrees over all clips, not without them.
    study = simulated(
        {("original", "original"): 4.6, ("s", "top"): 2.6}, participants=8, clips=15, seed=5
    )
    random = np.random.default_rng(0)
    for item, facts in study.items.items():
        facts["scores"] = {"spotter": float(item.startswith("original")) + 0.1 * random.random()}
    found, _ = agreements(study.table, Bootstrap(300))
    mean = {one.clips: one for one in found if (one.scale, one.measure) == ("mean", "spearman")}
    assert mean[ALL].value.low > 0.4 and mean[ALL].p < 0.001
    assert mean[WITHOUT_ORIGINALS].value.low < 0 < mean[WITHOUT_ORIGINALS].value.high


@pytest.mark.long  # the tests themselves are checked by hand-made ratings above
def test_a_real_effect_is_found() -> None:
    study = simulated(
        {
            ("net", "best"): 3.9,
            ("net", "worst"): 2.3,
            ("rule", "best"): 2.6,
            ("rule", "worst"): 2.6,
        },
        participants=12,
        clips=12,
        seed=7,
    )
    highs, _ = high_against_low(study.table)
    p = {(t.system, t.unit): t.p_holm for t in highs if t.scale == "mean"}
    assert p["net", CLIPS] < 0.001 < 0.05 < p["rule", CLIPS]
    systems, _ = system_against_system(study.table, Bootstrap(100))
    (test,) = (t for t in systems if t.scale == "mean")
    assert (test.first, test.second) == ("net best", "rule best")
    assert test.p_holm < 0.01 and test.difference.low > 0.3
    found, _ = agreements(study.table, Bootstrap(300))
    value = {
        o.scorer: o.value
        for o in found
        if (o.scale, o.measure, o.clips) == ("mean", "kendall", ALL)
    }
    assert value["knowing"].low > 0.5 and value["guessing"].low < 0.2


def test_no_effect_is_found_at_the_nominal_rate() -> None:
    # 100 studies in which best and worst, and both systems, are the same; listeners differ, and in
    # every other study clips do. At 5 %, 5 (of 50: 2.5) are expected or fewer, since ranks of four
    # against four clips have few values; 11 of 100 has a probability of 1 %, 7 of 50 one of 1 %.
    clips = ratings = wilcoxons = 0
    for seed in range(100):
        clips_differ = seed % 2 == 0
        same = simulated(
            {("net", "best"): 3.0, ("net", "worst"): 3.0, ("rule", ""): 3.0},
            participants=7,
            clips=4,
            seed=seed,
            of_clip=0.8 if clips_differ else 0.0,
        )
        p = {t.unit: t.p for t in high_against_low(same.table)[0] if t.scale == "mean"}
        clips += p[CLIPS] < 0.05
        if clips_differ:  # then ratings of one clip are alike, and a p that ignores it is wrong
            ratings += p[RATINGS] < 0.05
        else:  # Wilcoxon speaks of these clips: here none is better by luck
            tests, _ = system_against_system(same.table, Bootstrap(2))
            wilcoxons += next(t.p for t in tests if t.scale == "mean") < 0.05
    assert clips <= 10 and wilcoxons <= 6
    assert ratings >= 8  # of 50: over ratings, more of nothing is "significant" than should be


def test_what_cannot_be_computed_is_said() -> None:
    study = Study()
    study.add_item("a", ("net", "best"))
    study.add_item("b", ("other", ""))
    study.rate("p", "a", 3)
    study.rate("q", "b", 3)
    assert high_against_low(study.table)[1][0].why == "no ratings of its worst or bottom"
    found, missing = system_against_system(study.table, BOOTSTRAP)
    assert found == [] and missing[0].why == "no participant rated both"
    found, missing = agreements(study.table, BOOTSTRAP)
    assert found == [] and "no Scorer's scores" in missing[0].why
    for item in "ab":
        study.items[item]["scores"] = {"few": 1.0}
    assert (
        "2 rated clips have a score, 5 are needed" in agreements(study.table, BOOTSTRAP)[1][0].why
    )
    study.add_item("w", ("net", "worst"))
    study.rate("p", "w", 3)
    study.rate("p", "b", 3)
    whys = [one.why for one in high_against_low(study.table)[1][1:]]
    assert len(whys) == 12 and set(whys) == {
        "all clips have the same value",
        "all ratings have the same value",
    }
    study.add_item("c", ("other", ""), scores={"few": 1.0})
    study.rate("p", "c", 3)
    assert any(
        one.why == "no participant rated them differently"
        for one in system_against_system(study.table, BOOTSTRAP)[1]
    )
    for item in ("d", "e"):
        study.add_item(item, ("other", ""))
        study.rate("p", item, 3)
    for facts in study.items.values():
        facts["scores"] = {"few": 1.0}
    assert {o.why for o in agreements(study.table, BOOTSTRAP)[1]} == {
        "it gives all clips the same score"
    }
    study.items["c"]["scores"]["few"] = 2.0
    assert {o.why for o in agreements(study.table, BOOTSTRAP)[1]} == {
        "all clips are rated the same"
    }
