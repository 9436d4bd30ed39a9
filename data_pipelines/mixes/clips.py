"""The clips that mixes can be made of, and what each brings to one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.recipes import LEAD_IN_S
from mashnet.errors import DatabaseError
from mashnet.music.keys import Key


@dataclass(frozen=True)
class MixClip:
    """What a clip can bring to a mix."""

    clip_id: str
    song_id: str
    split: str
    key: Key
    tempo_bpm: float
    beats_per_bar: int
    first_downbeat_s: float
    duration_s: float
    stems: Mapping[str, tuple[str, ...]]  # role → stem_ids

    def sounds_for_s(self, ratio: float) -> float:
        """Return how long it sounds after its first downbeat at `ratio` times its tempo."""
        return (self.duration_s - self.first_downbeat_s) / ratio


@dataclass(frozen=True)
class Limits:
    """How far stems may be moved, and how long a mix is."""

    max_semitones: int
    min_ratio: float
    max_ratio: float
    min_s: float
    max_s: float


def usable_clips(database: MashupDB, limits: Limits) -> tuple[list[MixClip], Counter[str]]:
    """Return the clips that mixes can be made of, and how many lack what."""
    by_clip: dict[str, dict[str, list[str]]] = {}
    for row in database.stems.sort("stem_id").iter_rows(named=True):
        by_clip.setdefault(row["clip_id"], {}).setdefault(row["role"], []).append(row["stem_id"])
    clips, lacking = [], Counter[str]()
    for row in database.clips.sort("clip_id").iter_rows(named=True):
        stems = {r: tuple(ids) for r, ids in by_clip.get(row["clip_id"], {}).items() if r in ROLES}
        if not row["downbeats"] or not row["tempo_bpm"]:
            lacking["beats"] += 1
        elif row["key_tonic"] is None or row["key_mode"] is None:
            lacking["a key"] += 1
        elif not stems:
            lacking["stems with a role"] += 1
        elif not all(
            _leads_to_a_file(database, stem_id) for of in stems.values() for stem_id in of
        ):
            lacking["usable paths of its stems"] += 1
        else:
            clip = MixClip(
                clip_id=row["clip_id"],
                song_id=row["song_id"],
                split=row["split"],
                key=Key(row["key_tonic"], row["key_mode"]),
                tempo_bpm=row["tempo_bpm"],
                beats_per_bar=row["beats_per_bar"] or 4,
                first_downbeat_s=row["downbeats"][0],
                duration_s=row["duration_s"],
                stems=stems,
            )
            if clip.sounds_for_s(1.0) - LEAD_IN_S < limits.min_s:
                lacking[f"{limits.min_s + LEAD_IN_S:g} s from the first downbeat"] += 1
            else:
                clips.append(clip)
    return clips, lacking


def _leads_to_a_file(database: MashupDB, stem_id: str) -> bool:
    try:
        database.audio_path(stem_id)
    except DatabaseError:
        return False
    return True
