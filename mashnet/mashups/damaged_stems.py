"""Proposals whose stems cannot be read: found by rendering their parts, and told."""

from __future__ import annotations

from collections.abc import Sequence

from mashnet.data.mixes.part_store import PartStore
from mashnet.mashups.proposals import Proposal


def damaged_proposals(store: PartStore, proposals: Sequence[Proposal]) -> dict[str, str]:
    """Render what Scorers hear and what is not on disk yet.

    Args:
        store: that the proposals' parts belong to.
        proposals: what is to be heard.

    Returns:
        proposal_id → reason, of those with a stem that cannot be read.
    """
    parts = [part for p in proposals for part in (*p.query.values(), *p.candidate.values())]
    failed = store.failures(parts)
    found = {}
    for proposal in proposals:
        for part in (*proposal.query.values(), *proposal.candidate.values()):
            if part.part_id in failed:
                found[proposal.proposal_id] = failed[part.part_id]
    return found


def damage_notes(failed: dict[str, str]) -> list[str]:
    """Say what could not be heard, one sentence for each reason."""
    return [f"Left out: {reason}" for reason in dict.fromkeys(failed.values())]
