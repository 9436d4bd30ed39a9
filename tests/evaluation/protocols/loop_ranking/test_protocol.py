from __future__ import annotations

import numpy as np
import pytest
import torch

from mashnet.data.loops.loops import STRATEGIES
from mashnet.errors import DatabaseError
from mashnet.evaluation.protocols.loop_ranking.pairs import balanced
from mashnet.evaluation.protocols.loop_ranking.protocol import run
from mashnet.evaluation.results import write_outcome
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.loops import LoopPair
from tests.evaluation.conftest import NamedPart

FAST = Bootstrap(num_resamples=50)


class Loops:
    """Songs with some pairs each, and one negative per pair and strategy."""

    name = "made/up"

    def __init__(self, num_songs=6, *, per_song=2, split="test", strategies=STRATEGIES):
        self.split = split
        self.num_songs, self.per_song, self.strategies = num_songs, per_song, strategies

    def pairs(self, split=None):
        split = split or self.split
        return [
            LoopPair(
                pair_id=f"{split}-{song}-{number}-{strategy}",
                song=f"{split}-{song}",
                strategy=strategy,
                query={"harmonic": NamedPart(f"{split}-{song}-{number}-a")},
                candidate={"harmonic": NamedPart(f"{split}-{song}-{number}-{strategy}")},
            )
            for song in range(self.num_songs)
            for number in range(self.per_song)
            for strategy in ("together", *self.strategies)
        ]


class Rule:
    """A Scorer that is told what to say of a query's and a candidate's name."""

    def __init__(self, name, rule, *, is_probability=False):
        self.name, self.rule, self.is_probability = name, rule, is_probability

    def score(self, query, candidates):
        asked = query["harmonic"].part_id
        return torch.tensor([self.rule(asked, c["harmonic"].part_id) for c in candidates])


def song_of(part_id):
    return part_id.split("-")[1]


def fits(query, candidate):
    return float(candidate.endswith("together") and song_of(query) == song_of(candidate))


KNOWING = Rule("knowing", fits, is_probability=True)
CONSTANT = Rule("constant", lambda *_: 0.25)


def values(outcome, which=0):
    return {name: e.value for name, e in outcome.results[which].metrics.items()}


def test_who_knows_is_always_right():
    found = values(run([KNOWING], Loops(), bootstrap=FAST))
    for name in ("accuracy", "f1", "auc", "accuracy_calibrated", "top_10"):
        assert found[name] == 1, name
    assert found["average_rank"] == 1
    assert found["normalised_rank_mean"] == 0
    assert all(found[f"auc_{strategy}"] == 1 for strategy in STRATEGIES)


def test_who_says_nothing_gets_chance():
    outcome = run([CONSTANT], Loops(num_songs=20), bootstrap=FAST)
    found = values(outcome)
    assert found["auc"] == 0.5
    assert found["f1"] == pytest.approx(2 / 3) == outcome.metrics["f1"].chance
    assert found["average_rank"] == (20 + 1) / 2 == outcome.metrics["average_rank"].chance
    assert found["normalised_rank_mean"] == 0.5
    assert found["top_10"] == pytest.approx(0.5)
    assert outcome.metrics["top_10"].chance == 0.5
    assert found["top_30"] == 1 == outcome.metrics["top_30"].chance


def test_ranks_by_hand():
    # Of 6 songs, song k's partner is beaten by the candidates of all songs above k: rank 6 - k.
    source = Loops(per_song=1)
    found = values(
        run([Rule("x", lambda _, c: float(song_of(c)))], source, bootstrap=FAST, num_draws=3)
    )
    assert found["average_rank"] == pytest.approx((6 + 5 + 4 + 3 + 2 + 1) / 6)


def test_who_hears_one_strategy_only():
    deaf_but_for_reverse = Rule("x", lambda _, c: 0.0 if c.endswith("reverse") else 1.0)
    found = values(run([deaf_but_for_reverse], Loops(), bootstrap=FAST))
    assert found["auc_reverse"] == 1
    assert found["auc_shift"] == 0.5
    assert found["auc"] == pytest.approx(0.2 * 1 + 0.8 * 0.5)


def test_all_strategies_equally_often():
    chosen = balanced(Loops(num_songs=7).pairs(), Loops(), seed=0)
    counts = {s: sum(p.strategy == s for p in chosen) for s in ("together", *STRATEGIES)}
    assert counts == {"together": 10} | dict.fromkeys(STRATEGIES, 2)
    assert chosen == balanced(Loops(num_songs=7).pairs(), Loops(), seed=0)


def test_as_many_queries_as_there_are_songs_at_most():
    outcome = run([CONSTANT], Loops(num_songs=9), bootstrap=FAST, num_queries=5, num_draws=4)
    assert outcome.results[0].metrics["average_rank"].n == 20
    assert outcome.results[0].facts["candidates"] == 5
    assert "5 queries among 5 candidates" in outcome.notes[1]


def test_a_threshold_comes_from_validation_pairs():
    # Scores around 7: at 0.5 all would fit; a fit on the validation songs finds the middle.
    rule = Rule("x", lambda q, c: 7 + fits(q, c))
    assert values(run([rule], Loops(), bootstrap=FAST))["accuracy"] == 1
    everything = run([rule], Loops(num_songs=10, split="all"), bootstrap=FAST)
    assert values(everything)["accuracy"] == 1
    assert "fit on the other songs" in " ".join(everything.notes)


def test_comparisons_and_files(tmp_path):
    outcome = run([KNOWING, CONSTANT], Loops(), bootstrap=FAST)
    differences = {c.metric: c.difference.value for c in outcome.comparisons}
    assert differences["auc"] == 0.5
    assert differences["normalised_rank_mean"] == -0.5
    names = {path.name for path in write_outcome(outcome, tmp_path)}
    assert {"metrics.json", "top_k.png", "ranks.png", "roc.png"} <= names
    assert set(outcome.scores["strategy"]) == {"together", *STRATEGIES}
    assert np.isfinite(outcome.scores["score"].to_numpy()).all()


def test_what_cannot_be_judged():
    with pytest.raises(DatabaseError, match=r"no negatives of random.*data_pipelines\.negatives"):
        run([CONSTANT], Loops(strategies=STRATEGIES[1:]), bootstrap=FAST)
    with pytest.raises(DatabaseError, match="4 pairs in the split test are too few"):
        run([CONSTANT], Loops(num_songs=2), bootstrap=FAST)
    with pytest.raises(DatabaseError, match="loops of at least two"):
        run([CONSTANT], Loops(num_songs=1, per_song=5), bootstrap=FAST)
