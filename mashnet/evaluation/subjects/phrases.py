"""Phrases of a MashupDB: whole bars in which a vocal and its music sound, as they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mashnet.data.parts import Group, Part, SlicedPart, SumPart
from mashnet.data.phrases.beat_store import BeatStore, Side, SideInBeats
from mashnet.data.phrases.pairs import music_side, vocal_side
from mashnet.data.phrases.phrase import LEAST_SOUNDING, SOUNDS_ABOVE
from mashnet.data.roles import VOCAL, music_roles
from mashnet.data.song_clips import clips_of_split
from mashnet.evaluation.subjects.apart import ApartFacts
from mashnet.evaluation.subjects.decoded_stems import DecodedStems, StemPart
from mashnet.evaluation.subjects.split import DatabaseSplit
from mashnet.mashups.proposal import LibraryClip
from mashnet.music.bars import Bars, bars_of
from mashnet.music.song_facts import SongFacts


@dataclass(frozen=True)
class PhraseWindow:
    """Some whole bars of a clip.

    Attributes:
        clip_id: of the clip.
        song: it is cut from.
        group: of songs that share their makers: what a bootstrap draws.
        bar: the first, counted by the clip's downbeats.
        bars: how many.
        is_exact: whether beats and key were annotated with what made the sound.
    """

    clip_id: str
    song: str
    group: str
    bar: int
    bars: int
    is_exact: bool

    @property
    def window_id(self) -> str:
        """Names it: clip and first bar."""
        return f"{self.clip_id}:{self.bar}+{self.bars}"


Pair = tuple[Group, Group]  # a vocal, and music


class PhraseSource(Protocol):
    """Where the protocol gets phrases from."""

    name: str
    split: str

    def windows(self, bars: int) -> list[PhraseWindow]:
        """Return windows of so many bars, of one metre; no two of a clip overlap."""

    def pair(self, window: PhraseWindow) -> Pair:
        """Return the vocal and the music of a window, where they lie."""

    def pairs_apart(self, windows: Sequence[PhraseWindow]) -> list[Pair | None]:
        """Return the same, each cut by what another half of the clip says of beats and key."""

    def whole_database(self) -> PhraseSource:
        """Return the phrases of all splits."""

    def clips(self) -> list[str]:
        """Return the clips that can have windows."""

    def clip(self, clip_id: str) -> LibraryClip:
        """Return a clip as mashups are made of it."""

    def bars(self, clip_id: str) -> Bars:
        """Return the bars of a clip that has windows."""

    def music_in_beats(self, clip_id: str) -> SideInBeats:
        """Return the music of a clip that has windows, bar by bar."""

    def whole(self, clip_id: str, roles: Sequence[str]) -> Group:
        """Return roles of a clip as they lie."""

    def left_out(self) -> list[str]:
        """Say which clips of the split take no part, and why."""


def group_of(row: Mapping[str, Any]) -> str:
    """Return whose songs a clip's song belongs to: the package or the artist, else itself."""
    return str(row.get("group") or row["song_id"])


