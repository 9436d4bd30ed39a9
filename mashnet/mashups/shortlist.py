"""Which pairs of a library are worth being heard: judged before anything is moved.

PlaceNet compares all vocals with all accompaniments in beat time and says where each would lie; so
many of the best are rendered and heard by whoever judges. Songs whose bars cannot be compared (too
short, no downbeats) leave a library without such pairs: then those come first whose vocal is moved
least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.errors import MashnetError, StorageError
from mashnet.library.placing import PlacedPair, best_pairs
from mashnet.mashups.placed import placed
from mashnet.mashups.proposal import LibraryClip, Proposal
from mashnet.mashups.proposals import vocals_on_music
from mashnet.mashups.scorer_choice import ScorerChoice
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.scorer import Scorer
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, PLACED

_ALL_EXACT = 300  # clips: all pairs of so many are compared exactly in seconds
_KEPT = 5000  # pairs of a larger library, the likeliest; what a song may be in is limited later
PLACER = "placenet"  # the bundle that compares phrases where the user named no such network


@dataclass(frozen=True)
class Shortlist:
    """Pairs worth hearing, the likeliest first.

    Attributes:
        proposals: what would be heard.
        scores: of each, as whoever compared them sees it; empty where nobody could.
        compared: how many pairs were compared exactly before anything was moved.
        technique: how they are to be rendered.
        left_out: which songs could not be compared, and why, a line each.
    """

    proposals: list[Proposal]
    scores: list[float]
    compared: int
    technique: str
    left_out: list[str]


def placer_of(judge: Scorer | None, choices: Sequence[ScorerChoice]) -> PhraseScorer:
    """Return who compares phrases: the judge itself if it can, else the bundle, else fixed weights.

    Args:
        judge: who was named; None: nobody.
        choices: that there are.

    Raises:
        CheckpointError: if the bundle's files are missing or damaged.
    """
    if isinstance(judge, PhraseScorer):
        return judge
    for choice in choices:
        if choice.name == PLACER:
            loaded = choice.load()
            assert isinstance(loaded, PhraseScorer)
            return loaded
    # Its terms are weighed before it has learned anything; only the joint head would be missing.
    return PlaceNetScorer(PlaceNet(channels=0), PhraseFrontend(), name=PLACER)


def shortlist(
    database: MashupDB,
    placer: PhraseScorer,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    technique: str = PLACED,
    most: int,
) -> Shortlist:
    """Return pairs of a vocal and other songs' music within limits.

    Args:
        database: the library.
        placer: who compares.
        limits: how far a vocal may be moved.
        technique: how a pair is to be rendered; with another one than `PLACED` the placer only
            says which pairs are worth it.
        most: how many are worth being heard.
    """
    kept = None if database.clips.height <= _ALL_EXACT else max(most, _KEPT)
    found = best_pairs(database, placer, limits=limits, most=kept)
    if not found.pairs:
        technique = DEFAULT_TECHNIQUE if technique == PLACED else technique
        proposals = sorted(vocals_on_music(database, limits=limits), key=lambda p: p.distance)
        return Shortlist(proposals, [], 0, technique, found.left_out)
    moved = {} if technique == PLACED else _by_pair(vocals_on_music(database, limits=limits))
    proposals, scores = [], []
    for pair in found.pairs:
        if len(proposals) >= most:
            break
        if technique == PLACED:
            proposal = proposal_of(database, pair)
        else:
            proposal = moved.get((pair.base, pair.guest))
        if proposal is not None:
            proposals.append(proposal)
            scores.append(pair.placement.score)
    return Shortlist(proposals, scores, len(found.pairs), technique, found.left_out)


def proposal_of(database: MashupDB, pair: PlacedPair) -> Proposal | None:
    """Return a pair as it would be heard; None where the songs' beats do not allow the plan."""
    base, guest = (LibraryClip(database, clip_id) for clip_id in (pair.base, pair.guest))
    try:
        return placed(base, guest, pair.placement)
    except StorageError:
        raise
    except MashnetError:
        return None


def _by_pair(proposals: Sequence[Proposal]) -> dict[tuple[str, str], Proposal]:
    return {(p.base.clip_id, g.clip.clip_id): p for p in proposals for g in p.guests.values()}
