"""The row that tells of something a stage could not use: what, at which stage, and why."""

from __future__ import annotations

from data_pipelines.sources.song import printable


def reject_row(what: object, stage: str, reason: str) -> dict[str, str]:
    """Return a row of rejects.parquet."""
    return {"input": printable(what), "stage": stage, "reason": printable(reason)}
