"""One folder, many songs: files that share a name and differ in the part that says a role.

Separators write "1_My Song_(Vocals)", "{track}-{stem}", "Artist - Title - Drums" side by side. Each
name is cut into a title and what says a role; files of one title are a song. A folder is taken for
several songs only where its names leave little doubt: stems of one song share words, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from data_pipelines.sources.names import ACCOMPANIMENT, kind_in, says_something
from data_pipelines.sources.title_and_role import Key, Named, cut_name
from data_pipelines.sources.vocabulary import Vocabulary
from data_pipelines.sources.words import words_of

_LAST_NUMBER = re.compile(r"[\s_.-]*\d+$")
_APART_S = 1.0  # songs whose files differ in length by more are certainly two

Length = Callable[[Path], float | None]


@dataclass
class SongFiles:
    """Files of one song and its title."""

    title: str
    key: Key
    files: list[Path] = field(default_factory=list)


@dataclass
class Shelf:
    """What a folder holds: songs by name (none: all files are one song), and the rest.

    `could_be` names songs that the files could be, but were not taken for.
    """

    songs: list[SongFiles]
    rest: list[Path]
    could_be: tuple[str, ...] = ()


def shelf_of(
    files: Sequence[Path], vocabulary: Vocabulary, length_s: Length, *, alone: bool = False
) -> Shelf:
    """Return the songs that a folder's files are by their names.

    Args:
        files: all of one folder.
        vocabulary: source.roles.
        length_s: how long a file is, None where that is not known.
        alone: whether a single title is a song, too (in the root, which is no song's folder).
    """
    named = [one for path in files if (one := cut_name(path, vocabulary)) is not None]
    groups = _groups(named, vocabulary)
    several = [group for group in groups if _is_several(group)]
    lone = [group[0] for group in groups if not _is_several(group) and group[0].certain]
    lone = [one for one in lone if not any(_goes_on(one.key, g[0].key) for g in several)]
    if not several:
        songs = groups if _are_one_kind(lone, files) else []
    elif alone or (len(several) > 1 and _convincing(several, vocabulary, length_s)):
        songs = [*several, *([one] for one in lone)]
    elif len(several) == 1 and lone and all(one.apart for one in several[0]):
        songs = [*several, *([one] for one in lone)]
    else:
        titles = tuple(group[0].title for group in several) if len(several) > 1 else ()
        return Shelf([], list(files), titles)
    found = [SongFiles(_title(g), g[0].key, [one.path for one in g]) for g in songs]
    placed = {path for song in found for path in song.files}
    rest = []
    for path in files:
        if path not in placed:
            song = _beginning_like(path, found)
            if song is None:
                rest.append(path)
            else:
                song.files.append(path)
    return Shelf(found, rest)


def _groups(named: Sequence[Named], vocabulary: Vocabulary) -> list[list[Named]]:
    """Return files by title; by its numbers, too, where these are the song's and not the stem's."""
    exact: dict[Key, list[Named]] = {}
    loose: dict[Key, list[Named]] = {}
    for one in named:
        exact.setdefault(one.key, []).append(one)
        loose.setdefault(tuple(word for word in one.key if not word.isdecimal()), []).append(one)
    found = []
    for group in loose.values():
        keys = {one.key for one in group}
        by_number = [exact[key] for key in keys]
        if len(keys) > 1 and all(len({one.kind for one in own}) > 1 for own in by_number):
            found += sorted(by_number, key=lambda own: own[0].path)
        else:
            found.append(group)
    return [group for group in found if _is_title(group, vocabulary)]


def _is_title(group: Sequence[Named], vocabulary: Vocabulary) -> bool:
    """Return whether a title is one: "Verse 1" is none, nor "Live Drums" of a kick and a snare."""
    words = words_of(group[0].title)
    if all(says_something(word, vocabulary) for word in words):
        return False
    return {one.kind for one in group} != {kind_in(words, vocabulary)}


def _is_several(group: Sequence[Named]) -> bool:
    return len({one.said for one in group}) > 1


def _are_one_kind(lone: Sequence[Named], files: Sequence[Path]) -> bool:
    """Return whether a folder is a collection of vocals, or of instrumentals, one per song."""
    kinds = {one.kind for one in lone}
    return len(lone) == len(files) > 1 and (kinds == {"vocal"} or kinds == {ACCOMPANIMENT})


def _convincing(
    groups: Sequence[Sequence[Named]], vocabulary: Vocabulary, length_s: Length
) -> bool:
    """Return whether groups of files are songs, and not two guitarists of one song."""
    if all(one.apart for group in groups for one in group):
        return True
    if all(_free_words(group[0], vocabulary) > 1 or _is_whole(group) for group in groups):
        return True
    spans = []
    for group in groups:
        lengths = [length for one in group if (length := length_s(one.path)) is not None]
        if len(lengths) < len(group):
            return False
        spans.append((min(lengths), max(lengths)))
    return all(later[0] - earlier[1] > _APART_S for earlier, later in pairwise(sorted(spans)))


def _title(group: Sequence[Named]) -> str:
    """Return a group's title, without the number that only its first file has."""
    title = group[0].title
    if any(one.key != group[0].key for one in group):
        title = _LAST_NUMBER.sub("", title) or title
    return title


def _free_words(one: Named, vocabulary: Vocabulary) -> int:
    return sum(not says_something(word, vocabulary) for word in words_of(one.title))


def _is_whole(group: Sequence[Named]) -> bool:
    """Return whether some files are the whole of a song: drums and more, voice and rest."""
    kinds = {one.kind for one in group}
    return ACCOMPANIMENT in kinds or ("percussion" in kinds and len(kinds) > 1)


def _goes_on(longer: Key, shorter: Key) -> bool:
    return longer[: len(shorter)] == shorter


def _beginning_like(path: Path, songs: Sequence[SongFiles]) -> SongFiles | None:
    """Return the song whose title a name begins with, the longest of them."""
    words = tuple(word.text for word in words_of(path.stem))
    like = [song for song in songs if _goes_on(words, song.key)]
    return max(like, key=lambda song: len(song.key), default=None)
