"""Clips of a library compared with a query as they lie, before anything is moved."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterator, Sequence

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.parts import FilePart, Group, Part, SumPart
from mashnet.errors import AudioError, ConfigError
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.music.placement import Placement


def unmoved(database: MashupDB, clip_id: str, roles: Sequence[str]) -> Group:
    """Return roles of a clip as parts that know their music."""
    stems, facts = database.sounding_stems[clip_id], database.facts_of(clip_id)
    group: dict[str, Part] = {}
    for role in roles:
        parts = [FilePart(database.audio_path(stem["stem_id"]), facts) for stem in stems[role]]
        group[role] = parts[0] if len(parts) == 1 else SumPart(tuple(parts))
    return group


def placed_clips(
    scorer: PhraseScorer,
    query: Group,
    database: MashupDB,
    roles: Sequence[str],
    limits: Limits,
    among: Container[str] | None = None,
) -> Iterator[tuple[str, Placement]]:
    """Yield clips that bring some roles, and where each would be laid on a query.

    Args:
        scorer: who compares.
        query: whose parts know their music.
        database: the library.
        roles: that a clip must bring.
        limits: how far it may be moved.
        among: clip ids that come into question; None: all.

    Yields:
        Those within limits that can be compared with the query.
    """
    slowest, fastest = limits.tempo_range
    for clip_id in sorted(database.clip_rows):
        stems = database.sounding_stems.get(clip_id, {})
        if (among is not None and clip_id not in among) or not set(roles) <= set(stems):
            continue
        try:
            found = scorer.place(query, unmoved(database, clip_id, roles))
        except ConfigError:  # too short, another metre, no bars
            continue
        except (OSError, AudioError) as error:
            print(f"{clip_id} is left out: {error}", file=sys.stderr)
            continue
        near = slowest <= found.tempo_ratio <= fastest
        level = found.tempo_level in limits.levels
        if near and level and abs(found.semitones) <= limits.max_semitones:
            yield clip_id, found
