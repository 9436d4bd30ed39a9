"""Tempo and key as files' tags and names have them: hints, which may be rounded or wrong.

What a person wrote into meta.json comes before tags, and tags before names. Files of one song that
contradict each other give no hint, and a line that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from data_pipelines.sources.meta_json import tempo_hint
from data_pipelines.sources.name_hints import agreed, hints_of_name
from data_pipelines.sources.song import Known
from mashnet.audio.io import read_tags
from mashnet.music.key_names import parse_key

_Value = TypeVar("_Value", float, str)


def with_hints(
    known: Known, paths: Sequence[Path], written_bpm: object = None
) -> tuple[Known, list[str]]:
    """Return what is known of a song with the hints beside it, and what could not be used.

    Args:
        known: what is known exactly.
        paths: the song's files.
        written_bpm: a tempo that a person wrote down without calling it exact.
    """
    problems: list[str] = []
    tags = [read_tags(path) for path in dict.fromkeys(paths)]
    names = [hints_of_name(path.stem) for path in dict.fromkeys(paths)]
    tempo = None
    if written_bpm is not None:
        tempo = _one([written_bpm], tempo_hint, "meta.json's bpm", problems)
    if tempo is None:
        tempo = _one([tag.get("bpm") for tag in tags], tempo_hint, "a tag's tempo", problems)
    if tempo is None:
        tempo = _one([name.tempo_bpm for name in names], tempo_hint, "a name's tempo", problems)
    key = _one([tag.get("key") for tag in tags], _key, "a tag's key", problems)
    return replace(known, tempo_hint_bpm=tempo, key_hint=key or agreed(names).key), problems


def _one(
    values: Sequence[object],
    read: Callable[[object], _Value | None],
    what: str,
    problems: list[str],
) -> _Value | None:
    """Return what all files agree on that say something; None where they do not."""
    found: dict[_Value, None] = {}
    for value in dict.fromkeys(values):
        if value is None:
            continue
        try:
            hint = read(value)
        except ValueError as error:
            problems.append(f"{what} is not used: {error}")
            continue
        if hint is not None:
            found[hint] = None
    if len(found) > 1:
        said = ", ".join(str(value) for value in found)
        problems.append(f"{what} is not used: its files say {said}")
        return None
    return next(iter(found), None)


def _key(value: object) -> str | None:
    """Return a tag's key; None for "o" (no key), by which ID3 means music without one."""
    name = str(value).strip()
    if name.lower() in ("", "o", "none", "unknown"):
        return None
    return str(parse_key(name))
