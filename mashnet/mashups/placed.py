"""A proposal of two clips of which one lies where a placement says.

What a Scorer hears is what the renderer plays: the guest follows the base's beats. By default it
is the placed phrase and nothing else, so that the phrase is judged and not what surrounds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mashnet.audio.stretch import require_beatwise
from mashnet.data.mixes.candidates import UNPITCHED_ROLE
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.mixes.rendering import RenderedPart
from mashnet.data.roles import MUSIC, VOCAL, music_roles
from mashnet.errors import DatabaseError
from mashnet.mashups.own_parts import engine_of, kept, own_parts
from mashnet.mashups.proposal import Guest, LibraryClip, Proposal
from mashnet.music.bar_starts import bar_starts_s, phrase_s
from mashnet.music.placement import Placement
from mashnet.music.song_facts import SongFacts, facts_of
from mashnet.rendering.keyframes import without_jumps
from mashnet.rendering.placed import meeting_of
from mashnet.rendering.plan import PLACED, plan_guest


def placed(
    base: LibraryClip,
    guest: LibraryClip,
    placement: Placement,
    *,
    stays: Sequence[str] = MUSIC,
    whole: bool = False,
    store: PartStore | None = None,
) -> Proposal:
    """Propose a guest's vocal on a base's music, or its music under the base's vocal.

    Args:
        base: whose time stays as it is.
        guest: who is moved.
        placement: where its phrase lies.
        stays: what of the base asks, its music or its vocal; the other is the guest's.
        whole: whether all of the base's clip is heard, and not only the bars of the phrase.
        store: where rendered parts are kept, for several Scorers to hear; None: nowhere.

    Returns:
        The proposal. Where the guest jumps by a beat to keep bar lines together (a tracker's slip,
        a bar too long) it hurries or lingers through that bar here.

    Raises:
        ConfigError: if a song has no such bar, or the store's engine cannot follow beats.
        DatabaseError: if one of the two has no vocal, or no music.
    """
    engine = engine_of(store)
    require_beatwise(engine)
    asks = _roles(base, VOCAL not in stays)
    answers = _roles(guest, VOCAL in stays)
    facts = facts_of(base.row)
    keyframes_s = _keyframes(facts, facts_of(guest.row), placement)
    heard_s = (0.0, facts.duration_s)
    if not whole:
        heard_s = phrase_s(facts, placement.base_bar, placement.bars)
    start_s, end_s = heard_s
    stems = guest.database.sounding_stems[guest.clip_id]
    candidate = {
        role: kept(
            RenderedPart(
                stem_ids=tuple(stem["stem_id"] for stem in stems[role]),
                paths=tuple(guest.database.audio_path(s["stem_id"]) for s in stems[role]),
                semitones=0 if role == UNPITCHED_ROLE else placement.shift.in_semitones,
                tempo_ratio=1.0,  # key frames say more
                place_s=0.0,
                keyframes_s=tuple((guest_s, at_s - start_s) for guest_s, at_s in keyframes_s),
                duration_s=end_s - start_s,
                force=True,
                engine=engine,
                song=guest.database.facts_of(guest.clip_id),
            ),
            store,
        )
        for role in answers
    }
    moved = Guest(
        guest,
        placement.semitones,
        placement.tempo_ratio,
        placement.tempo_level,
        placement.cents,
        placement,
    )
    query = own_parts(base, asks, store, heard_s)
    return Proposal(base, dict.fromkeys(answers, moved), query, candidate)


def _roles(clip: LibraryClip, music: bool) -> tuple[str, ...]:
    """Return which roles a clip gives: its music, or its vocal."""
    sounding = clip.database.sounding_stems.get(clip.clip_id, {})
    vocal = (VOCAL,) if VOCAL in sounding else ()
    roles = music_roles(sounding) if music else vocal
    if not roles:
        raise DatabaseError(f"{clip.title} has no {'music' if music else VOCAL} to be heard")
    return roles


def _keyframes(
    base: SongFacts, guest: SongFacts, placement: Placement
) -> tuple[tuple[float, float], ...]:
    """Return which time of the guest sounds at which time of the base."""
    meeting_of(placement, base, guest)  # a plan of songs without beats would lay them anywhere
    plan = plan_guest(base, guest, PLACED, placement=placement)
    starts_s = bar_starts_s(base)
    bar_s = float(np.median(np.diff(starts_s))) if len(starts_s) > 1 else base.duration_s
    return without_jumps(plan.pieces, bar_s)
