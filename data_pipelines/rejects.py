"""Rows that tell of what a stage could not use: what, at which stage, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_pipelines.sources.song import printable


def reject_row(what: object, stage: str, reason: str) -> dict[str, str]:
    """Return a row of rejects.parquet."""
    return {"input": printable(what), "stage": stage, "reason": printable(reason)}


def reject_of_clip(clip: Mapping[str, Any], stage: str, reason: str) -> dict[str, str]:
    """Return a row of rejects.parquet for a row of clips.parquet."""
    return reject_row(f"{clip['title']} (clip {clip['clip_id']})", stage, reason)


def first_reasons(rejects: Sequence[Mapping[str, str]]) -> str:
    """Return what a message says of rejects where nothing else was left: the first three."""
    return "".join(f"; {row['input']}: {row['reason']}" for row in rejects[:3])
