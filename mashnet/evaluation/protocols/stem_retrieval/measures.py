"""Figures of stem retrieval, from where the missing stems stand: in one split, or in folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from mashnet.evaluation.metrics import Placement
from mashnet.evaluation.protocols.stem_retrieval.answers import NUM_OPPONENTS, Standing
from mashnet.evaluation.results import Comparison, Metric
from mashnet.evaluation.retrieval import FIRST_PLACES
from mashnet.evaluation.statistics import Bootstrap, Estimate

AMONG_OTHERS = "_among_others"
TOP = (1, 5, 10)
OF_64 = "top_1_of_64"

_COMPARED = ("recall_at_1", "recall_at_10", "normalised_rank_mean")
_COUNTS = ("better", "tied", "candidates")


def counts(placement: Placement, suffix: str = "") -> dict[str, np.ndarray]:
    """Return places as columns of a table, so that folds can pool them."""
    return {count + suffix: getattr(placement, count) for count in _COUNTS}


def counted(table: pl.DataFrame, suffix: str = "") -> Placement:
    """Return the places that `counts` wrote."""
    return Placement(*(table[count + suffix].to_numpy() for count in _COUNTS))


def kinds(first: np.ndarray, suffix: str = "") -> dict[str, np.ndarray]:
    """Return what stands first, (queries, 4), as columns of a table."""
    return {kind + suffix: first[:, index] for index, kind in enumerate(FIRST_PLACES)}


def kinds_of(table: pl.DataFrame, suffix: str = "") -> np.ndarray:
    """Return what `kinds` wrote."""
    return table.select([kind + suffix for kind in FIRST_PLACES]).to_numpy()


def estimates(
    standing: Standing, songs: Sequence[str], chunk_songs: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Estimate]:
    """Return every figure under its name.

    Args:
        standing: where the stems of one Scorer stand.
        songs: the song of each query for a stem.
        chunk_songs: the song of each chunk.
        bootstrap: how intervals are made; songs are drawn.
    """
    found = {
        name: bootstrap.estimate(np.median if middle else np.mean, [values], songs)
        for name, (values, middle) in _columns(standing).items()
    }
    if standing.of_64 is not None:
        found[OF_64] = bootstrap.estimate(np.mean, [standing.of_64.top_k(1)], chunk_songs)
    return found


def compare(
    standings: Mapping[str, Standing],
    songs: Sequence[str],
    chunk_songs: Sequence[str],
    bootstrap: Bootstrap,
) -> list[Comparison]:
    """Return how far the first Scorer is from each other; arguments as of `estimates`."""

    def values(name: str) -> list[tuple[str, np.ndarray, Sequence[str]]]:
        columns, of_64 = _columns(standings[name]), standings[name].of_64
        names = [metric + suffix for suffix in ("", AMONG_OTHERS) for metric in _COMPARED]
        found = [(metric, columns[metric][0], songs) for metric in names]
        return found if of_64 is None else [*found, (OF_64, of_64.top_k(1), chunk_songs)]

    first, *others = standings
    return [
        Comparison(metric, first, other, bootstrap.difference(np.mean, [one], [two], groups))
        for other in others
        for (metric, one, groups), (_, two, _) in zip(values(first), values(other), strict=True)
    ]


def by_instrument(labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Return which queries look for each instrument."""
    names = np.array([label or "(unknown)" for label in labels], dtype=str)
    return {name: names == name for name in sorted(set(names.tolist()))}


def per_instrument(standing: Standing, labels: Sequence[str]) -> dict[str, dict[str, float | int]]:
    """Return, for each instrument that is looked for, the queries and the means over them."""
    means = {name: values for name, (values, middle) in _columns(standing).items() if not middle}
    return {
        instrument: {"n": int(where.sum())}
        | {name: float(values[where].mean()) for name, values in means.items()}
        for instrument, where in by_instrument(labels).items()
    }


def meanings(
    standing: Standing, first_by_chance: tuple[np.ndarray, np.ndarray]
) -> dict[str, Metric]:
    """Return what the figures of `estimates` mean, and their chance levels, means over queries.

    Args:
        standing: of any Scorer; how many candidates there are is the same for all.
        first_by_chance: what stands first where all stand level, (queries, 4): among all, and
            where the songs' other stems are left out.
    """
    found: dict[str, Metric] = {}
    by_chance, by_chance_among_others = first_by_chance
    for suffix, placement, first, where in (
        ("", standing.among_all, by_chance, "all stems"),
        (
            AMONG_OTHERS,
            standing.among_others,
            by_chance_among_others,
            "it and the stems of other songs",
        ),
    ):
        for k in TOP:
            found[f"recall_at_{k}{suffix}"] = Metric(
                f"Share of missing stems that are among the first {k} of {where}.",
                _recall_by_chance(placement, k),
                headline=k == 1 or (k == 10 and not suffix),
            )
        found[f"normalised_rank_mean{suffix}"] = Metric(
            f"Mean share of the others of {where} that stand before the missing stem; 0 is best.",
            0.5,
            headline=not suffix,
        )
        found[f"normalised_rank_median{suffix}"] = Metric(f"Middle of that share, of {where}.", 0.5)
        for kind, chance in zip(FIRST_PLACES, first.mean(0), strict=True):
            found[kind + suffix] = Metric(
                f"Share of queries whose first of {where} is: {kind.replace('_', ' ')}.",
                float(chance),
            )
    if standing.of_64 is not None:
        found[OF_64] = Metric(
            f"Share of submixes whose rest stands first among it and {NUM_OPPONENTS} of other "
            "songs.",
            _recall_by_chance(standing.of_64, 1),
            headline=True,
        )
    return found


def caveats(labels: Sequence[str]) -> list[str]:
    """Return what a reader should know of any of these figures."""
    unknown = sum(not label for label in labels)
    return [
        *(
            [f"{unknown} of the stems have no label; only the very stem is their right instrument."]
            if unknown
            else []
        ),
        "A candidate of another song may fit as well as the missing stem; nobody asked a listener.",
        "Intervals draw songs of queries anew; the candidates stay.",
    ]


def _columns(standing: Standing) -> dict[str, tuple[np.ndarray, bool]]:
    """Return what is averaged per query, and whether the middle is meant instead of the mean."""
    found: dict[str, tuple[np.ndarray, bool]] = {}
    for placement, first, suffix in (
        (standing.among_all, standing.first, ""),
        (standing.among_others, standing.first_among_others, AMONG_OTHERS),
    ):
        found |= {f"recall_at_{k}{suffix}": (placement.top_k(k), False) for k in TOP}
        found[f"normalised_rank_mean{suffix}"] = (placement.normalised_rank, False)
        found[f"normalised_rank_median{suffix}"] = (placement.normalised_rank, True)
        found |= {kind: (share, False) for kind, share in kinds(first, suffix).items()}
    return found


def _recall_by_chance(placement: Placement, k: int) -> float:
    """Return what who says nothing gets: every candidate level with the right one."""
    candidates = placement.candidates
    level = Placement(np.zeros_like(candidates), candidates - 1, candidates)
    return float(level.top_k(k).mean())
