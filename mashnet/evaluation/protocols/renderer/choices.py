"""Which mashups each Scorer chose, rendered and measured; what two of them chose is done once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.audio.io import read_audio
from mashnet.evaluation.mashup_measures.measures import measure
from mashnet.evaluation.mashup_measures.spectral_balance import (
    long_term_spectrum_db,
    mean_spectrum_db,
)
from mashnet.evaluation.mashup_measures.statistics import BEST, ORIGINAL, WORST, Finished
from mashnet.mashups.choosing import choose
from mashnet.mashups.collection import Collection
from mashnet.mashups.proposals import Proposal
from mashnet.models.scorer import Scorer
from mashnet.progress import Progress


@dataclass(frozen=True)
class Choice:
    """A mashup that is to be rendered, and why.

    Attributes:
        kind: best, worst or original.
        rank: of its kind, from 1; of the worst 1 is the last.
        proposal: what is to be rendered.
        scores: Scorer → its score.
    """

    kind: str
    rank: int
    proposal: Proposal
    scores: Mapping[str, float]


def best_and_worst(
    proposals: Sequence[Proposal], scores: np.ndarray, *, top: int, bottom: int, per_song: int
) -> tuple[list[int], list[int]]:
    """Return which proposals stand first and which last; none stands in both lists.

    Where there are fewer than are asked for, both lists become shorter: else the best would be all
    there is, down to the worst.

    Args:
        proposals: that were judged.
        scores: shape (proposals,).
        top: how many of the best, at most.
        bottom: how many of the worst, at most.
        per_song: as base, and again as guest, a song stands in a list at most so often.
    """
    if top + bottom > len(proposals):
        share = round(len(proposals) * top / (top + bottom))
        top = max(min(top, 1), min(share, len(proposals) - min(bottom, 1)))
    best = choose(proposals, scores, top, per_song=per_song)
    rest = [index for index in range(len(proposals)) if index not in set(best)]
    worst = choose(
        [proposals[index] for index in rest], scores[rest], bottom, per_song=per_song, worst=True
    )
    return best, [rest[index] for index in worst]


def render_choices(
    choices: Mapping[str, Sequence[Choice]], collection: Collection
) -> dict[str, dict[str, Any]]:
    """Render what each Scorer chose; originals stand in the collection once.

    Args:
        choices: Scorer → what it chose, and the originals of its bases.
        collection: is added to.

    Returns:
        proposal_id → a row of the collection.
    """
    rows: dict[str, dict[str, Any]] = {}
    total = sum(map(len, choices.values()))
    with Progress(total=total, desc="rendering", unit="mashup") as bar:
        for scorer, chosen in choices.items():
            for choice in chosen:
                bar.update()
                is_original = choice.kind == ORIGINAL
                if is_original and choice.proposal.proposal_id in rows:
                    continue
                rows[choice.proposal.proposal_id] = collection.add(
                    choice.proposal,
                    system=ORIGINAL if is_original else scorer,
                    kind=choice.kind,
                    rank=choice.rank,
                    score=None if is_original else choice.scores[scorer],
                    scores=choice.scores,
                )
    return rows


def measure_choices(
    choices: Mapping[str, Sequence[Choice]],
    rows: Mapping[str, Mapping[str, Any]],
    collection: Collection,
    judge: Scorer | None,
) -> dict[str, list[Finished]]:
    """Measure what was rendered.

    A judge is not asked about what it chose itself. Spectra are compared with the mean of the
    originals of other songs than those of the mashup.

    Args:
        choices: Scorer → what it chose, and the originals of its bases.
        rows: of `render_choices`.
        collection: that they lie in.
        judge: whom to ask about layers; None: nobody.
    """
    distinct = {
        choice.proposal.proposal_id: choice.proposal
        for chosen in choices.values()
        for choice in chosen
    }
    paths = {name: collection.folder / rows[name]["audio"] for name in distinct}
    spectra = {
        proposal.base.song_id: _spectrum_db(paths[name])
        for name, proposal in distinct.items()
        if not proposal.guests
    }
    measured = {}
    for name in Progress(distinct, desc="measuring", unit="mashup"):
        proposal = distinct[name]
        guests = {role: guest.clip for role, guest in proposal.guests.items()}
        songs = {proposal.base.song_id, *(clip.song_id for clip in guests.values())}
        others = [spectrum for song, spectrum in spectra.items() if song not in songs]
        measured[name] = measure(
            paths[name],
            collection.song(proposal.base),
            {role: collection.song(clip) for role, clip in guests.items()},
            technique=collection.technique_of(proposal),
            placements=proposal.placements,
            engine=collection.engine,
            judge=judge,
            usual_spectrum_db=mean_spectrum_db(others),
        )
    finished: dict[str, list[Finished]] = {}
    for scorer, chosen in choices.items():
        own = {"judge_score": float("nan")} if judge and scorer == judge.name else {}
        finished[scorer] = [
            Finished(
                choice.kind,
                choice.rank,
                choice.scores[scorer],
                choice.proposal,
                paths[choice.proposal.proposal_id],
                tuple(rows[choice.proposal.proposal_id]["warnings"]),
                {**measured[choice.proposal.proposal_id], **own},
            )
            for choice in chosen
        ]
    return finished


def choices_of(
    proposals: Sequence[Proposal],
    scores: Mapping[str, np.ndarray],
    best: Sequence[int],
    worst: Sequence[int],
    originals: Sequence[Proposal],
    scores_of_originals: Mapping[str, np.ndarray],
) -> list[Choice]:
    """Return what one Scorer chose, and the originals of the same bases.

    Args:
        proposals: that were judged.
        scores: Scorer → shape (proposals,).
        best: and worst: indices of proposals.
        worst: see best.
        originals: of all bases that anybody chose.
        scores_of_originals: Scorer → shape (originals,).
    """
    bases = {proposals[index].base.clip_id for index in (*best, *worst)}
    found = [
        Choice(kind, rank, proposals[index], {n: float(v[index]) for n, v in scores.items()})
        for kind, indices in ((BEST, best), (WORST, worst))
        for rank, index in enumerate(indices, 1)
    ]
    own = [i for i, proposal in enumerate(originals) if proposal.base.clip_id in bases]
    return found + [
        Choice(
            ORIGINAL,
            rank,
            originals[index],
            {name: float(values[index]) for name, values in scores_of_originals.items()},
        )
        for rank, index in enumerate(own, 1)
    ]


def _spectrum_db(path: Path) -> np.ndarray:
    return long_term_spectrum_db(*read_audio(path))