class DatabasePhrases(DatabaseSplit):
    """A PhraseSource over one split. What is read in beat time is kept in the database's cache."""

    def __init__(self, root: str | Path, *, split: str) -> None:
        """Open the database; raises as `DatabaseSplit`."""
        super().__init__(root, split=split)
        self._decoded = DecodedStems()
        self._store = BeatStore(self.database)
        self._without: Counter[str] = Counter()

    def windows(self, bars: int) -> list[PhraseWindow]:
        """Return windows of so many bars in which both sides sound, clip by clip, in order.

        Args:
            bars: of each window; from the first whole bars on, as many as go into a clip.
        """
        found = []
        for clip_id, (vocal, music) in self._sides.items():
            row = self.database.clip_rows[clip_id]
            sounding = _sounding(vocal, bars) & _sounding(music, bars)
            starts, bar = [], 0
            begins = set(self.bars(clip_id).phrases(bars).tolist())
            while bar + bars <= len(vocal.whole):
                if bar in begins and sounding[bar]:
                    starts.append(bar)
                    bar += bars
                else:
                    bar += 1
            found += [
                PhraseWindow(
                    clip_id,
                    row["song_id"],
                    group_of(row),
                    start,
                    bars,
                    is_exact=row["key_confidence"] == 1.0,
                )
                for start in starts
            ]
        return found

    def pair(self, window: PhraseWindow) -> Pair:
        """Return the vocal and the music of a window, where they lie."""
        times_s = self.bars(window.clip_id).times_s
        stretch_s = times_s[window.bar, 0], times_s[window.bar + window.bars - 1, -1]
        facts = self.database.facts_of(window.clip_id)
        music = self._music_roles(window.clip_id)
        return (
            self._cut(window.clip_id, (VOCAL,), facts, stretch_s),
            self._cut(window.clip_id, music, facts, stretch_s),
        )

    def pairs_apart(self, windows: Sequence[PhraseWindow]) -> list[Pair | None]:
        """Return the same, the vocal cut by what the clip's first half says of beats and key.

        The music is cut by what the second half says. Each side has as many bars as the window,
        from its own downbeat nearest to where the window begins.

        Returns:
            None where a half says nothing, or has no so many bars within the clip.
        """
        halves = ApartFacts(self.database).of(window.clip_id for window in windows)
        return [self._pair_apart(window, *halves[window.clip_id]) for window in windows]

    def whole_database(self) -> DatabasePhrases:
        """Return the phrases of all splits."""
        return DatabasePhrases(self.database.root, split="all")

    def clips(self) -> list[str]:
        """Return the clips that can have windows: with a vocal, music, whole bars and a key."""
        return list(self._sides)

    def clip(self, clip_id: str) -> LibraryClip:
        """Return a clip as mashups are made of it."""
        return LibraryClip(self.database, clip_id)

    def bars(self, clip_id: str) -> Bars:
        """Return the bars of a clip that has windows."""
        bars = self._store.bars(clip_id)
        assert bars is not None
        return bars

    def music_in_beats(self, clip_id: str) -> SideInBeats:
        """Return the music of a clip that has windows, bar by bar."""
        return self._sides[clip_id][1]

    def whole(self, clip_id: str, roles: Sequence[str]) -> Group:
        """Return roles of a clip as they lie."""
        return self._parts(clip_id, roles, self.database.facts_of(clip_id))

    def left_out(self) -> list[str]:
        """Say which clips of the split take no part, and why."""
        clips = len(self._sides) + self._without.total()
        reasons = [f"{count} {reason}" for reason, count in sorted(self._without.items())]
        if not reasons:
            return []
        return [f"{self._without.total()} of {clips} clips take no part: {', '.join(reasons)}."]

    @cached_property
    def _sides(self) -> dict[str, tuple[SideInBeats, SideInBeats]]:
        """Vocal and music of each clip of the commonest metre that has what is needed."""
        wanted: dict[str, tuple[Side, Side]] = {}
        for clip_id in clips_of_split(self.database, self.split):
            vocal, music = vocal_side(self.database, clip_id), music_side(self.database, clip_id)
            if vocal is None or music is None:
                self._without["without a vocal or without all of its music"] += 1
            elif self._store.bars(clip_id) is None:
                self._without["without whole bars"] += 1
            elif self.database.facts_of(clip_id).key is None:
                self._without["without a key"] += 1
            else:
                wanted[clip_id] = vocal, music
        metres = Counter(self.bars(clip_id).beats_per_bar for clip_id in wanted)
        metre = max(metres, key=lambda m: (metres[m], m), default=0)
        others = [c for c in wanted if self.bars(c).beats_per_bar != metre]
        if others:
            self._without[f"in bars of other than {metre} beats"] = len(others)
        kept = {c: sides for c, sides in wanted.items() if c not in set(others)}
        read = self._store.read(side for sides in kept.values() for side in sides)
        found = {}
        for clip_id, (vocal, music) in kept.items():
            if vocal in read and music in read:
                found[clip_id] = read[vocal], read[music]
            else:
                self._without["that cannot be read"] += 1
        return found

    def _music_roles(self, clip_id: str) -> tuple[str, ...]:
        return music_roles(self.database.sounding_stems[clip_id])

    def _pair_apart(
        self, window: PhraseWindow, first: SongFacts | None, second: SongFacts | None
    ) -> Pair | None:
        start_s = float(self.bars(window.clip_id).times_s[window.bar, 0])
        stretches = [_nearest(facts, start_s, window.bars) for facts in (first, second)]
        if first is None or second is None or stretches[0] is None or stretches[1] is None:
            return None
        music = self._music_roles(window.clip_id)
        return (
            self._cut(window.clip_id, (VOCAL,), first, stretches[0]),
            self._cut(window.clip_id, music, second, stretches[1]),
        )

    def _cut(
        self,
        clip_id: str,
        roles: Sequence[str],
        facts: SongFacts,
        stretch_s: tuple[float, float],
    ) -> Group:
        start_s, end_s = (float(time_s) for time_s in stretch_s)
        return {
            role: SlicedPart(part, start_s, end_s - start_s)
            for role, part in self._parts(clip_id, roles, facts).items()
        }

    def _parts(self, clip_id: str, roles: Sequence[str], facts: SongFacts) -> dict[str, Part]:
        found: dict[str, Part] = {}
        for role in roles:
            parts = tuple(
                StemPart(
                    stem["stem_id"],
                    self.database.audio_path(stem["stem_id"]),
                    self._decoded,
                    facts,
                )
                for stem in self.database.sounding_stems[clip_id][role]
            )
            found[role] = parts[0] if len(parts) == 1 else SumPart(parts)
        return found


def _sounding(side: SideInBeats, bars: int) -> np.ndarray:
    """Return at which bars so many begin in which enough beats sound, (bars,); False at the end."""
    sounds = (side.features.level > SOUNDS_ABOVE).float().mean(1).numpy()
    found = np.zeros(len(sounds), bool)
    if len(sounds) >= bars:
        shares = np.lib.stride_tricks.sliding_window_view(sounds, bars).mean(1)
        found[: len(shares)] = shares >= LEAST_SOUNDING
    return found


def _nearest(facts: SongFacts | None, start_s: float, bars: int) -> tuple[float, float] | None:
    """Return begin and end of the phrase of so many bars that begins nearest to a time."""
    known = bars_of(facts) if facts is not None else None
    begins = known.phrases(bars) if known is not None else np.zeros(0, np.int64)
    if known is None or not len(begins):
        return None
    first = begins[np.abs(known.times_s[begins, 0] - start_s).argmin()]
    return float(known.times_s[first, 0]), float(known.times_s[first + bars - 1, -1])
