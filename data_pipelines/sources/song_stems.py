"""The stems of one song by the names of its files, with a line for everything that is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.sources.names import ACCOMPANIMENT, COMPOSITE, kind_of
from data_pipelines.sources.song import RawStem, Reject, printable
from data_pipelines.sources.title_and_role import cut_name
from data_pipelines.sources.titles import kinds_of_song
from data_pipelines.sources.vocabulary import is_weak, vocabulary_of
from data_pipelines.sources.words import words_of

_IGNORED = "ignored"


def stems_of_song(
    paths: Sequence[Path],
    title: str,
    entries: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, Sequence[str]],
    *,
    short_labels: bool = False,
) -> Iterator[RawStem | Reject]:
    """Yield the stems of a song.

    Args:
        paths: its files.
        title: the song's, which says nothing of a stem.
        entries: what meta.json says of stems by file name.
        kinds: source.roles.
        short_labels: label stems with the words that say their role, without the song's title.
    """
    vocabulary = vocabulary_of(kinds)
    roles = [str(entries.get(path.name, {}).get("role") or "") for path in paths]
    read = kinds_of_song([path.stem for path in paths], vocabulary, title)
    found = [kind or kind_of(role, kinds) for kind, role in zip(read, roles, strict=True)]
    sounding = {kind for kind in found if kind not in (None, _IGNORED)}
    in_parts = "percussion" in sounding and bool(sounding & {"harmonic", "other"})
    for path, role, kind in zip(paths, roles, found, strict=True):
        if kind is None and sounding and _texts(path.stem) == _texts(title):
            yield _line(path, "is called like the song: its mix, left out")
            continue
        if kind == _IGNORED:
            own = [text for text in _texts(path.stem) if text not in _texts(title)]
            if not is_weak(_IGNORED, own):  # but for "mix", which a folder of stems may well have
                yield _line(path, "by its name no stem, but a mix or a click: left out")
            continue
        if kind == ACCOMPANIMENT and in_parts:
            yield _line(path, "is the sum of stems that lie beside it: left out")
            continue
        if kind is None:
            yield _line(
                path,
                f"'{printable(path.stem)}' matches no pattern of source.roles; kept, but in no mix",
            )
        entry = entries.get(path.name, {})
        cut = cut_name(path, vocabulary) if short_labels else None
        called = " ".join(cut.said) if cut else path.stem
        yield RawStem(
            path=path,
            kind="" if kind in (None, COMPOSITE) else kind,
            label=printable(entry.get("label") or role or called),
            unnamed=kind is None,
        )


def _texts(name: str) -> list[str]:
    return [word.text for word in words_of(name)]


def _line(path: Path, reason: str) -> Reject:
    return Reject(input=printable(path), stage="roles", reason=reason)
