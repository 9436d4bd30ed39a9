"""source=moisesdb: MoisesDB as it unpacks (docs/data_sets.md).

Layout:
    moisesdb_v0.1/<song>/data.json                song, artist, genre; stems → tracks
    moisesdb_v0.1/<song>/<stem>/<track id>.wav    one recording of that stem

A track becomes a stem here: "guitar/distorted electric guitar", stem first, type of track second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from data_pipelines.sources.folders import audio_files, require_folder, walk
from data_pipelines.sources.song import (
    RawSong,
    RawStem,
    Reject,
    label_path,
    printable,
    stem_of,
)
from mashnet.storage.regular_files import read_json

_DATA = "data.json"


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the songs under `source.root`: every folder with a data.json in it.

    Raises:
        MashnetError: if the root is not a folder.
    """
    root = require_folder(Path(config.source.root))
    nameless: set[Path] = set()
    for folder, files, folders, problems in walk(root):
        yield from problems
        if (folder / _DATA).exists():
            folders.clear()
            yield from _song(folder, config.source)
        elif files:
            song = folder if folder == root else folder.parent
            if song not in nameless:
                yield _reject(song, f"has sound files, but no {_DATA} that says what they are")
            nameless.add(song)


def _song(folder: Path, source: DictConfig) -> Iterator[RawSong | Reject]:
    try:
        data = read_json(folder / _DATA)
        tracks = list(_tracks(data))
    except (OSError, ValueError, RecursionError) as error:
        yield _reject(folder / _DATA, f"cannot be used, and so the song: {error}", "meta")
        return
    kinds = {str(kind): list(patterns) for kind, patterns in source.roles.items()}
    stems: list[RawStem] = []
    files, named = _files(folder), set()
    for coarse, track in tracks:
        path = folder / coarse / f"{track.get('id')}.{track.get('extension') or 'wav'}"
        if path not in files or path in named:
            reason = "named twice" if path in named else "named, but no sound file that is there"
            yield _reject(path, f"in {_DATA} {reason}")
            continue
        named.add(path)
        if track.get("has_bleed") and not source.use_bleeding:
            yield _reject(path, "other instruments bleed into it, and source.use_bleeding=false")
            continue
        label = label_path(coarse, track.get("trackType"))
        stem, problem = stem_of(path, label, label, kinds)
        if problem is not None:
            yield problem
        if stem is not None:
            stems.append(stem)
    for path in files:
        if path not in named:
            yield _reject(path, f"is not named in {_DATA}, left out")
    if not stems:
        yield _reject(folder, f"{_DATA} names no track that can be used")
        return
    artist = printable(data.get("artist") or "")
    yield RawSong(
        origin=printable(folder),
        title=printable(data.get("song") or folder.name),
        artist=artist,
        source="moisesdb",
        license=str(source.license),
        group=artist or folder.name,
        stems=tuple(stems),
        min_stems=int(source.min_stems),
    )


def _tracks(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name of the stem, track); raises ValueError for another structure."""
    if not isinstance(data, dict) or not isinstance(data.get("stems"), list):
        raise ValueError("there is no list 'stems'")
    for stem in data["stems"]:
        if not isinstance(stem, dict) or not isinstance(stem.get("tracks"), list):
            raise ValueError("a stem has no list 'tracks'")
        for track in stem["tracks"]:
            if not isinstance(track, dict):
                raise ValueError("a track is not an object")
            yield str(stem.get("stemName") or ""), track


def _files(folder: Path) -> list[Path]:
    """Return the sound files in the folders of a song's stems."""
    found: list[Path] = []
    for stem in audio_files(folder, set())[1]:
        found += audio_files(stem, set())[0]
    return found


def _reject(path: Path, reason: str, stage: str = "source") -> Reject:
    return Reject(input=printable(path), stage=stage, reason=printable(reason))
