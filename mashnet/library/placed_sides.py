"""Which clips of a library can be laid on each other: vocals and music on bars that compare."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.beat_store import BeatStore, Side
from mashnet.data.phrases.frontend import LENGTHS
from mashnet.data.phrases.pairs import music_side, vocal_side
from mashnet.data.phrases.phrase import SidePhrases
from mashnet.data.roles import MUSIC, VOCAL
from mashnet.data.song_clips import clips_of_split, clips_with
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.moves import FASTEST_BPM, SLOWEST_BPM, tempo_bpm
from mashnet.music.bars import Bars

_SHORTEST = min(LENGTHS)


@dataclass(frozen=True)
class PlacedSides:
    """Sides of a library that take part.

    Attributes:
        store: where they are read.
        guests: clip id → its vocal.
        bases: clip id → its music.
        left_out: song id → why it takes no part.
    """

    store: BeatStore
    guests: dict[str, Side]
    bases: dict[str, Side]
    left_out: dict[str, str]

    @property
    def database(self) -> MashupDB:
        """The library."""
        return self.store.database

    def song_id(self, clip_id: str) -> str:
        """Return the song of a clip."""
        return self.database.clip_rows[clip_id]["song_id"]

    @property
    def metres(self) -> list[int]:
        """Beats per bar of clips that take part, each once."""
        return sorted({self.bars(clip).beats_per_bar for clip in (*self.guests, *self.bases)})

    def bars(self, clip_id: str) -> Bars:
        """Return the bars of a clip that takes part."""
        bars = self.store.bars(clip_id)
        assert bars is not None
        return bars

    def read(self, sides: Iterable[Side]) -> Iterator[tuple[Side, HeardSide]]:
        """Yield sides and what they sound like in beat time; what cannot be read is left out."""
        for side, found in self.store.each(sides):
            facts = self.database.facts_of(side.clip_id)
            phrases = SidePhrases.of(found.features, facts.key)
            yield side, HeardSide(facts, self.bars(side.clip_id), phrases)

    def all_left_out(self) -> list[str]:
        """Return a line for each song that takes no part, after all sides have been read."""
        reasons = dict(self.left_out)
        for side, reason in self.store.unreadable.items():
            reasons.setdefault(self.song_id(side.clip_id), reason)
        titles = {row["song_id"]: row["title"] or song for song, row in self._rows_by_song()}
        return [f"{titles[song]}: {reason}" for song, reason in sorted(reasons.items())]

    def _rows_by_song(self) -> Iterator[tuple[str, dict]]:
        return ((row["song_id"], row) for row in self.database.clip_rows.values())


def placed_sides(
    store: BeatStore, *, split: str, which: str, bases: Container[str] | None = None
) -> PlacedSides:
    """Return the sides of a library that can be laid on each other.

    Args:
        store: of the library.
        split: train, val, test or all.
        which: one clip of each song, or all.
        bases: clip ids on whose music guests are laid; None: all.

    Raises:
        ConfigError: if `which` is something else.
    """
    database = store.database
    lacks = {clip: _lacks(store, clip) for clip in clips_of_split(database, split)}
    song_of = {clip: database.clip_rows[clip]["song_id"] for clip in lacks}
    songs: dict[int, set[str]] = {}
    for clip in lacks:
        if not lacks[clip]:
            songs.setdefault(_metre(store, clip), set()).add(song_of[clip])
    for clip in lacks:
        if not lacks[clip] and len(songs[_metre(store, clip)]) == 1 and len(songs) > 1:
            lacks[clip] = (
                f"no other song has bars of {_metre(store, clip)} beats, and different metres "
                f"are not compared"
            )
    whole = {song_of[clip] for clip in lacks if not lacks[clip]}
    left_out = {song_of[clip]: why for clip, why in lacks.items() if song_of[clip] not in whole}
    vocals = clips_with(database, [VOCAL], split=split, which=which)
    music = clips_with(database, MUSIC, split=split, which=which)
    guests = {clip: vocal_side(database, clip) for clip in vocals if not lacks[clip]}
    grounds = {
        clip: music_side(database, clip)
        for clip in music
        if not lacks[clip] and (bases is None or clip in bases)
    }
    return PlacedSides(
        store,
        {clip: side for clip, side in guests.items() if side},
        {clip: side for clip, side in grounds.items() if side},
        left_out,
    )


def _metre(store: BeatStore, clip_id: str) -> int:
    bars = store.bars(clip_id)
    assert bars is not None
    return bars.beats_per_bar


def _lacks(store: BeatStore, clip_id: str) -> str:
    """Return what keeps a clip from being placed; empty if nothing does."""
    facts, bars = store.database.facts_of(clip_id), store.bars(clip_id)
    if not facts.beats_s or not facts.downbeats_s:
        return "no beats"
    if facts.key is None:
        return "no key"
    if not SLOWEST_BPM <= tempo_bpm(facts) <= FASTEST_BPM:
        return "no tempo"
    if bars is None or not len(bars.phrases(_SHORTEST)):
        return f"no {_SHORTEST} whole bars in a row"
    if not vocal_side(store.database, clip_id) and not music_side(store.database, clip_id):
        return "neither a vocal nor an accompaniment that sounds"
    return ""
