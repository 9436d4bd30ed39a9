"""source=musdb18: MUSDB18 (*.stem.mp4) and MUSDB18-HQ (WAV), as they unpack (docs/data_sets.md).

Layout:
    train/Artist - Title.stem.mp4    five sound streams, see STREAMS
    train/Artist - Title/{mixture,drums,bass,other,vocals}.wav    the same in HQ
    test/…
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from data_pipelines.sources.folders import audio_files, require_folder
from data_pipelines.sources.song import RawSong, RawStem, Reject, printable, stem_of
from data_pipelines.sources.stem_files import (
    NEEDS_FFMPEG,
    STREAMS,
    artist_and_title,
    streams_of,
)
from mashnet.audio.io import ffmpeg_is_installed
from mashnet.data.schemas import SPLITS
from mashnet.errors import MashnetError

_SUFFIX = ".stem.mp4"
# Where the hash of the artist may put the songs of an official subset.
_OFFICIAL = {"train": ("train", "val"), "test": ("test",)}


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the songs of the folders `train` and `test` under `source.root`.

    Raises:
        MashnetError: if the root holds neither, or there is a *.stem.mp4 and no ffmpeg.
    """
    source = config.source
    root = require_folder(Path(source.root))
    subsets = [name for name in _OFFICIAL if (root / name).is_dir()]
    if not subsets:
        raise MashnetError(
            f"source.root: {root} holds neither a folder train nor a folder test; "
            "name the folder that musdb18.zip or musdb18hq.zip was unpacked into"
        )
    for subset in _OFFICIAL.keys() - set(subsets):
        yield _reject(root / subset, "is not there, its songs are missing")
    for subset in subsets:
        yield from _subset(root / subset, source)


def _subset(folder: Path, source: DictConfig) -> Iterator[RawSong | Reject]:
    kinds = {str(kind): list(patterns) for kind, patterns in source.roles.items()}
    files, folders, problems = audio_files(folder, set())
    yield from problems
    decoded = {path.name for path in folders}
    for path in sorted([*files, *folders]):
        title = path.name.removesuffix(_SUFFIX)
        stems: list[RawStem] = []
        if path in folders:
            found = _wav_stems(path, kinds)
        elif title == path.name:
            found = iter([_reject(path, f"is neither a *{_SUFFIX} nor a folder of stems")])
        elif title in decoded:
            found = iter([_reject(path, f"the folder {printable(title)} beside it is used")])
        else:
            found = _streams(path, kinds)
        for item in found:
            if isinstance(item, Reject):
                yield item
            else:
                stems.append(item)
        if stems:
            yield _song(path, title, stems, folder.name, source)


def _wav_stems(folder: Path, kinds: Mapping[str, Sequence[str]]) -> Iterator[RawStem | Reject]:
    files, _, problems = audio_files(folder, set())
    yield from problems
    missing = [name for name in STREAMS[1:] if name not in {path.stem for path in files}]
    if len(missing) == len(STREAMS) - 1:
        yield _reject(folder, "holds no stems")
        return
    if missing:
        yield _reject(folder, f"lacks {', '.join(missing)}; the song is used without")
    for path in files:
        stem, problem = stem_of(path, printable(path.stem.lower()), path.stem, kinds)
        if problem is not None:
            yield problem
        if stem is not None:
            yield stem


def _streams(path: Path, kinds: Mapping[str, Sequence[str]]) -> Iterator[RawStem | Reject]:
    if not ffmpeg_is_installed():
        raise MashnetError(f"{path}: {NEEDS_FFMPEG}; MUSDB18-HQ is read without it")
    yield from streams_of(path, STREAMS[1:], kinds)


def _song(path: Path, title: str, stems: list[RawStem], subset: str, source: DictConfig) -> RawSong:
    artist, name = artist_and_title(title)
    return RawSong(
        origin=printable(path),
        title=name,
        artist=artist,
        source="musdb18",
        license=str(source.license),
        # "Triviul feat. The Fiend" is Triviul, "The Easton Ellises (Baumi)" the Easton Ellises.
        group=re.split(r" feat\. | \(", artist or name)[0],
        stems=tuple(stems),
        splits=_OFFICIAL[subset] if source.official_split else SPLITS,
        min_stems=int(source.min_stems),
    )


def _reject(path: Path, reason: str) -> Reject:
    return Reject(input=printable(path), stage="source", reason=reason)
