"""DJs' stem files: one MP4 with the mix and its stems as sound streams (*.stem.mp4, *.stem.m4a)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from data_pipelines.sources.song import RawStem, Reject, printable, stem_of
from mashnet.audio.io import ffmpeg_is_installed
from mashnet.audio.tags.mp4 import sound_streams, stem_names

# The order of a file that does not name its stems; the mix comes first.
STREAMS = ("mixture", "drums", "bass", "other", "vocals")
SUFFIXES = (".stem.mp4", ".stem.m4a")
NEEDS_FFMPEG = (
    "its streams are read by the ffmpeg program, which is not installed "
    "(Debian, Ubuntu: apt install ffmpeg; conda: conda install ffmpeg)"
)


def is_stem_file(path: Path) -> bool:
    """Return whether a file is called like a stem file."""
    return path.name.lower().endswith(SUFFIXES)


def title_of(path: Path) -> str:
    """Return the name of a stem file without its suffixes."""
    return path.name[: -len(SUFFIXES[0])] if is_stem_file(path) else path.stem


def artist_and_title(name: str) -> tuple[str, str]:
    """Return the two halves of "Artist - Title"; no artist where there is one half only."""
    artist, separator, title = printable(name).partition(" - ")
    return (artist, title) if separator else ("", artist)


def streams_of(
    path: Path, names: Sequence[str], kinds: Mapping[str, Sequence[str]]
) -> Iterator[RawStem | Reject]:
    """Yield the stems of a stem file: its streams after the first, by their names."""
    for number, name in enumerate(names, start=1):
        stem, problem = stem_of(path, name, name, kinds, stream=number)
        if problem is not None:
            yield problem
        if stem is not None:
            yield stem


def stems_in_file(path: Path, kinds: Mapping[str, Sequence[str]]) -> Iterator[RawStem | Reject]:
    """Yield the stems of any DJs' stem file, called as its own metadata says, and what is wrong.

    Where it names none they are drums, bass, other, vocals, as programs write them.
    """
    count = sound_streams(path)
    if count is not None and count < 2:
        yield _reject(path, "has the name of a stem file, but one sound stream: no stems")
        return
    if not ffmpeg_is_installed():
        yield _reject(path, NEEDS_FFMPEG)
        return
    there = len(STREAMS) - 1 if count is None else count - 1
    names = stem_names(path)
    if not any(names):
        names = list(STREAMS[1:])
        if there != len(names):
            yield _reject(path, f"has {there} stems and names none; called by their numbers")
            names = [f"stem {number + 1}" for number in range(there)]
    if len(names) != there:
        yield _reject(path, f"names {len(names)} stems and has {there}")
    names = [name or f"stem {number}" for number, name in enumerate(names, start=1)]
    names += [f"stem {number + 1}" for number in range(len(names), there)]
    yield from streams_of(path, [printable(name) for name in names[:there]], kinds)


def _reject(path: Path, reason: str) -> Reject:
    return Reject(input=printable(path), stage="source", reason=reason)
