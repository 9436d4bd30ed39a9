"""Means, alpha and the table behind them: numbers by hand, and listeners that were made up."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.statistics import Bootstrap
from mashnet.listening.measures import alpha, by_heard, cronbach, mean_opinions
from mashnet.listening.pigeonhole_bootstrap import difference_of, mean_of
from mashnet.listening.ratings import Rating
from mashnet.listening.table import judged, with_scores
from tests.listening.study import Study, simulated

BOOTSTRAP = Bootstrap(num_resamples=400)


def test_alpha_by_hand() -> None:
    # Variances (n − 1): 5/3 and 11/12·… written out: a = 1,2,3,4 has 5/3; b = 2,2,4,4 has 4/3;
    # their sum 3,4,7,8 has mean 5.5 and (6.25 + 2.25 + 2.25 + 6.25) / 3 = 17/3.
    # alpha = 2/1 · (1 − (5/3 + 4/3) / (17/3)) = 2 · (1 − 9/17) = 16/17.
    answers = np.array([[1, 2], [2, 2], [3, 4], [4, 4]], float)
    assert cronbach(answers) == pytest.approx(16 / 17)


def test_alpha_at_its_ends() -> None:
    same = np.repeat(np.array([[1.0], [3.0], [4.0]]), 5, axis=1)
    assert cronbach(same) == pytest.approx(1)  # five times one question
    # Two questions that have nothing to do with each other: var(sum) = var(a) + var(b), alpha 0.
    apart = np.array([[1, 1], [1, 2], [2, 1], [2, 2]], float)
    assert cronbach(apart) == pytest.approx(0)
    assert np.isnan(cronbach(np.full((4, 5), 3.0))) and np.isnan(cronbach(np.ones((1, 5))))


def test_alpha_over_all_ratings_and_without_each() -> None:
    study = Study()
    study.add_item("a", ("s", ""))
    study.add_item("b", ("s", ""))
    # Four questions agree, instrumentation goes the other way.
    for person, value in (("p1", 1), ("p2", 2), ("p3", 4)):
        for item, more in (("a", 0), ("b", 1)):
            high = value + more
            study.rate(person, item, [high, high, high, high, 6 - high])
    estimate, without, missing = alpha(study.table, BOOTSTRAP)
    # Each variance v; the sum is 3·high + 6: variance 9v. 5/4 · (1 − 5v/9v) = 5/9.
    assert estimate.value == pytest.approx(5 / 9) and missing == []
    assert without["instrumentation"] == pytest.approx(1)
    # without one of the four: 2·high + 6: 4/3 · (1 − 4v/4v) = 0.
    assert without["harmony"] == pytest.approx(0)
    assert estimate.n == 6 and estimate.low <= estimate.value <= estimate.high


def test_means_by_hand() -> None:
    study = Study()
    study.add_item("a", ("net", "best"))
    study.add_item("b", ("net", "best"), ("rule", "top"))  # chosen by both: counts for both
    study.add_item("o", ("original", "original"))
    study.add_item("never", ("net", "worst"))
    study.rate("p", "a", [1, 2, 3, 4, 5])
    study.rate("q", "a", 2)
    study.rate("p", "b", 4)
    study.rate("p", "o", 5)
    found, missing = mean_opinions(study.table, BOOTSTRAP)
    means = {one.group: one for one in found}
    assert list(means) == ["original", "net best", "rule top"]
    assert means["net best"].means["overall"].value == pytest.approx((1 + 2 + 4) / 3)
    assert means["net best"].means["mean"].value == pytest.approx((3 + 2 + 4) / 3)
    assert means["net best"].means["rhythm"].n == 3
    assert (means["net best"].participants, means["net best"].items) == (2, 2)
    assert means["rule top"].means["mean"].value == 4
    whys = {one.what: one.why for one in missing}
    assert whys["interval of rule top"] == "there is one participant and there is one clip"
    assert whys["mean of net worst"] == "nobody has rated it"
    assert np.isnan(means["rule top"].means["mean"].low)


def test_only_the_last_answer_counts(make_rating: Callable[..., Rating]) -> None:
    study = Study()
    study.add_item("a", ("s", ""))
    study.rate("p", "a", 1, rated_at="2026-01-01T10:00:00Z")
    study.rate("p", "a", 5, rated_at="2026-01-01T10:01:00Z")
    table, warnings = judged(
        [*study.ratings, make_rating(), make_rating(test="study", item="z")], study.key
    )
    assert table.ratings["overall"].to_list() == [5] and len(warnings) == 2
    with pytest.raises(DatabaseError, match="none of 1"):
        judged([make_rating()], study.key)


def test_heard_splits_originals_and_mashups() -> None:
    study = Study()
    study.add_item("o", ("original", "original"))
    study.add_item("m", ("s", "best"))
    study.rate("p", "o", 5, heard="yes")
    study.rate("q", "o", 3, heard="no")
    study.rate("r", "o", 4, heard="no")
    study.rate("p", "m", 2, heard="unsure")
    found = {one.group: one.means["mean"] for one in by_heard(study.table, BOOTSTRAP)}
    assert {name: (e.value, e.n) for name, e in found.items()} == {
        "originals, heard before: yes": (5, 1),
        "originals, heard before: no": (3.5, 2),
        "mashups, heard before: not sure": (2, 1),
    }


def test_the_interval_of_a_mean_draws_listeners_and_clips() -> None:
    # Every rating of a listener is the same: only listeners make the mean uncertain.
    # 2 listeners with 1 and 3: drawn (1,1), (1,3), (3,1), (3,3): the mean is 1 in a quarter of the
    # draws and 3 in a quarter, so that the 95 % interval is [1, 3].
    values = np.array([[1.0], [1.0], [3.0], [3.0]])
    people, clips = np.array(["p", "p", "q", "q"]), np.array(["a", "b", "a", "b"])
    (by_people,) = mean_of(values, people, clips, BOOTSTRAP)
    assert (by_people.value, by_people.low, by_people.high, by_people.n) == (2, 1, 3, 4)
    # The same numbers, but the clips differ.
    (by_clips,) = mean_of(values, clips, people, BOOTSTRAP)
    assert (by_clips.low, by_clips.high) == (1, 3)
    # A difference of one listener's severity is none between clips: all draws agree.
    values, people = np.repeat(values[1:3], 4, axis=0), np.repeat(people[1:3], 4)
    clips = np.tile(["a", "b", "c", "d"], 2)
    first = np.isin(clips, ["a", "b"])
    (apart,) = difference_of(values, first, ~first, people, clips, BOOTSTRAP)
    assert (apart.value, apart.low, apart.high) == (0, 0, 0)


def test_one_clip_on_either_side_says_nothing_about_other_clips() -> None:
    people, clips = np.tile(["p", "q", "r"], 3), np.repeat(["a", "b", "c"], 3)
    values = np.arange(9.0)[:, None]
    for first in (clips == "a", clips != "a"):
        (apart,) = difference_of(values, first, ~first, people, clips, BOOTSTRAP)
        assert np.isfinite(apart.value) and np.isnan([apart.low, apart.high]).all()
    (apart,) = difference_of(values, clips != "c", clips != "a", people, clips, BOOTSTRAP)
    assert apart.low < apart.value < apart.high  # two of them on either side


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    random = np.random.default_rng(0)
    for trial in range(200):
        people, clips = 12, 10
        values = (
            0.5 * random.standard_normal((people, 1))
            + 0.5 * random.standard_normal((1, clips))
            + 0.7 * random.standard_normal((people, clips))
        )
        who = np.repeat(np.arange(people), clips)
        what = np.tile(np.arange(clips), people)
        (found,) = mean_of(values.reshape(-1, 1), who, what, Bootstrap(200, seed=trial))
        held += found.low <= 0 <= found.high
    # 95 % of 200 is 190; few clips make any bootstrap a little too sure of itself.
    assert 180 <= held <= 200


def test_a_bootstrap_over_ratings_would_be_too_sure() -> None:
    study = simulated({("s", ""): 3.0}, participants=8, clips=8, seed=0, of_participant=0.8)
    ratings = study.table.ratings
    values = ratings.select("mean").to_numpy()
    (ours,) = mean_of(values, *(ratings[c].to_numpy() for c in ("participant", "item")), BOOTSTRAP)
    alone = BOOTSTRAP.estimate(
        lambda drawn: float(drawn.mean()), [values[:, 0]], [str(n) for n in range(len(values))]
    )
    assert ours.high - ours.low > 1.5 * (alone.high - alone.low)


def test_scores_of_a_file(tmp_path) -> None:
    study = Study()
    study.add_item("a", ("s", "best"), scores={"old": 1.0})
    study.add_item("b", ("t", "best"))
    study.items["b"]["name"] = study.items["a"]["name"]  # two files of one name
    study.rate("p", "a", 3)
    path = tmp_path / "scores.csv"
    path.write_text(
        "scorer,item,score\nnew,a,0.5\nnew,t/name-a,0.7\nnew,name-a,9\nnew,c,1\nnew,b,nan\n"
        "old,/sounds/a.wav,2\n"
    )
    table, warnings = with_scores(study.table, path, study.key)
    assert table.scores == {"old": {"a": 2.0}, "new": {"a": 0.5, "b": 0.7}}
    assert len(warnings) == 3
    assert "line 4" in warnings[0] and "several clips" in warnings[0]
    assert "'c' is no clip" in warnings[1] and "finite" in warnings[2]
    path.write_text("item,score\na,1\n")
    with pytest.raises(ConfigError, match="no column scorer"):
        with_scores(study.table, path, study.key)
    path.write_text("item,scorer,score\nz,x,1\n")
    with pytest.raises(ConfigError, match="none of its 1 lines"):
        with_scores(study.table, path, study.key)
    with pytest.raises(DatabaseError, match="cannot be read"):
        with_scores(study.table, tmp_path / "none.csv", study.key)


def test_conditions_stand_in_a_sensible_order() -> None:
    study = Study()
    for system, kind in (("z", "worst"), ("z", "best"), ("original", "original"), ("a", "")):
        item = f"{system}{kind}"
        study.add_item(item, (system, kind))
        study.rate("p", item, 3)
    assert list(study.table.of_condition()) == ["original", "a", "z best", "z worst"]
    assert study.table.ratings.filter(pl.col("original"))["item"].to_list() == ["originaloriginal"]
