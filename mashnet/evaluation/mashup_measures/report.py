"""Finished mashups as a report shows them: a table, players beside figures, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from mashnet.data.song_clips import VOCAL
from mashnet.evaluation.mashup_measures.measures import MEASURES
from mashnet.evaluation.mashup_measures.statistics import ORIGINAL, Finished
from mashnet.evaluation.results import SoundExample
from mashnet.mashups.proposals import Proposal

_FEW = 10  # songs; from fewer a bootstrap draws too little variety
# Why a figure may be missing.
_MISSING = {
    "judge_score": "a role does not sound",
    "beat_error_ms": "fewer than 8 beats can be recognised in what the guest plays",
    "planned_beat_error_ms": "a song has no beats, or the guest does not sound",
    "onset_error_ms": "the base has no beats, or the guest has fewer than 8 onsets",
    "key_clash": "voice and pitched music never sound together",
    "masked": "there is no voice",
    "spectrum_distance_db": "there are no originals of other songs to compare with",
    "loudness_range_lu": "they are silent, or shorter than 3 s",
    "lufs": "they are silent",
    "true_peak_db": "they are silent",
}


def what_is_missing(
    finished: Mapping[str, Sequence[Finished]], judge: str | None, without_vocal: int
) -> list[str]:
    """Say what could not be measured, and why.

    Args:
        finished: Scorer → what it chose, and the originals of its bases.
        judge: name of the judge; None: nobody.
        without_vocal: how many bases have no original.
    """
    notes = []
    if judge is None:
        notes.append("No judge was named (judge=…), so that there are no judge's scores.")
    elif judge in finished:
        notes.append(f"{judge} is the judge: what it chose itself has no judge's score.")
    fewest = min(len({i.proposal.base.song_id for i in items}) for items in finished.values())
    if fewest < _FEW:
        notes.append(
            f"The mashups of a Scorer have as few as {fewest} songs as bases: intervals drawn from "
            f"so few are too narrow."
        )
    if without_vocal:
        notes.append(f"{without_vocal} bases have no vocal of their own, and so no original.")
    for name, reason in _MISSING.items():
        items = [
            item
            for scorer, chosen in finished.items()
            for item in chosen
            if not (MEASURES[name].moved and item.kind == ORIGINAL)
            and not (name == "judge_score" and judge in (None, scorer))
        ]
        lacking = [item for item in items if not np.isfinite(item.measured[name])]
        if lacking:
            notes.append(f"{name}: {len(lacking)} of {len(items)} have none ({reason}).")
    return notes


def table(
    scorer: str, finished: Sequence[Finished], proposals: Sequence[Proposal], scores: np.ndarray
) -> pl.DataFrame:
    """Return one row per mashup that was ranked, and per original, with measures where rendered."""
    by_id = {item.proposal.proposal_id: item for item in finished}
    originals = [item for item in finished if item.kind == ORIGINAL]
    ranked = [(p, float(score)) for p, score in zip(proposals, scores, strict=True)]
    rows = []
    for proposal, score in ranked + [(item.proposal, item.score) for item in originals]:
        item = by_id.get(proposal.proposal_id)
        guest = proposal.guests.get(VOCAL)
        rows.append(
            {
                "scorer": scorer,
                "kind": item.kind if item else None,
                "rank": item.rank if item else None,
                "base_clip_id": proposal.base.clip_id,
                "base_song_id": proposal.base.song_id,
                "base_title": proposal.base.title,
                "vocal_clip_id": guest.clip.clip_id if guest else None,
                "vocal_song_id": guest.clip.song_id if guest else None,
                "vocal_title": guest.clip.title if guest else None,
                "score": score,
                "audio": item.audio.name if item else None,
                **{name: item.measured[name] if item else None for name in MEASURES},
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None, nan_to_null=True)


def sound_examples(finished: Mapping[str, Sequence[Finished]]) -> list[SoundExample]:
    """Return every mashup beside its figures, without those that nobody has."""
    known = [
        name
        for name in MEASURES
        if any(np.isfinite(item.measured[name]) for items in finished.values() for item in items)
    ]
    return [
        SoundExample(
            group=scorer,
            label=f"{item.kind} {item.rank}",
            title=_title(item.proposal),
            audio=item.audio,
            figures={"score": item.score, **{name: item.measured[name] for name in known}},
            remarks=item.warnings,
        )
        for scorer, items in finished.items()
        for item in items
    ]


def _title(proposal: Proposal) -> str:
    guest = proposal.guests.get(VOCAL)
    if guest is None:
        return f"{proposal.base.title}, as it is"
    return f"the vocal of {guest.clip.title} on {proposal.base.title}"
