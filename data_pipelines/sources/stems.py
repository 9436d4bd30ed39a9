"""source=stems: files of stems, as people and programs lay them out (docs/data.md).

A folder per song with a file per stem in it; or one folder for many songs, whose files share a name
and differ in what says a role; or DJs' stem files, which hold their stems themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from data_pipelines.sources.folders import require_folder, walk
from data_pipelines.sources.hints import with_hints
from data_pipelines.sources.meta_json import known_of as known_of
from data_pipelines.sources.meta_json import read_meta
from data_pipelines.sources.one_folder import SongFiles, shelf_of
from data_pipelines.sources.song import Known, RawSong, RawStem, Reject, kind_of, printable
from data_pipelines.sources.song_stems import stems_of_song
from data_pipelines.sources.stem_files import (
    artist_and_title,
    is_stem_file,
    stems_in_file,
    title_of,
)
from data_pipelines.sources.vocabulary import vocabulary_of
from mashnet.audio.io import length_s, read_tags

Kinds = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class _Meta:
    """A folder's meta.json."""

    path: Path
    fields: dict[str, Any]

    def reject(self, reason: str) -> Reject:
        return Reject(input=printable(self.path), stage="meta", reason=printable(reason))


def _meta_of(folder: Path) -> tuple[_Meta, list[Reject]]:
    """Return a folder's meta.json, and what is wrong with it."""
    fields, problems = read_meta(folder / "meta.json")
    meta = _Meta(folder / "meta.json", fields)
    return meta, [meta.reject(problem) for problem in problems]


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the songs under `source.root`.

    Raises:
        MashnetError: if the root is not a folder.
    """
    source = config.source
    root = require_folder(Path(source.root))
    kinds = {str(kind): list(patterns) for kind, patterns in source.roles.items()}
    for folder, files, folders, problems in walk(root):
        yield from problems
        for path in filter(is_stem_file, files):
            yield from _stem_file(path, kinds, source)
        loose = [path for path in files if not is_stem_file(path)]
        shelf = shelf_of(loose, vocabulary_of(kinds), length_s, alone=folder == root)
        if shelf.songs:
            yield from _songs(folder, shelf.songs, kinds, source)
            names = ", ".join(song.title for song in shelf.songs[:3])
            for path in shelf.rest:
                yield _reject(path, f"is of none of the songs beside it ({names} …), by its name")
        elif folder == root and not _is_song(loose, folders, kinds):
            for path in loose:
                yield _reject(path, _IN_ROOT)
        elif loose:
            folders.clear()  # finer stems, alternative takes: parts of this song, not songs
            if shelf.could_be:
                some = ", ".join(shelf.could_be[:3])
                reason = f"taken as one song; if its files are several ({some}), give each a folder"
                yield _reject(folder, reason)
            yield from _one_song(folder, loose, kinds, source)
        elif not files and not folders and not problems and folder != root:
            yield _reject(folder, "has no audio files in it")


_IN_ROOT = (
    "lies directly in the root; a song is a folder with a file per stem, or files that are called "
    "by song and stem, such as 'My Song_(Vocals)' (for a folder of whole songs: source=songs)"
)


def _is_song(files: Sequence[Path], folders: Sequence[Path], kinds: Kinds) -> bool:
    """Return whether the files in the root are the stems of one song."""
    said = [kind_of(path.stem, kinds) for path in files]
    return len(set(said)) > 1 and None not in said and not folders


def _one_song(
    folder: Path, files: list[Path], kinds: Kinds, source: DictConfig
) -> Iterator[RawSong | Reject]:
    """Yield the song that a folder is."""
    meta, problems = _meta_of(folder)
    yield from problems
    known = Known()
    if source.use_annotations:
        known, problem = known_of(meta.fields)
        if problem:
            yield meta.reject(problem)
    song = SongFiles(folder.name, (), files)
    title = printable(meta.fields.get("title") or folder.name)
    yield from _song(song, printable(folder), title, folder.name, meta, known, kinds, source)


def _songs(
    folder: Path, songs: Sequence[SongFiles], kinds: Kinds, source: DictConfig
) -> Iterator[RawSong | Reject]:
    """Yield the songs of a folder that holds several; its meta.json is about all of them."""
    meta, problems = _meta_of(folder)
    yield from problems
    if len(songs) > 1:
        own = [f for f in ("title", "key", "bpm", "bpm_exact", "beats") if meta.fields.pop(f, None)]
        if own:
            yield meta.reject(f"{', '.join(own)}: not used, {len(songs)} songs lie beside it")
    known, problem = known_of(meta.fields) if source.use_annotations else (Known(), "")
    if problem:
        yield meta.reject(problem)
    for song in songs:
        origin = f"{printable(folder)} ({printable(song.title)})"
        title = printable(meta.fields.get("title") or song.title)
        yield from _song(song, origin, title, song.title, meta, known, kinds, source)


def _song(
    song: SongFiles,
    origin: str,
    title: str,
    group: str,
    meta: _Meta,
    known: Known,
    kinds: Kinds,
    source: DictConfig,
) -> Iterator[RawSong | Reject]:
    fields = meta.fields
    entries = {str(e.get("file")): e for e in fields.get("stems", []) if isinstance(e, dict)}
    stems = []
    found = stems_of_song(song.files, song.title, entries, kinds, short_labels=bool(song.key))
    for item in found:
        if isinstance(item, Reject):
            yield item
        else:
            stems.append(item)
    if not stems:
        yield Reject(input=origin, stage="source", reason="holds full mixes only, no stems")
        return
    if source.use_annotations:
        known, problems = with_hints(known, song.files, fields.get("bpm"))
        for problem in problems:
            yield Reject(input=origin, stage="meta", reason=printable(problem))
    taken = {stem.path for stem in stems}
    named = "/".join(str(fields[name]) for name in source.group_by if fields.get(name))
    yield RawSong(
        origin=origin,
        title=title,
        artist=printable(fields.get("artist") or ""),
        source=printable(fields.get("source") or "stems"),
        license=printable(fields.get("license") or fields.get("licence") or ""),
        group=printable(named or group),
        stems=tuple(stems),
        mixes=tuple(
            path
            for path in song.files
            if path not in taken and kind_of(path.stem, kinds) == "ignored"
        ),
        known=known,
    )


def _stem_file(path: Path, kinds: Kinds, source: DictConfig) -> Iterator[RawSong | Reject]:
    stems: list[RawStem] = []
    for item in stems_in_file(path, kinds):
        if isinstance(item, Reject):
            yield item
        else:
            stems.append(item)
    if not stems:
        return
    tags = read_tags(path)
    artist, title = artist_and_title(title_of(path))
    known = Known()
    if source.use_annotations:
        known, problems = with_hints(known, [path])
        for problem in problems:
            yield Reject(input=printable(path), stage="meta", reason=printable(problem))
    artist = printable(tags.get("artist") or artist)
    yield RawSong(
        origin=printable(path),
        title=printable(tags.get("title") or title),
        artist=artist,
        source="stems",
        license=printable(tags.get("license") or ""),
        group=artist or printable(title),
        stems=tuple(stems),
        known=known,
    )


def _reject(path: Path, reason: str) -> Reject:
    return Reject(input=printable(path), stage="source", reason=printable(reason))
