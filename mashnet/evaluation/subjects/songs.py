"""The songs of a MashupDB as mashups are made of them: a vocal, and what accompanies it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mashnet.data.parts import FilePart, Group, Part, SumPart
from mashnet.data.roles import ROLES, VOCAL, music_roles
from mashnet.data.song_clips import clips_of_split, clips_with
from mashnet.evaluation.subjects.split import DatabaseSplit


@dataclass(frozen=True)
class SongClip:
    """A clip of a song, parted into its vocal and its accompaniment."""

    clip_id: str
    song: str
    title: str
    vocal: Group
    music: Group  # harmonic and percussion, or one accompaniment
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
    """A SongSource over the clips of one split in which a vocal and its music sound."""

    def clips(self, which: str) -> list[SongClip]:
        """Return clips in the order of their songs.

        Args:
            which: one: of each song the clip whose vocal sounds for longest; or all.

        Raises:
            ConfigError: if `which` is something else.
        """
        found = clips_with(self.database, ROLES, split=self.split, which=which)
        return [self._clip(clip_id) for clip_id in found]

    def left_out(self) -> list[str]:
        """Say what of the split does not take part."""
        clips = len(clips_of_split(self.database, self.split))
        missing = clips - len(clips_with(self.database, ROLES, split=self.split, which="all"))
        if not missing:
            return []
        return [
            f"{missing} of {clips} clips are left out: not all of {', '.join(ROLES)} sound in them."
        ]

    def _clip(self, clip_id: str) -> SongClip:
        row = self.database.clip_rows[clip_id]
        stems = self.database.sounding_stems[clip_id]
        group = {role: self._part(stems[role]) for role in (VOCAL, *music_roles(stems))}
        return SongClip(
            clip_id=clip_id,
            song=row["song_id"],
            title=row["title"] or clip_id,
            vocal={VOCAL: group.pop(VOCAL)},
            music=group,
            duration_s=row["duration_s"] or 0.0,
        )

    def _part(self, stems: Sequence[Mapping[str, Any]]) -> Part:
        parts: list[Part] = [
            FilePart(self.database.audio_path(s["stem_id"]), self.database.facts_of(s["clip_id"]))
            for s in stems
        ]
        return parts[0] if len(parts) == 1 else SumPart(tuple(parts))
