"""The songs of a MashupDB as mashups are made of them: a vocal, and what accompanies it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from mashnet.audio.levels import ACTIVE_ABOVE_DB
from mashnet.data.mashupdb import ROLES
from mashnet.data.parts import FilePart, Group, Part, SumPart
from mashnet.errors import require_one_of
from mashnet.evaluation.database_split import DatabaseSplit

WHICH = ("one", "all")  # clips of a song
VOCAL = "vocal"


@dataclass(frozen=True)
class SongClip:
    """A clip of a song, parted into its vocal and its accompaniment."""

    clip_id: str
    song: str
    title: str
    vocal: Group
    music: Group  # harmonic and percussion
    duration_s: float


class SongSource(Protocol):
    """Where the protocol gets songs from."""

    name: str
    split: str

    def clips(self, which: str) -> list[SongClip]:
        """Return one clip of each song, or all."""

    def left_out(self) -> list[str]:
        """Say what of the split does not take part, one sentence for each reason."""


class DatabaseSongs(DatabaseSplit):
    """A SongSource over the clips of one split in which all three roles sound."""

    def clips(self, which: str) -> list[SongClip]:
        """Return clips in the order of their songs.

        Args:
            which: one: of each song the clip whose vocal sounds for longest; or all.

        Raises:
            ConfigError: if `which` is something else.
        """
        require_one_of("protocol.clips", which, WHICH)
        by_song: dict[str, list[str]] = {}
        for clip_id in self._complete:
            by_song.setdefault(self.database.clip_rows[clip_id]["song_id"], []).append(clip_id)
        if which == "one":
            by_song = {s: [max(clips, key=self._sung_s)] for s, clips in by_song.items()}
        return [self._clip(clip_id) for clips in by_song.values() for clip_id in clips]

    def left_out(self) -> list[str]:
        """Say what of the split does not take part."""
        missing = len(self._sounding) - len(self._complete)
        if not missing:
            return []
        return [
            f"{missing} of {len(self._sounding)} clips are left out: not all of {', '.join(ROLES)} "
            f"sound in them."
        ]

    @cached_property
    def _sounding(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of stems that sound and have a role, by clip_id, for each clip of the split."""
        clips: dict[str, list[dict[str, Any]]] = {
            row["clip_id"]: []
            for row in self.database.clips.sort("song_id", "clip_id").iter_rows(named=True)
            if self.split in ("all", row["split"])
        }
        for row in self.database.stems.sort("stem_id").iter_rows(named=True):
            sounds = row["rms_db"] is None or row["rms_db"] > ACTIVE_ABOVE_DB
            if row["clip_id"] in clips and row["role"] in ROLES and sounds:
                clips[row["clip_id"]].append(row)
        return clips

    @cached_property
    def _complete(self) -> dict[str, list[dict[str, Any]]]:
        return {
            clip: stems
            for clip, stems in self._sounding.items()
            if {stem["role"] for stem in stems} == set(ROLES)
        }

    def _sung_s(self, clip_id: str) -> float:
        """Return for how many seconds the vocals of a clip sound, the most active one counting."""
        shares = [
            1.0 if stem["active_ratio"] is None else stem["active_ratio"]
            for stem in self._complete[clip_id]
            if stem["role"] == VOCAL
        ]
        return max(shares) * (self.database.clip_rows[clip_id]["duration_s"] or 0.0)

    def _clip(self, clip_id: str) -> SongClip:
        row = self.database.clip_rows[clip_id]
        stems = self._complete[clip_id]
        group = {role: self._part([s for s in stems if s["role"] == role]) for role in ROLES}
        return SongClip(
            clip_id=clip_id,
            song=row["song_id"],
            title=row["title"] or clip_id,
            vocal={VOCAL: group.pop(VOCAL)},
            music=group,
            duration_s=row["duration_s"] or 0.0,
        )

    def _part(self, stems: Sequence[Mapping[str, Any]]) -> Part:
        parts: list[Part] = [FilePart(self.database.audio_path(s["stem_id"])) for s in stems]
        return parts[0] if len(parts) == 1 else SumPart(tuple(parts))
