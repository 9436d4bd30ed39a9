"""Do two loops fit? Pairs told from negatives, and a loop's partner found among other loops.

As in the Neural Loop Combiner (Chen et al., ISMIR 2020, section 5):

* classification: pairs that sound together in a song against as many negatives, all five
  strategies equally often;
* ranking: one pair per song. Each pair's first loop is a query, the second loops of all pairs are
  the candidates. The paper has 100 songs; a corpus with fewer has as many queries and candidates
  as songs. Which pair stands for a song is drawn several times, and the draws are pooled.

Scores that are no probabilities become some by a logistic fit on the validation pairs, as in
mix_classification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mashnet.data.loops.loops import POSITIVE, STRATEGIES
from mashnet.data.parts import Group
from mashnet.errors import DatabaseError
from mashnet.evaluation import figures
from mashnet.evaluation.calibration import Calibration, crossfitted
from mashnet.evaluation.metrics import Placement, accuracy, auc, f1, place, placements
from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.evaluation.subjects.loops import LoopPair, LoopSource
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer

NAME = "loop_ranking"
VIEW = "loops"
TOP = (10, 30, 50)


@dataclass(frozen=True)
class _Draw:
    """One pair of each song: queries and candidates of one ranking."""

    pairs: list[LoopPair]

    def questions(self) -> list[tuple[Group, Group]]:
        """Return all queries with all candidates, query by query."""
        return [(one.query, other.candidate) for one in self.pairs for other in self.pairs]


@dataclass(frozen=True)
class _Answers:
    """What one Scorer said."""

    scores: np.ndarray  # of the balanced pairs
    probabilities: np.ndarray
    calibrated: np.ndarray
    placement: Placement


def run(
    scorers: Sequence[Scorer],
    source: LoopSource,
    *,
    bootstrap: Bootstrap,
    num_queries: int = 100,
    num_draws: int = 10,
    seed: int = 0,
) -> Outcome:
    """Classify balanced pairs and rank each pair's second loop among those of other songs.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the pairs.
        bootstrap: how intervals are made; songs are drawn.
        num_queries: songs per draw, at most.
        num_draws: how often a pair is drawn from each song.
        seed: of the draws.

    Raises:
        DatabaseError: if a strategy has no negatives, or fewer than two songs have pairs.
    """
    judged = balanced(source.pairs(), source, seed=seed)
    validation = _validation(source, seed)
    draws = _draws(source.pairs(), source, num_queries, num_draws, seed)
    asked = {scorer.name: _ask(scorer, judged, validation, draws) for scorer in scorers}
    songs = [pair.song for pair in judged]
    labels = np.array([pair.strategy == POSITIVE for pair in judged])
    strategies = np.array([pair.strategy for pair in judged])
    queries = [pair.song for draw in draws for pair in draw.pairs]
    return Outcome(
        protocol=NAME,
        title="Which loop goes with which?",
        summary=(
            "Loops that sound together in a song should score high; negatives of five kinds should "
            "score low. And among the loops of all held-out songs, each loop's partner should be "
            "found."
        ),
        results=[
            ScorerResult(
                NAME,
                scorer.name,
                source.name,
                source.split,
                _classified(asked[scorer.name], labels, strategies, songs, bootstrap)
                | _ranked(asked[scorer.name].placement, queries, bootstrap),
                {"candidates": len(draws[0].pairs), "draws": num_draws},
            )
            for scorer in scorers
        ],
        metrics=_meanings(len(draws[0].pairs)),
        scores=pl.concat([_table(name, a, judged) for name, a in asked.items()]),
        plots=_plots(asked, labels),
        comparisons=_compare(asked, labels, songs, queries, bootstrap),
        notes=_notes(judged, draws, validation is not None),
    )


def balanced(pairs: Sequence[LoopPair], source: LoopSource, *, seed: int) -> list[LoopPair]:
    """Return pairs that fit and as many negatives, every strategy equally often; drawn by a seed.

    Raises:
        DatabaseError: if a strategy has no negatives, or there are fewer than five pairs.
    """
    of = {
        strategy: [pair for pair in pairs if pair.strategy == strategy]
        for strategy in (POSITIVE, *STRATEGIES)
    }
    if absent := [strategy for strategy in STRATEGIES if not of[strategy]]:
        raise DatabaseError(
            f"{source.name}: no negatives of {', '.join(absent)} in the split {source.split}. Make "
            f"them with: python -m data_pipelines.negatives db={source.name}"
        )
    each = min(len(of[POSITIVE]) // len(STRATEGIES), *(len(of[s]) for s in STRATEGIES))
    if not each:
        raise DatabaseError(
            f"{source.name}: {len(of[POSITIVE])} pairs in the split {source.split} are too few; "
            f"at least {len(STRATEGIES)} are needed"
        )
    random = np.random.default_rng(seed)
    counts = {POSITIVE: each * len(STRATEGIES)} | dict.fromkeys(STRATEGIES, each)
    return [
        of[strategy][index]
        for strategy, count in counts.items()
        for index in sorted(random.choice(len(of[strategy]), count, replace=False))
    ]


def _validation(source: LoopSource, seed: int) -> list[LoopPair] | None:
    """Return balanced validation pairs, or None where there are none apart from the judged."""
    if source.split in ("val", "all"):
        return None
    try:
        return balanced(source.pairs("val"), source, seed=seed)
    except DatabaseError:
        return None


def _draws(
    pairs: Sequence[LoopPair], source: LoopSource, num_queries: int, num_draws: int, seed: int
) -> list[_Draw]:
    by_song: dict[str, list[LoopPair]] = {}
    for pair in pairs:
        if pair.strategy == POSITIVE:
            by_song.setdefault(pair.song, []).append(pair)
    if len(by_song) < 2:
        raise DatabaseError(
            f"{source.name}: {len(by_song)} song(s) in the split {source.split} have pairs of "
            f"loops; a ranking needs the loops of at least two"
        )
    random = np.random.default_rng(seed)
    count = min(num_queries, len(by_song))
    draws = []
    for _ in range(num_draws):
        songs = sorted(random.choice(sorted(by_song), count, replace=False))
        draws.append(_Draw([by_song[s][random.integers(len(by_song[s]))] for s in songs]))
    return draws


def _ask(
    scorer: Scorer,
    judged: list[LoopPair],
    validation: list[LoopPair] | None,
    draws: list[_Draw],
) -> _Answers:
    def score(pairs: list[LoopPair], what: str) -> np.ndarray:
        return score_groups(scorer, [(p.query, p.candidate) for p in pairs], what=what)

    scores = score(judged, "pairs")
    labels = np.array([pair.strategy == POSITIVE for pair in judged])
    if validation is not None:
        known = np.array([pair.strategy == POSITIVE for pair in validation])
        calibrated = Calibration(score(validation, "validation"), known)(scores)
    else:
        songs = [pair.song for pair in judged]
        calibrated = crossfitted(scores, labels, np.ones(len(labels), bool), songs)
    places = []
    questions = [question for draw in draws for question in draw.questions()]
    answers = score_groups(scorer, questions, what="ranking")
    for draw in draws:
        count = len(draw.pairs)
        table, answers = answers[: count**2].reshape(count, count), answers[count**2 :]
        places += [place(row[i], np.delete(row, i)) for i, row in enumerate(table)]
    is_probability = bool(getattr(scorer, "is_probability", False))
    return _Answers(
        scores, scores if is_probability else calibrated, calibrated, placements(places)
    )


def _classified(
    answers: _Answers,
    labels: np.ndarray,
    strategies: np.ndarray,
    songs: list[str],
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    found = {
        "accuracy": bootstrap.estimate(accuracy, [answers.probabilities, labels], songs),
        "f1": bootstrap.estimate(f1, [answers.probabilities, labels], songs),
        "auc": bootstrap.estimate(auc, [answers.scores, labels], songs),
        "accuracy_calibrated": bootstrap.estimate(accuracy, [answers.calibrated, labels], songs),
        "f1_calibrated": bootstrap.estimate(f1, [answers.calibrated, labels], songs),
    }
    for strategy in STRATEGIES:
        where = labels | (strategies == strategy)
        columns = [answers.scores[where], labels[where]]
        found[f"auc_{strategy}"] = bootstrap.estimate(auc, columns, np.array(songs)[where].tolist())
    return found


def _columns(placement: Placement) -> dict[str, np.ndarray]:
    return {
        "average_rank": placement.rank,
        **{f"top_{k}": placement.top_k(k) for k in TOP},
        "normalised_rank_mean": placement.normalised_rank,
    }


def _ranked(placement: Placement, songs: list[str], bootstrap: Bootstrap) -> dict[str, Estimate]:
    return {
        name: bootstrap.estimate(np.mean, [values], songs)
        for name, values in _columns(placement).items()
    }


def _compare(
    asked: dict[str, _Answers],
    labels: np.ndarray,
    songs: list[str],
    queries: list[str],
    bootstrap: Bootstrap,
) -> list[Comparison]:
    first, *others = asked
    comparisons = []
    for other in others:
        one, two = asked[first], asked[other]
        for name, statistic, columns, groups in (
            ("auc", auc, ([one.scores, labels], [two.scores, labels]), songs),
            (
                "accuracy_calibrated",
                accuracy,
                ([one.calibrated, labels], [two.calibrated, labels]),
                songs,
            ),
            (
                "normalised_rank_mean",
                np.mean,
                ([one.placement.normalised_rank], [two.placement.normalised_rank]),
                queries,
            ),
        ):
            difference = bootstrap.difference(statistic, *columns, groups)  # type: ignore[arg-type]
            comparisons.append(Comparison(name, first, other, difference))
    return comparisons


def _meanings(candidates: int) -> dict[str, Metric]:
    return {
        "accuracy": Metric("Share of pairs and negatives that are judged right.", 0.5, True),
        "f1": Metric(
            "Harmonic mean of precision and recall of the pairs. Chance: always saying that they "
            "fit.",
            2 / 3,
            True,
        ),
        "auc": Metric("How often a pair scores above a negative.", 0.5, True),
        "accuracy_calibrated": Metric("Accuracy after every Scorer had the same fit.", 0.5),
        "f1_calibrated": Metric("F1 after that fit.", 2 / 3),
        **{
            f"auc_{s}": Metric(f"AUC against negatives of the strategy {s} only.", 0.5)
            for s in STRATEGIES
        },
        "average_rank": Metric(
            f"Mean rank of a loop's partner among {candidates} loops, one per song; 1 is best.",
            (candidates + 1) / 2,
            headline=True,
        ),
        **{
            f"top_{k}": Metric(
                f"Share of queries whose partner is among the first {k}.",
                min(1.0, k / candidates),
                headline=k == 10,
            )
            for k in TOP
        },
        "normalised_rank_mean": Metric("Mean share of other loops before the partner.", 0.5, True),
    }


def _table(name: str, answers: _Answers, judged: list[LoopPair]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "scorer": [name] * len(judged),
            "pair_id": [pair.pair_id for pair in judged],
            "strategy": [pair.strategy for pair in judged],
            "song_id": [pair.song for pair in judged],
            "score": answers.scores,
            "probability": answers.probabilities,
            "calibrated": answers.calibrated,
        }
    )


def _plots(asked: dict[str, _Answers], labels: np.ndarray) -> list[Plot]:
    placed = {name: answers.placement for name, answers in asked.items()}
    return [
        Plot(
            "top_k",
            figures.top_k_curves(placed),
            "Share of queries whose partner is among the first k; the dashed line is chance.",
        ),
        Plot(
            "ranks",
            figures.rank_histograms(placed),
            "How often a partner stands where; the dashed line is chance.",
        ),
        Plot(
            "roc",
            figures.roc_curves(
                {name: answers.scores for name, answers in asked.items()},
                labels,
                positives="pairs",
                negatives="negatives",
            ),
            "Pairs found, against negatives taken for pairs, at every threshold.",
        ),
    ]


def _notes(judged: list[LoopPair], draws: list[_Draw], has_validation: bool) -> list[str]:
    half, songs = len(judged) // 2, len(draws[0].pairs)
    where = "validation pairs" if has_validation else "the other songs"
    return [
        f"Classification: {half} pairs of {len({p.song for p in judged})} songs and {half} "
        f"negatives, {half // len(STRATEGIES)} of each strategy.",
        f"Ranking: {songs} queries among {songs} candidates, one pair per song; which pair is "
        f"drawn {len(draws)} times. (The paper has 100 and 100.)",
        f"Scores that are no probabilities, and the calibrated figures, use a fit on {where}.",
        "A candidate of another song may fit as well as the partner; nobody asked a listener.",
        "Intervals draw songs anew.",
    ]
