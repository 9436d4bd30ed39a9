"""Ratings joined with the key: who rated what, whose it was, and what each Scorer thought of it."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mashnet.errors import ConfigError, DatabaseError
from mashnet.listening.folder import condition_of
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import Rating, latest
from mashnet.storage.regular_files import read_bounded

_MOST_BYTES = 50_000_000  # of a table of scores

ORIGINAL = "original"
HIGH, LOW = ("best", "top"), ("worst", "bottom")  # kinds
MEAN = "mean"
SCALES = (*QUESTION_NAMES, MEAN)  # MEAN: of a rating's five answers


@dataclass(frozen=True)
class Judged:
    """Everything the analysis looks at.

    Attributes:
        ratings: participant, item, heard, position, listened_s, original, and the SCALES; one row
            for each participant and item.
        claims: item, system, kind, condition; an item that two systems chose has two rows.
        scores: Scorer → item → score.
    """

    ratings: pl.DataFrame
    claims: pl.DataFrame
    scores: Mapping[str, Mapping[str, float]]

    def of_condition(self) -> dict[str, pl.DataFrame]:
        """Return condition → its ratings, in the order in which conditions are shown."""
        shown = self.claims.select("condition", "system", "kind").unique()
        rank = {name: 0 for name in HIGH} | {name: 2 for name in LOW}
        ordered = sorted(
            shown.iter_rows(),
            key=lambda row: (row[1] != ORIGINAL, row[1], rank.get(row[2], 1), row[2]),
        )
        found = {}
        for condition, _, _ in ordered:
            items = self.claims.filter(pl.col("condition") == condition)["item"].to_list()
            ratings = self.ratings.filter(pl.col("item").is_in(items))
            if len(ratings):
                found[condition] = ratings
        return found


def judged(ratings: Iterable[Rating], key: Mapping[str, Any]) -> tuple[Judged, list[str]]:
    """Join the last answer of each participant and item with the key.

    Returns:
        The tables, and a line of text for what had to be left out.

    Raises:
        DatabaseError: if no rating belongs to the test.
    """
    given = list(ratings)
    of_test = [rating for rating in given if rating.test == key["test"]]
    known = [rating for rating in of_test if rating.item in key["items"]]
    warnings = []
    if len(given) > len(of_test):
        warnings.append(f"{len(given) - len(of_test)} ratings are of another test: left out")
    if len(of_test) > len(known):
        warnings.append(f"{len(of_test) - len(known)} ratings are of unknown clips: left out")
    if not known:
        raise DatabaseError(
            f"none of {len(given)} ratings belongs to this test; key= names the key.json that its "
            "build wrote"
        )
    claims = pl.DataFrame(
        [
            {
                "item": item,
                "system": claim["system"],
                "kind": claim["kind"],
                "condition": condition_of(claim),
            }
            for item, facts in key["items"].items()
            for claim in facts["systems"]
        ]
    ).unique(maintain_order=True)
    originals = set(claims.filter(pl.col("system") == ORIGINAL)["item"])
    rows = []
    for (participant, item), rating in sorted(latest(known).items()):
        answers = dict(rating.answers)
        rows.append(
            {
                "participant": participant,
                "item": item,
                "heard": rating.heard,
                "position": rating.position,
                "listened_s": rating.listened_s,
                "original": item in originals,
                **{name: float(value) for name, value in answers.items()},
                MEAN: sum(answers.values()) / len(answers),
            }
        )
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for item, facts in key["items"].items():
        for scorer, score in facts["scores"].items():
            scores[scorer][item] = float(score)
    return Judged(pl.DataFrame(rows), claims, scores), warnings


def with_scores(table: Judged, path: Path, key: Mapping[str, Any]) -> tuple[Judged, list[str]]:
    """Add the scores of a CSV with the columns item, scorer, score.

    An item is the id of a clip, the name of its file without suffix, its path, or "system/name".

    Returns:
        The tables, and a line of text for each line that cannot be used.

    Raises:
        DatabaseError: if the file cannot be read.
        ConfigError: if it lacks a column or nothing in it can be used.
    """
    try:
        lines = read_bounded(path, _MOST_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DatabaseError(f"scores={path}: cannot be read: {error}") from error
    reader = csv.DictReader(lines)
    missing = [
        name for name in ("item", "scorer", "score") if name not in (reader.fieldnames or ())
    ]
    if missing:
        raise ConfigError(f"scores={path}: has no column {', '.join(missing)}")
    items = _items_by_name(key)
    scores = {scorer: dict(of_item) for scorer, of_item in table.scores.items()}
    warnings = []
    used = 0
    for row in reader:
        try:
            item = _only(items, row["item"] or "")
            score = float(row["score"] or "")
            if not math.isfinite(score):
                raise ValueError(f"{row['score']} is no finite number")
            scores.setdefault(row["scorer"] or "", {})[item] = score
            used += 1
        except ValueError as error:
            warnings.append(f"{path}, line {reader.line_num}: left out: {error}")
    if not used:
        raise ConfigError(f"scores={path}: none of its {len(lines) - 1} lines can be used")
    return Judged(table.ratings, table.claims, scores), warnings


def _items_by_name(key: Mapping[str, Any]) -> dict[str, set[str]]:
    items: dict[str, set[str]] = defaultdict(set)
    for item, facts in key["items"].items():
        names = [item, facts["name"], facts["file"]]
        names += [f"{claim['system']}/{facts['name']}" for claim in facts["systems"]]
        for name in names:
            items[name].add(item)
    return items


def _only(items: Mapping[str, set[str]], name: str) -> str:
    found = items.get(name, set())
    if len(found) != 1:
        raise ValueError(
            f"'{name}' is {'no clip of the test' if not found else 'the name of several clips'}"
        )
    return next(iter(found))
