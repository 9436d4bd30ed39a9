"""The clips of a MashupDB as they sound, and their beats, as a protocol wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mashnet.data.parts import FilePart, Part, SumPart
from mashnet.evaluation.subjects.split import DatabaseSplit


@dataclass(frozen=True)
class BeatClip:
    """A clip, all of its stems together, and when its beats are."""

    clip_id: str
    song: str
    mix: Part
    beats: tuple[float, ...]  # seconds
    duration_s: float
    is_exact: bool  # annotated together with what made the sound, not by a beat tracker


class ClipSource(Protocol):
    """Where the protocol gets clips from."""

    name: str
    split: str

    def clips(self) -> list[BeatClip]:
        """Return the clips of the split."""


class DatabaseClips(DatabaseSplit):
    """A ClipSource over one split."""

    def clips(self) -> list[BeatClip]:
        """Return the clips of the split that have stems, in the order of their songs."""
        parts: dict[str, list[Part]] = {}
        for stem in self.database.stems.sort("stem_id").iter_rows(named=True):
            facts = self.database.facts_of(stem["clip_id"])
            part = FilePart(self.database.audio_path(stem["stem_id"]), facts)
            parts.setdefault(stem["clip_id"], []).append(part)
        return [
            BeatClip(
                clip_id=row["clip_id"],
                song=row["song_id"],
                mix=SumPart(tuple(parts[row["clip_id"]])),
                beats=tuple(row["beats"] or ()),
                duration_s=row["duration_s"] or 0.0,
                # The pipelines give a certain key to annotations that came with the music.
                is_exact=row["key_confidence"] == 1.0,
            )
            for row in self.database.clips.sort("song_id", "clip_id").iter_rows(named=True)
            if self.split in ("all", row["split"]) and row["clip_id"] in parts
        ]
