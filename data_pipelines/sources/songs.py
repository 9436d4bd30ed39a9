"""source=songs: any folder of recordings, however nested, to be made stems of (docs/data.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from data_pipelines.sources.folders import require_folder, walk
from data_pipelines.sources.hints import with_hints
from data_pipelines.sources.song import Known, RawSong, Recording, Reject, printable
from mashnet.audio.io import read_tags


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the recordings under `source.root`.

    A song's group, which decides its split, is its artist if the file names one, else the
    folder it lies in, else (directly in the root) its own name.

    Raises:
        MashnetError: if the root is not a folder.
    """
    root = require_folder(Path(config.source.root))
    paths: list[Path] = []
    for _, files, _, problems in walk(root):
        yield from problems
        paths += files
    for path in paths:
        tags = read_tags(path)
        known, unclear = with_hints(Known(), [path])
        for reason in unclear:
            yield Reject(input=printable(path), stage="meta", reason=printable(reason))
        folder = path.parent.relative_to(root).as_posix()
        yield RawSong(
            origin=printable(path),
            title=printable(tags.get("title") or path.stem),
            artist=printable(tags.get("artist") or ""),
            source="songs",
            license=printable(tags.get("license") or ""),
            group=printable(tags.get("artist") or (folder if folder != "." else path.stem)),
            recording=Recording(path=path),
            known=known,
        )
