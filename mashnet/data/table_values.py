"""The values that a database's tables may have; whatever reads them relies on it.

Ids are plain names (`mashnet.storage.contained_paths`), since files are called after them; what
every user of a row computes with is there, and finite. What may be unknown (a tempo, a key, a
level) may be null. Anything else was not written by mashnet, or is damaged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from mashnet.data.loop_changes import change_of
from mashnet.errors import DatabaseError
from mashnet.music.keys import MODES
from mashnet.storage.contained_paths import MOST_NAME_BYTES, PLAIN_NAME, shown

# Takes a column; says which of its values may not be (null: that is `_NEVER_NULL`'s to say).
Rule = Callable[[pl.Series], pl.Series]


def _no_name(ids: pl.Series) -> pl.Series:
    return ~ids.str.contains(PLAIN_NAME) | (ids.str.len_bytes() > MOST_NAME_BYTES)


def _not_finite(numbers: pl.Series) -> pl.Series:
    return ~numbers.is_finite()


def _negative(numbers: pl.Series) -> pl.Series:
    return ~numbers.is_finite() | (numbers < 0)


def _not_positive(numbers: pl.Series) -> pl.Series:
    return ~numbers.is_finite() | (numbers <= 0)


def _not_all_finite(lists: pl.Series) -> pl.Series:
    flat = _elements(lists)
    if not flat.null_count() and flat.is_finite().all():
        return _none_of(lists)  # looked at one by one only if there is a bad one among all
    return ~lists.list.eval(pl.element().is_finite().fill_null(False)).list.all()


def _not_all_there(lists: pl.Series) -> pl.Series:
    if not _elements(lists).null_count():
        return _none_of(lists)
    return lists.list.eval(pl.element().is_null()).list.any()


def _elements(lists: pl.Series) -> pl.Series:
    """Return what all lists hold; some versions of polars make a null of an empty list."""
    lengths = lists.list.len()
    return (lists if lengths.min() else lists.filter(lengths > 0)).explode()


def _none_of(lists: pl.Series) -> pl.Series:
    return pl.repeat(False, lists.len(), dtype=pl.Boolean, eager=True)


def _no_change(params: pl.Series) -> pl.Series:
    # Honest tables have some thirty; each is looked at once.
    wrong = [text for text in params.drop_nulls().unique() if not _is_change(text)]
    return params.is_in(wrong) if wrong else _none_of(params)


def _is_change(text: str) -> bool:
    try:
        change_of(text)
    except ValueError:
        return False
    return True


_RULES: dict[str, dict[str, Rule]] = {
    "clips": {
        "clip_id": _no_name,
        "duration_s": _negative,
        "tempo_bpm": _negative,
        "beats": _not_all_finite,
        "downbeats": _not_all_finite,
        "beats_per_bar": lambda beats: (beats < 0) | (beats > 1000),
        "key_tonic": lambda tonics: (tonics < 0) | (tonics > 11),
        "key_mode": lambda modes: ~modes.is_in(MODES),
        "tuning_cents": lambda cents: ~cents.is_finite() | (cents <= -50) | (cents > 50),
        "tuning_confidence": lambda shares: ~shares.is_finite() | (shares < 0) | (shares > 1),
    },
    "stems": {"clip_id": _no_name, "stem_id": _no_name},
    "sections": {"clip_id": _no_name, "start_s": _not_finite, "end_s": _not_finite},
    "mixes": {
        "mix_id": _no_name,
        "vocal": _not_all_there,
        "harmonic": _not_all_there,
        "percussion": _not_all_there,
        "ratio_h": _not_positive,
        "ratio_p": _not_positive,
        "offset_s": _not_finite,
        "common_ratio": _not_positive,
        "duration_s": _negative,
    },
    "loops": {
        "loop_id": _no_name,
        "clip_id": _no_name,
        "hash": lambda hashes: ~hashes.str.contains("^[0-9a-f]{16}$"),
        "layout": _not_all_finite,
        "bar_s": _not_positive,
    },
    "pairs": {"pair_id": _no_name, "loop_a": _no_name, "loop_b": _no_name, "params": _no_change},
    "rejects": {},
}
_NEVER_NULL = {
    "clips": ("clip_id", "song_id", "duration_s"),
    "stems": ("clip_id", "stem_id"),
    "sections": ("clip_id", "start_s", "end_s", "label"),
    "mixes": (
        *("mix_id", "condition", "vocal", "harmonic", "percussion", "semitones", "ratio_h"),
        *("ratio_p", "offset_s", "common_semitones", "common_ratio", "stretch", "duration_s"),
        *("artefact_control", "seed"),
    ),
    "loops": ("loop_id", "clip_id", "bar", "kind", "path"),
    "pairs": ("pair_id", "loop_a", "loop_b", "label", "strategy", "params"),
    "rejects": ("input", "stage", "reason"),
}
# What nobody knows is written as nothing in two ways.
_NO_LIST = {"clips": ("beats", "downbeats")}


def checked(frame: pl.DataFrame, name: str, path: Path) -> pl.DataFrame:
    """Return a table that was read, or is to be written; lists that are not known as empty ones.

    Args:
        frame: of the table's schema.
        name: of the table.
        path: for messages.

    Raises:
        DatabaseError: naming the first value that cannot be used, and its row.
    """
    for column in _NEVER_NULL[name]:
        if frame[column].null_count():
            raise _error(frame, frame[column].is_null(), column, path)
    for column, rule in _RULES[name].items():
        values = frame[column]
        if values.len() > values.null_count():
            wrong = rule(values)
            if wrong.any():
                raise _error(frame, wrong.fill_null(False), column, path)
    absent = [column for column in _NO_LIST.get(name, ()) if frame[column].null_count()]
    return frame.with_columns(pl.col(absent).fill_null([])) if absent else frame


def _error(frame: pl.DataFrame, wrong: pl.Series, column: str, path: Path) -> DatabaseError:
    row = int(wrong.arg_max() or 0)
    value = frame[column][row]
    if isinstance(value, pl.Series):
        value = value.to_list()
    what = "is null" if value is None else f"cannot be {shown(value)}"
    return DatabaseError(
        f"{path} cannot be used: {column} of row {row + 1} {what}. Make it anew with the stage "
        "that writes it"
    )
