"""Which accompaniments of a seed are worth being rendered: those that fit best as they lie."""

from __future__ import annotations

from collections.abc import Sequence

from mashnet.data.roles import ACCOMPANIMENT, HARMONIC, VOCAL
from mashnet.errors import ConfigError
from mashnet.evaluation.subjects.seeds import Seed
from mashnet.library.as_they_lie import unmoved
from mashnet.mashups.proposal import LibraryClip, Proposal
from mashnet.mashups.scorer_choice import scorer_choices
from mashnet.mashups.shortlist import placer_of
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.scorer import Scorer


def likeliest(seeds: Sequence[Seed], scorers: Sequence[Scorer], count: int) -> list[Seed]:
    """Keep the candidates of each seed that PlaceNet likes best.

    Args:
        seeds: vocals with candidates; their own accompaniments stay.
        scorers: who is asked; the first of them that compares phrases says it, else who
            `placer_of` names.
        count: candidates of each seed, at most. Harmony says it: percussion has no bars of its own
            that a vocal could belong to. What cannot be compared comes last, as it was drawn.

    Raises:
        ConfigError: if none is to be kept.
    """
    if count < 1:
        raise ConfigError(f"protocol.shortlist={count} must be at least 1")
    named = next((scorer for scorer in scorers if isinstance(scorer, PhraseScorer)), None)
    placer = placer_of(named, scorer_choices())
    known: dict[tuple[str, str], float] = {}

    def score(base: LibraryClip, proposal: Proposal) -> float:
        role = ACCOMPANIMENT if ACCOMPANIMENT in proposal.guests else HARMONIC
        clip = proposal.guests[role].clip
        if (base.clip_id, clip.clip_id) not in known:
            vocal = unmoved(base.database, base.clip_id, (VOCAL,))
            music = unmoved(clip.database, clip.clip_id, (role,))
            try:
                known[base.clip_id, clip.clip_id] = placer.place(vocal, music).score
            except ConfigError:
                known[base.clip_id, clip.clip_id] = float("-inf")
        return known[base.clip_id, clip.clip_id]

    return [
        Seed(
            seed.base,
            sorted(seed.candidates, key=lambda p: -score(seed.base, p))[:count],
            seed.own,
        )
        for seed in seeds
    ]


def shortlist_note(count: int | None) -> list[str]:
    """Say that not all candidates were judged, if that is so."""
    if count is None:
        return []
    return [
        f"Of each vocal's candidates the {count} that fit best as they lie are judged: ranks are "
        f"among them, and the own accompaniment is always one more."
    ]
