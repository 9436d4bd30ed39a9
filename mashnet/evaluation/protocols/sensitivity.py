"""What happens to a score when one stem of an original is moved away from where it belongs?

For each song, one role at a time is moved in pitch, in tempo, or in beats; a Scorer that hears fit
likes the unmoved mix best, and less the further the role goes. Then all roles are moved together,
which changes the music but not the fit: the score should stay. Percussion is not moved in pitch
alone. All points, zero included, pass the same stretch engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from mashnet.data.mixes.recipes import Recipe
from mashnet.errors import ConfigError
from mashnet.evaluation import figures
from mashnet.evaluation.curves import (
    change_from_zero,
    drop,
    mean_change,
    peak_at_zero,
    prefers_zero,
)
from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.evaluation.subjects.mix_source import MixSource, recipes_of
from mashnet.evaluation.subjects.moves import ALL, KINDS, Kind, moves_of, points
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer

NAME = "sensitivity"
Curves = dict[tuple[str, str], np.ndarray]  # (kind, role) → scores, shape (songs, points)


def run(
    scorers: Sequence[Scorer],
    source: MixSource,
    *,
    bootstrap: Bootstrap,
    semitones: Sequence[int],
    tempo_percent: Sequence[float],
    beats: Sequence[float],
    num_songs: int,
    duration_s: float,
) -> Outcome:
    """Draw the score curves of originals whose roles are moved.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the mixes; one original per song is used.
        bootstrap: how intervals are made.
        semitones: moves in pitch; 0 and the opposite of each must be among them.
        tempo_percent: moves in tempo, likewise; positive is faster.
        beats: moves in time, likewise; positive is later.
        num_songs: how many songs to use at most; rendering a song costs about a minute.
        duration_s: how much of each song to use at most, in seconds.

    Raises:
        ConfigError: if a list of moves is not symmetric about 0, or a limit is not positive.
        DatabaseError: if there are no originals.
    """
    amounts = {
        kind.name: _checked(kind.setting, values)
        for kind, values in zip(KINDS, (semitones, tempo_percent, beats), strict=True)
    }
    if num_songs < 1 or duration_s <= 0:
        raise ConfigError("protocol.num_songs and protocol.duration_s must be positive")
    recipes = _one_per_song(source, num_songs, duration_s)
    songs = [source.song_of(recipe) for recipe in recipes]
    moves = list(dict.fromkeys(moves_of(*point) for point in points(amounts)))
    wanted = [(recipe, dict(moved)) for recipe in recipes for moved in moves]
    groups = source.moved_groups(wanted)

    results, tables, drawn = [], [], {}
    for scorer in scorers:
        scores = score_groups(scorer, groups, what="moved mixes").reshape(len(recipes), len(moves))
        column = {moved: index for index, moved in enumerate(moves)}
        curves: Curves = {
            (kind.name, role): np.stack(
                [scores[:, column[moves_of(kind, role, a)]] for a in amounts[kind.name]], axis=1
            )
            for kind in KINDS
            for role in (*kind.roles, ALL)
        }
        drawn[scorer.name] = curves
        results.append(
            ScorerResult(
                NAME,
                scorer.name,
                source.name,
                source.split,
                _metrics(curves, amounts, songs, bootstrap),
                {
                    "artefact_control": True,  # every point of every curve passes the engine
                    "num_songs": len(recipes),
                    "duration_s": duration_s,
                },
            )
        )
        tables.append(_table(scorer.name, curves, amounts, recipes, songs))
    return Outcome(
        protocol=NAME,
        title="Does the score fall when a stem is moved?",
        summary=(
            "One stem of an original is shifted in pitch, stretched in tempo, or moved in time, "
            "while the others stay. The score should be highest where nothing is moved. When all "
            "stems are moved together they still fit, and the score should not change."
        ),
        results=results,
        metrics=_meanings(amounts),
        scores=pl.concat(tables),
        plots=[
            Plot(
                "curves",
                figures.sensitivity_curves(
                    {
                        name: _changes(curves, amounts, songs, bootstrap)
                        for name, curves in drawn.items()
                    },
                    {kind.name: (kind.unit, amounts[kind.name]) for kind in KINDS},
                ),
                "Mean change of the score against the unmoved mix, with 95 % intervals. Coloured: "
                "one stem moved; the curve should peak at zero. Grey: all stems moved together; "
                "the line should stay flat.",
            )
        ],
        comparisons=_compare(drawn, amounts, songs, bootstrap),
        notes=[
            f"{len(recipes)} originals, one per song, at most {duration_s:g} s of each "
            f"(num_songs={num_songs}). Intervals draw songs.",
            "A role that is moved in tempo starts in time and drifts away; one that is made faster "
            "ends before the others do.",
            "Scores of different Scorers have different scales: compare peaks and preferences "
            "between them, drops and changes only within one.",
        ],
    )


def _checked(setting: str, values: Sequence[float]) -> np.ndarray:
    amounts = np.array(sorted(set(values)), dtype=np.float64)
    if len(amounts) < 3 or 0 not in amounts or not np.array_equal(-amounts[::-1], amounts):
        raise ConfigError(
            f"protocol.{setting} must hold 0, and with each move the opposite one; got "
            f"{list(values)}"
        )
    return amounts


def _one_per_song(source: MixSource, num_songs: int, duration_s: float) -> list[Recipe]:
    """Return originals in the order of their hashes: the same choice every time."""
    chosen: dict[str, Recipe] = {}
    for recipe in recipes_of(source, ("original",), required=("original",))["original"]:
        chosen.setdefault(source.song_of(recipe), recipe)
    return [
        replace(recipe, duration_s=min(recipe.duration_s, duration_s))
        for recipe in list(chosen.values())[:num_songs]
    ]


def _metrics(
    curves: Curves, amounts: Mapping[str, np.ndarray], songs: list[str], bootstrap: Bootstrap
) -> dict[str, Estimate]:
    found = {}
    for kind in KINDS:
        points = amounts[kind.name]
        own = [curves[kind.name, role] for role in kind.roles]
        common = curves[kind.name, ALL]
        per_song = {f"peak_at_zero_{kind.name}": [peak_at_zero(c, points) for c in own]}
        for distance, name in kind.reported(points):
            per_song[f"prefers_zero_{name}"] = [prefers_zero(c, points, distance) for c in own]
            per_song[f"drop_{name}"] = [drop(c, points, distance) for c in own]
        for name, values in per_song.items():
            for role, of_role in zip(kind.roles, values, strict=True):
                found[f"{name}_{role}"] = bootstrap.estimate(np.mean, [of_role], songs)
            found[name] = bootstrap.estimate(np.mean, [np.mean(values, axis=0)], songs)
        together = mean_change(common, points)
        alone = np.mean([mean_change(c, points) for c in own], axis=0)
        found[f"change_common_{kind.name}"] = bootstrap.estimate(np.mean, [together], songs)
        found[f"change_common_relative_{kind.name}"] = bootstrap.estimate(
            _ratio_of_means, [together, alone], songs
        )
    return found


def _ratio_of_means(numerator: np.ndarray, denominator: np.ndarray) -> float:
    below = float(denominator.mean())
    return float(numerator.mean()) / below if below > 0 else float("nan")


def _compare(
    drawn: Mapping[str, Curves],
    amounts: Mapping[str, np.ndarray],
    songs: list[str],
    bootstrap: Bootstrap,
) -> list[Comparison]:
    def peaks(name: str, kind: Kind) -> np.ndarray:
        curves = [drawn[name][kind.name, role] for role in kind.roles]
        return np.mean([peak_at_zero(c, amounts[kind.name]) for c in curves], axis=0)

    first, *others = drawn
    return [
        Comparison(
            f"peak_at_zero_{kind.name}",
            first,
            other,
            bootstrap.difference(np.mean, [peaks(first, kind)], [peaks(other, kind)], songs),
        )
        for other in others
        for kind in KINDS
    ]


def _changes(
    curves: Curves, amounts: Mapping[str, np.ndarray], songs: list[str], bootstrap: Bootstrap
) -> dict[tuple[str, str], list[Estimate]]:
    """Return the mean change of the score at each point of each curve."""
    return {
        (kind, role): [
            bootstrap.estimate(np.mean, [column], songs)
            for column in change_from_zero(curve, amounts[kind]).T
        ]
        for (kind, role), curve in curves.items()
    }


def _meanings(amounts: Mapping[str, np.ndarray]) -> dict[str, Metric]:
    meanings = {}
    for kind in KINDS:
        points = amounts[kind.name]
        chance = 1 / len(points)
        roles = [("", f" Mean over {', '.join(kind.roles)}.")]
        roles += [(f"_{role}", f" Moved: {role}.") for role in kind.roles]
        for suffix, which in roles:
            meanings[f"peak_at_zero_{kind.name}{suffix}"] = Metric(
                f"Share of songs whose unmoved mix scores highest of {len(points)}.{which}",
                chance,
                headline=not suffix,
            )
            for distance, name in kind.reported(points):
                far = f"±{distance:g} {kind.unit}"
                meanings[f"prefers_zero_{name}{suffix}"] = Metric(
                    f"Share of mixes moved by {far} that score below the unmoved one.{which}", 0.5
                )
                meanings[f"drop_{name}{suffix}"] = Metric(
                    f"Mean fall of the score at {far}, on the Scorer's own scale.{which}", 0.0
                )
        meanings[f"change_common_{kind.name}"] = Metric(
            f"Mean absolute change when all roles are moved together ({kind.name}); 0 is best."
        )
        meanings[f"change_common_relative_{kind.name}"] = Metric(
            f"That change as a share of the change when one role is moved ({kind.name}); 0 is "
            "best, 1 means that the fit is not what is heard.",
            headline=True,
        )
    return meanings


def _table(
    name: str,
    curves: Curves,
    amounts: Mapping[str, np.ndarray],
    recipes: Sequence[Recipe],
    songs: Sequence[str],
) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (name, recipe.mix_id, song, kind, role, float(amount), float(scores[row, column]))
            for (kind, role), scores in curves.items()
            for row, (recipe, song) in enumerate(zip(recipes, songs, strict=True))
            for column, amount in enumerate(amounts[kind])
        ],
        schema=["scorer", "mix_id", "song_id", "kind", "role", "amount", "score"],
        orient="row",
    )
