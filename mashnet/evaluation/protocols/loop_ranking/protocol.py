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

import numpy as np
import polars as pl

from mashnet.data.loops.loops import POSITIVE, STRATEGIES
from mashnet.evaluation import figures
from mashnet.evaluation.protocols.loop_ranking.answers import Answers, ask
from mashnet.evaluation.protocols.loop_ranking.measures import (
    classified,
    compare,
    meanings,
    ranked,
)
from mashnet.evaluation.protocols.loop_ranking.pairs import (
    Draw,
    balanced,
    draws_of_songs,
    validation_pairs,
)
from mashnet.evaluation.results import Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.loops import LoopPair, LoopSource
from mashnet.models.scorer import Scorer

NAME = "loop_ranking"
VIEW = "loops"


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
    validation = validation_pairs(source, seed)
    draws = draws_of_songs(source.pairs(), source, num_queries, num_draws, seed)
    asked = {scorer.name: ask(scorer, judged, validation, draws) for scorer in scorers}
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
                classified(asked[scorer.name], labels, strategies, songs, bootstrap)
                | ranked(asked[scorer.name].placement, queries, bootstrap),
                {"candidates": len(draws[0].pairs), "draws": num_draws},
            )
            for scorer in scorers
        ],
        metrics=meanings(len(draws[0].pairs)),
        scores=pl.concat([_table(name, a, judged) for name, a in asked.items()]),
        plots=_plots(asked, labels),
        comparisons=compare(asked, labels, songs, queries, bootstrap),
        notes=_notes(judged, draws, validation is not None),
    )


def _table(name: str, answers: Answers, judged: list[LoopPair]) -> pl.DataFrame:
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


def _plots(asked: dict[str, Answers], labels: np.ndarray) -> list[Plot]:
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


def _notes(judged: list[LoopPair], draws: list[Draw], has_validation: bool) -> list[str]:
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
