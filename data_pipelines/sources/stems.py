"""source=stems: a folder per song, one audio file per stem directly in it (docs/data.md)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from data_pipelines.sources.folders import require_folder, walk
from data_pipelines.sources.song import Known, RawSong, RawStem, Reject, kind_of, printable
from mashnet.music.key_names import parse_key
from mashnet.storage.regular_files import read_json


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the songs under `source.root`: every folder that directly holds audio files.

    Raises:
        MashnetError: if the root is not a folder.
    """
    source = config.source
    root = require_folder(Path(source.root))
    kinds = {str(kind): list(patterns) for kind, patterns in source.roles.items()}
    for folder, files, folders, problems in walk(root):
        yield from problems
        if folder == root:
            for path in files:
                yield Reject(
                    input=printable(path),
                    stage="source",
                    reason="lies directly in the root; a song is a folder with a file per stem "
                    "(for a folder of whole songs: source=songs)",
                )
        elif files:
            folders.clear()  # finer stems, alternative takes: parts of this song, not songs
            yield from _song(folder, files, kinds, source)
        elif not folders and not problems:
            yield Reject(input=printable(folder), stage="source", reason="has no audio files in it")


def _song(
    folder: Path, files: list[Path], kinds: Mapping[str, Sequence[str]], source: DictConfig
) -> Iterator[RawSong | Reject]:
    origin = printable(folder)
    meta, problem = _read_meta(folder / "meta.json")
    if problem:
        yield Reject(input=printable(folder / "meta.json"), stage="meta", reason=problem)
    entries = {
        str(entry.get("file")): entry for entry in meta.get("stems", []) if isinstance(entry, dict)
    }
    stems = []
    for path in files:
        entry = entries.get(path.name, {})
        role = str(entry.get("role") or "")
        kind = kind_of(path.stem, kinds) or kind_of(role, kinds)
        if kind == "ignored":
            continue
        if kind is None:
            kind = "composite"
            yield Reject(
                input=printable(path),
                stage="roles",
                reason=f"'{printable(path.stem)}' matches no pattern of source.roles; kept, "
                "but in no mix",
            )
        label = printable(entry.get("label") or role or path.stem)
        unnamed = kind_of(path.stem, kinds) is None and kind_of(role, kinds) is None
        role_kind = "" if kind == "composite" else kind
        stems.append(RawStem(path=path, kind=role_kind, label=label, unnamed=unnamed))
    if not stems:
        yield Reject(input=origin, stage="source", reason="holds full mixes only, no stems")
        return
    known = Known()
    if source.use_annotations:
        known, problem = known_of(meta)
        if problem:
            yield Reject(input=printable(folder / "meta.json"), stage="meta", reason=problem)
    group = "/".join(str(meta[name]) for name in source.group_by if meta.get(name))
    yield RawSong(
        origin=origin,
        title=printable(meta.get("title") or folder.name),
        artist=printable(meta.get("artist") or ""),
        source=printable(meta.get("source") or "stems"),
        license=printable(meta.get("license") or meta.get("licence") or ""),
        group=printable(group or folder.name),
        stems=tuple(stems),
        mixes=tuple(path for path in files if kind_of(path.stem, kinds) == "ignored"),
        known=known,
    )


def _read_meta(path: Path) -> tuple[dict[str, Any], str]:
    """Return the contents and what is wrong with them."""
    if not path.exists():
        return {}, ""
    try:
        meta = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"cannot be read, the song is used without it: {error}"
    if not isinstance(meta, dict):
        return {}, "does not hold a JSON object, the song is used without it"
    if not isinstance(meta.get("stems", []), list):
        return {**meta, "stems": []}, "'stems' is not a list and is not used"
    return meta, ""


def known_of(meta: Mapping[str, Any]) -> tuple[Known, str]:
    """Return a meta.json's exact annotations, and what is wrong with them (then none is used)."""
    try:
        tempo = _positive(meta, "bpm_exact")
        bars = _times(meta, "pattern_start_times_s") or ()
        first, bar = meta.get("first_bar_time_s"), _positive(meta, "bar_duration_s")
        beats_per_bar = meta.get("beats_per_bar")
        if first is not None and bar and tempo:
            length = bar * tempo / 60
            if abs(length - round(length)) < 0.02 and beats_per_bar is None:
                beats_per_bar = round(length)
            bars = (float(first),)
        if beats_per_bar is not None and not 1 <= int(beats_per_bar) <= 32:
            raise ValueError(f"beats_per_bar is {beats_per_bar}")
        key = meta.get("key")
        if key is not None:
            parse_key(str(key))
        return (
            Known(
                tempo_bpm=tempo,
                beats=_times(meta, "beats"),
                downbeats=_times(meta, "downbeats"),
                beats_per_bar=None if beats_per_bar is None else int(beats_per_bar),
                bar_starts=bars,
                key=None if key is None else str(key),
            ),
            "",
        )
    except (TypeError, ValueError) as error:
        return Known(), f"its annotations are not used: {error}"


def _positive(meta: Mapping[str, Any], name: str) -> float | None:
    if meta.get(name) is None:
        return None
    value = float(meta[name])
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {meta[name]}, not a positive number")
    return value


def _times(meta: Mapping[str, Any], name: str) -> tuple[float, ...] | None:
    if meta.get(name) is None:
        return None
    times = tuple(float(time) for time in meta[name])
    if any(not later > earlier for earlier, later in itertools.pairwise(times)):
        raise ValueError(f"{name} does not increase")
    if times and not (math.isfinite(times[0]) and math.isfinite(times[-1]) and times[0] >= 0):
        raise ValueError(f"{name} holds times that are not ≥ 0 seconds")
    return times
