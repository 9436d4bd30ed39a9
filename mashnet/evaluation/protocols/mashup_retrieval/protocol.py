"""Where does an original stand among the mashups that were made to fit?

Two ways, both from scores of complete mixes:

* over all, as published (Huang et al., AAAI 2021): each original among all matched mixes of the
  split, whatever their vocal;
* per vocal: each original among the matched mixes of the same vocal, so that nothing but the
  accompaniment differs. Vocals without a matched mix are left out, and how many is said.

Tied scores share their ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from mashnet.data.mixes.recipes import Recipe
from mashnet.errors import DatabaseError
from mashnet.evaluation import figures
from mashnet.evaluation.metrics import Placement, place, placements
from mashnet.evaluation.rank_figures import compare, estimates, meanings
from mashnet.evaluation.results import Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.mix_source import MixSource, recipes_of
from mashnet.invocation import setting
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer

NAME = "mashup_retrieval"
PER_VOCAL = "_per_vocal"
RIVALS = {"": "all matched mixes", PER_VOCAL: "the matched mixes of its own vocal"}  # by suffix


def run(scorers: Sequence[Scorer], source: MixSource, *, bootstrap: Bootstrap) -> Outcome:
    """Score originals and matched mixes and rank each original among the matched.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the mixes.
        bootstrap: how intervals are made; the matched mixes stay, songs of originals are drawn.

    Raises:
        DatabaseError: if there are no originals, no matched mixes, or none of the same vocal.
    """
    found = recipes_of(source, ("original", "matched"), required=("original", "matched"))
    originals, matched = found["original"], found["matched"]
    songs = np.array([source.song_of(recipe) for recipe in originals])
    rivals = _rivals(originals, matched)
    paired = np.array([len(indices) > 0 for indices in rivals])
    if not paired.any():
        raise DatabaseError(
            f"{source.name}: no vocal of the split {source.split} has both an original and a "
            f"matched mix. Make more with: "
            f"python -m data_pipelines.mixes {setting('db', source.name)}"
        )

    results, tables, overall, per_vocal, scores = [], [], {}, {}, {}
    groups = source.groups([*originals, *matched])
    for scorer in scorers:
        values = score_groups(scorer, groups)
        own, others = values[: len(originals)], values[len(originals) :]
        overall[scorer.name] = placements([place(score, others) for score in own])
        per_vocal[scorer.name] = placements(
            [place(own[i], others[rivals[i]]) for i in np.flatnonzero(paired)]
        )
        scores[scorer.name] = values
        metrics = estimates(overall[scorer.name], songs, bootstrap)
        metrics |= estimates(per_vocal[scorer.name], songs[paired], bootstrap, PER_VOCAL)
        facts = {
            "artefact_control": source.artefact_control,
            "candidates": len(matched) + 1,
            "candidates_per_vocal_mean": float(per_vocal[scorer.name].candidates.mean()),
        }
        results.append(ScorerResult(NAME, scorer.name, source.name, source.split, metrics, facts))
        tables.append(_table(scorer.name, (*originals, *matched), source, values))

    first_overall, first_per_vocal = (next(iter(p.values())) for p in (overall, per_vocal))
    conditions = np.array(["original"] * len(originals) + ["matched"] * len(matched))
    return Outcome(
        protocol=NAME,
        title="Is the original found among the matched?",
        summary=(
            "A matched mashup was made to fit: shifted to the vocal's key, stretched to its tempo, "
            "aligned at the downbeat. An original fits by birth. Each original is ranked by score "
            "among all matched mixes, and among those of its own vocal."
        ),
        results=results,
        metrics=meanings(first_overall, RIVALS[""])
        | meanings(first_per_vocal, RIVALS[PER_VOCAL], PER_VOCAL),
        scores=pl.concat(tables),
        plots=[
            Plot(
                "ranks",
                figures.rank_curves(
                    {"among all matched mixes": overall, "among those of the same vocal": per_vocal}
                ),
                "Share of originals that stand among the first part of the candidates; the further "
                "above the diagonal (chance), the better.",
            ),
            Plot(
                "scores",
                figures.score_distributions(scores, conditions),
                "Scores by condition. Box: middle half of the mixes, and their median; whiskers: "
                "5 to 95 %.",
            ),
        ],
        comparisons=compare(overall, songs, bootstrap)
        + compare(per_vocal, songs[paired], bootstrap, PER_VOCAL),
        notes=_notes(len(originals), len(matched), paired, first_per_vocal, songs),
    )


def _rivals(originals: Sequence[Recipe], matched: Sequence[Recipe]) -> list[list[int]]:
    """Return, for each original, which matched mixes have the same vocal."""
    by_vocal: dict[tuple[str, ...], list[int]] = {}
    for index, recipe in enumerate(matched):
        by_vocal.setdefault(recipe.vocal, []).append(index)
    return [by_vocal.get(recipe.vocal, []) for recipe in originals]


def _table(
    name: str, recipes: Sequence[Recipe], source: MixSource, scores: np.ndarray
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "scorer": [name] * len(recipes),
            "mix_id": [recipe.mix_id for recipe in recipes],
            "condition": [recipe.condition for recipe in recipes],
            "song_id": [source.song_of(recipe) for recipe in recipes],
            "vocal": [" ".join(recipe.vocal) for recipe in recipes],
            "score": scores,
        }
    )


def _notes(
    num_originals: int,
    num_matched: int,
    paired: np.ndarray,
    per_vocal: Placement,
    songs: np.ndarray,
) -> list[str]:
    low, high = per_vocal.candidates.min(), per_vocal.candidates.max()
    return [
        f"{num_originals} originals of {len(set(songs))} songs; over all, each stands among "
        f"{num_matched + 1} candidates (itself and {num_matched} matched mixes).",
        f"Per vocal: {int(paired.sum())} of {num_originals} originals have a matched mix with the "
        f"same vocal, and stand among {low} to {high} candidates "
        f"(mean {per_vocal.candidates.mean():.1f}). top_5 and top_10 say little where there are "
        f"hardly more candidates: compare with the chance level.",
        "Intervals draw songs of originals anew; the matched mixes they stand among stay.",
    ]
