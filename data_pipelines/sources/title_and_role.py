"""A file's name, cut into the title of a song and the part that says a role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipelines.sources.name_hints import hints_of_name
from data_pipelines.sources.names import kind_in, says_something
from data_pipelines.sources.vocabulary import Vocabulary
from data_pipelines.sources.words import Word, composed, words_of

Key = tuple[str, ...]
_INDEX = re.compile(r"^\d{1,3}(?:[_.)]\s?|\s?-\s|(?<=0\d)\s)")  # "1_", "01 - ", "01 "


@dataclass(frozen=True)
class Named:
    """A file whose name is cut in two.

    `certain` says that title and role are set apart by more than a hyphen, and that nothing of the
    role is unknown.
    """

    path: Path
    title: str
    key: Key  # the title's words
    kind: str
    said: Key  # the words that say the role
    apart: bool
    certain: bool


def cut_name(path: Path, vocabulary: Vocabulary) -> Named | None:
    """Return a file's name cut into title and role; None where it has not both."""
    name = composed(path.stem)
    spans = hints_of_name(name).spans
    words = [w for w in words_of(name) if not any(a <= w.start < b for a, b in spans)]
    cut = _by_parts(words, vocabulary) or _at_the_end(words, vocabulary)
    if cut is None:
        return None
    title, role = cut
    if not any(not word.is_number for word in title):
        return None
    text = name[title[0].start : _closing(name, title[-1].end)]
    first = title[0].start == words[0].start
    known = all(says_something(word, vocabulary) for word in role)
    apart = title[-1].part != role[0].part and title[0].part != role[-1].part
    return Named(
        path=path,
        title=_without_index(text) if first else text.strip(" _-–—"),
        key=tuple(word.text for word in title),
        kind=kind_in(role, vocabulary) or "",
        said=tuple(word.text for word in role),
        apart=apart,
        certain=apart and known,
    )


def _by_parts(
    words: Sequence[Word], vocabulary: Vocabulary
) -> tuple[list[Word], list[Word]] | None:
    """Cut where brackets or " - " set a role apart."""
    parts: dict[int, list[Word]] = {}
    for word in words:
        parts.setdefault(word.part, []).append(word)
    kinds = {n: own for n, own in parts.items() if kind_in(own, vocabulary) is not None}
    if len(parts) < 2 or not kinds:
        return None
    segment = max(own[0].segment for own in kinds.values())
    there = [n for n, own in kinds.items() if own[0].segment == segment]
    chosen = max((n for n in there if parts[n][0].bracketed), default=max(there))
    role = parts[chosen]
    before = [word for word in words if word.part < chosen]
    if not role[0].bracketed:
        before = [word for word in before if word.segment < segment]
        if not before and segment > 0:
            return None
    if any(not word.is_number for word in before):
        return before, role
    after = [word for word in words if word.part > chosen]
    return (after, role) if after else None


def _at_the_end(
    words: Sequence[Word], vocabulary: Vocabulary
) -> tuple[list[Word], list[Word]] | None:
    """Cut before the last words of a name that say a role: "my song-lead vox 2"."""
    at = len(words)
    while at > 0 and says_something(words[at - 1], vocabulary):
        at -= 1
    # Numbers that end a title are the title's.
    while at < len(words) and words[at].is_number:
        at += 1
    title, role = list(words[:at]), list(words[at:])
    return (title, role) if title and kind_in(role, vocabulary) is not None else None


def _without_index(title: str) -> str:
    return (_INDEX.sub("", title) or title).strip(" _-–—")


def _closing(name: str, end: int) -> int:
    """Return the end of a title, with the brackets that are opened in it: "Song (Live)"."""
    while end < len(name) and name[end] in ")]}":
        end += 1
    return end
