"""Proposals: mashups that could be made of a library, as queries and candidates for a Scorer.

Two ways to go together:

* a vocal on music: the base keeps its time, key and accompaniment, the guest gives the vocal. This
  is what the renderer makes of two songs, and all ordered pairs of a library are proposed;
* music under a vocal: the base keeps its vocal; harmonic and percussion come from one or two
  other songs. This is the retrieval task of the mashability paper (Huang et al., AAAI 2021): a
  vocal is the seed, and so many accompaniments are its candidates.

Guests are moved to the base by one shift, one ratio and the first downbeat, within limits, and are
heard as long as the base's clip. All parts pass the time-stretching engine, those that need not
move too, so that its traces tell a Scorer nothing.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import product

import numpy as np

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Candidate, Limits, Target, candidates_for
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.parts import Group
from mashnet.data.roles import ACCOMPANIMENT, MUSIC, VOCAL
from mashnet.data.song_clips import clips_with
from mashnet.files import content_id
from mashnet.mashups.own_parts import engine_of, kept, music_of, own_parts
from mashnet.mashups.proposal import Guest as Guest
from mashnet.mashups.proposal import LibraryClip as LibraryClip
from mashnet.mashups.proposal import Proposal as Proposal
from mashnet.music.keys import Key
from mashnet.music.tempo_levels import ONE_LEVEL
from mashnet.music.tunings import tuning_of


def vocals_on_music(
    database: MashupDB,
    *,
    split: str = "all",
    limits: Limits = Limits(),  # noqa: B008 - frozen
    which: str = "one",
    bases: Container[str] | None = None,
    store: PartStore | None = None,
) -> list[Proposal]:
    """Propose every song's vocal for every other song's accompaniment.

    Args:
        database: the library.
        split: train, val, test or all.
        limits: how far a vocal may be moved.
        which: one clip of each song, or all.
        bases: clips that may be bases; None: all.
        store: where rendered parts are kept, for several Scorers to hear; None: nowhere.

    Returns:
        A proposal per ordered pair of songs within the limits, base by base.
    """
    guests = set(clips_with(database, [VOCAL], split=split, which=which))
    found = []
    for clip_id in clips_with(database, MUSIC, split=split, which=which):
        if bases is not None and clip_id not in bases:
            continue
        base = LibraryClip(database, clip_id)
        target = _target(base)
        if target is None:
            continue
        query = own_parts(base, music_of(base), store)
        for candidate in _moved(target, base, database, (VOCAL,), limits, guests, store):
            found.append(_proposal(base, query, {VOCAL: candidate}, database, store))
    return found


def music_under_vocals(
    seeds: MashupDB,
    library: MashupDB,
    *,
    split: str = "all",
    library_split: str | None = None,
    limits: Limits = Limits(levels=ONE_LEVEL, tuned=False),  # noqa: B008 - frozen
    num_candidates: int = 180,
    seed: int = 0,
    least_covered: float = 0.9,
    store: PartStore | None = None,
) -> list[list[Proposal]]:
    """Propose accompaniments of a library for each vocal of another (or the same).

    Args:
        seeds: whose vocals; one clip of each song of the split.
        library: whose harmonic and percussion stems; each pair of two clips within the limits is
            an accompaniment, two of one clip among them. The seed's own song is not asked.
        split: of the seeds.
        library_split: of the accompaniments; None: the same.
        limits: how far the accompaniment may be moved; tempi as they are written, and no tuning,
            unless it says more: that is the paper's rule.
        num_candidates: at most so many per seed, drawn evenly if there are more.
        seed: of the draw.
        least_covered: share of the seed's clip in which a candidate must have sound: where others
            fall silent, a vocal's own accompaniment would be known by its length.
        store: where rendered parts are kept; None: nowhere.

    Returns:
        For each vocal with a tempo, a key and a first downbeat its proposals; none where nothing
        of the library fits.
    """
    by_role = {
        role: set(clips_with(library, [role], split=library_split or split, which="one"))
        for role in (*MUSIC, ACCOMPANIMENT)
    }
    found = []
    for clip_id in clips_with(seeds, [VOCAL], split=split, which="one"):
        base = LibraryClip(seeds, clip_id)
        target = _target(base)
        if target is None:
            continue
        query = own_parts(base, (VOCAL,), store)
        of_role = {
            role: [
                candidate
                for candidate in _moved(
                    target, base, library, (role,), limits, by_role[role], store
                )
                if covered(candidate, target) >= least_covered
            ]
            for role in by_role
        }
        answers = [
            dict(zip(MUSIC, pair, strict=True))
            for pair in product(*(of_role[role] for role in MUSIC))
        ]
        answers += [{ACCOMPANIMENT: candidate} for candidate in of_role[ACCOMPANIMENT]]
        if len(answers) > num_candidates:
            generator = np.random.default_rng([seed, int(content_id(clip_id), 16)])
            drawn = generator.choice(len(answers), num_candidates, replace=False)
            answers = [answers[index] for index in sorted(drawn)]
        found.append([_proposal(base, query, answer, library, store) for answer in answers])
    return found


def covered(candidate: Candidate, target: Target) -> float:
    """Return in which share of the target a candidate's clip has begun and has not ended."""
    first_s = target.first_downbeat_s - candidate.clip["downbeats"][0] / candidate.tempo_ratio
    last_s = first_s + candidate.clip["duration_s"] / candidate.tempo_ratio
    return max(0.0, min(target.duration_s, last_s) - max(0.0, first_s)) / target.duration_s


def original(
    base: LibraryClip,
    stays: Sequence[str] = MUSIC,
    store: PartStore | None = None,
    heard_s: tuple[float, float] | None = None,
) -> Proposal:
    """Return a song as it is, as a question of the same kind.

    Args:
        base: a clip in which a vocal and its music sound.
        stays: what asks, the music or the vocal; the other answers.
        store: where rendered parts are kept; None: nowhere.
        heard_s: begin and end of the stretch that is heard; None: the whole clip.
    """
    music = music_of(base)
    asks, answers = ((VOCAL,), music) if VOCAL in stays else (music, (VOCAL,))
    query, candidate = (own_parts(base, roles, store, heard_s) for roles in (asks, answers))
    return Proposal(base, {}, query, candidate)


def _target(base: LibraryClip) -> Target | None:
    row = base.row
    if not row["tempo_bpm"] or not row["downbeats"] or row["key_tonic"] is None:
        return None
    key = Key(row["key_tonic"], row["key_mode"])
    return Target(
        row["tempo_bpm"],
        row["downbeats"][0],
        key,
        row["duration_s"],
        row["beats_per_bar"],
        tuning_of(row),
    )


def _moved(
    target: Target,
    base: LibraryClip,
    library: MashupDB,
    roles: tuple[str, ...],
    limits: Limits,
    among: set[str],
    store: PartStore | None,
) -> list[Candidate]:
    found = candidates_for(
        target, library, roles, limits=limits, among=among, engine=engine_of(store), force=True
    )
    return [candidate for candidate in found if candidate.clip["song_id"] != base.song_id]


def _proposal(
    base: LibraryClip,
    query: Group,
    answers: Mapping[str, Candidate],
    library: MashupDB,
    store: PartStore | None,
) -> Proposal:
    guests = {
        role: Guest(
            LibraryClip(library, found.clip["clip_id"]),
            found.semitones,
            found.tempo_ratio,
            found.tempo_level,
            found.cents,
        )
        for role, found in answers.items()
    }
    parts = {role: kept(found.group[role], store) for role, found in answers.items()}
    return Proposal(base, guests, query, parts)
