"""What a stem's name says it is.

A name is read as a person would: words that all files of a song share are its title
(data_pipelines.sources.titles); a negation turns the word after it round; of several words that say
a kind the one in brackets decides, else the last.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from data_pipelines.sources.vocabulary import (
    BESIDE,
    NEGATIONS,
    Vocabulary,
    is_weak,
    vocabulary_of,
)
from data_pipelines.sources.words import Word, words_of

ACCOMPANIMENT = "accompaniment"  # everything but the vocal
COMPOSITE = "composite"  # several roles in one, and other sounds: kept, but in no mix
_FILLERS = frozenset("the any lead main ld more of a".split())  # "no lead vocal"
_CONNECTING = frozenset("and or n und et y e nor".split())  # "no bass and drums"
# Kinds that only words beside an instrument say, the most telling first.
_WEAK_ORDER = ("lead", "percussion", "harmonic", "vocal", "other", COMPOSITE, "ignored")


@dataclass(frozen=True)
class _Said:
    """One or more words that say a kind."""

    kind: str
    weak: bool
    negated: bool
    first: Word
    last_index: int


def kind_of(name: str, kinds: Mapping[str, Sequence[str]]) -> str | None:
    """Return the kind that a stem's name says; None where it says none.

    Args:
        name: without a file's suffix.
        kinds: source.roles: the patterns of each kind. A pattern matches a word or a run of as
            many words as it has; one of several words also matches a whole name, and then decides.
    """
    return kind_in(words_of(name), vocabulary_of(kinds))


def kind_in(
    words: Sequence[Word], vocabulary: Vocabulary, title: Collection[int] = ()
) -> str | None:
    """Return the kind that the words of a name say, but for those of a title.

    Args:
        words: of the name.
        vocabulary: source.roles.
        title: indices of words that say nothing.
    """
    left = [word for index, word in enumerate(words) if index not in title]
    letters = [w for word in left for w in re.findall(r"[^\W\d_]+", word.text)]
    whole = vocabulary.whole(" ".join(letters))
    if whole is not None:
        return whole
    said = _said(left, vocabulary)
    strong = [one for one in said if not one.weak]
    if not strong:
        weak = {one.kind for one in said if not one.negated}
        return next((kind for kind in (*_WEAK_ORDER, *sorted(weak)) if kind in weak), None)
    decisive = _decisive(strong)
    positive = {one.kind for one in strong if not one.negated}
    if decisive.negated:
        lacking = {one.kind for one in strong if one.negated}
        if decisive.kind in positive - {ACCOMPANIMENT}:  # "Drums (no kick)"
            return decisive.kind
        if lacking == {ACCOMPANIMENT}:  # "no instrumental"
            return "vocal"
        return ACCOMPANIMENT if lacking <= {"vocal", ACCOMPANIMENT} else COMPOSITE
    if decisive.kind == ACCOMPANIMENT:
        lacking = {one.kind for one in strong if one.negated} - {"vocal", ACCOMPANIMENT}
        return COMPOSITE if lacking else ACCOMPANIMENT
    leads = [one for one in said if one.kind == "lead" and not one.negated]
    if decisive.kind == "harmonic" and any(
        one.first.segment == decisive.first.segment for one in leads
    ):
        return "lead"  # lead guitar
    return decisive.kind


def says_something(word: Word, vocabulary: Vocabulary) -> bool:
    """Return whether a word by itself could say a kind, or a negation, or which of several."""
    text = word.text
    return (
        word.is_number
        or text in BESIDE
        or text in NEGATIONS
        or vocabulary.run([text]) is not None
        or vocabulary.joined(text) is not None
        or vocabulary.less(text) is not None
    )


def _decisive(strong: Sequence[_Said]) -> _Said:
    """Return the last that is in brackets, or the last, of the last segment that says a kind."""
    segment = max(one.first.segment for one in strong)
    there = [one for one in strong if one.first.segment == segment]
    return next((one for one in reversed(there) if one.first.bracketed), there[-1])


def _said(words: Sequence[Word], vocabulary: Vocabulary) -> list[_Said]:
    """Return all that the words of a name say, in their order."""
    said: list[_Said] = []
    negating: int | None = None  # where the negation stands that the next kind is turned round by
    index = 0
    while index < len(words):
        word = words[index]
        if negating is not None and word.part != words[negating].part:
            negating = None
        kind, taken, negated, weak = _kind_at(words, index, vocabulary)
        if kind is not None:
            turned = negated or negating is not None or _goes_on(said, words, index)
            if not (turned and kind == "ignored"):  # "Mix, no click" is no click
                said.append(_Said(kind, weak, turned, word, index + taken - 1))
            if word.text not in _FILLERS:  # "no lead vocal"
                negating = None
        elif word.text in NEGATIONS:
            negating = index
        elif word.text == "less" and said and said[-1].last_index == index - 1:
            said[-1] = _turned(said[-1])  # vocal-less
        elif word.text == "removed" and said and said[-1].last_index == index - 1:
            said[-1] = _turned(said[-1])
        elif word.text not in _FILLERS:
            negating = None
        index += taken
    return said


def _turned(one: _Said) -> _Said:
    return _Said(one.kind, one.weak, True, one.first, one.last_index)


def _goes_on(said: Sequence[_Said], words: Sequence[Word], index: int) -> bool:
    """Return whether a kind stands in one list with one that is negated: "no bass and drums"."""
    if not said or not said[-1].negated or said[-1].first.part != words[index].part:
        return False
    between = words[said[-1].last_index + 1 : index]
    return bool(between) and all(word.text in _CONNECTING for word in between)


def _kind_at(
    words: Sequence[Word], index: int, vocabulary: Vocabulary
) -> tuple[str | None, int, bool, bool]:
    """Return (kind, words taken, negated, weak) of the longest run that begins at a word."""
    part = words[index].part
    for length in range(min(vocabulary.longest, len(words) - index), 1, -1):
        run = words[index : index + length]
        texts = [word.text for word in run]
        kind = vocabulary.run(texts) if all(word.part == part for word in run) else None
        if kind is not None:
            return kind, length, False, is_weak(kind, texts)
    text = words[index].text
    halves = vocabulary.joined(text)
    if halves is not None:
        front, back = halves
        kind = vocabulary.run([back])
        leads = vocabulary.run([front])
        if kind == "harmonic" and leads == "lead":  # leadguitar
            kind = "lead"
        return kind, 1, front in NEGATIONS, kind is not None and is_weak(kind, [back])
    lacking = vocabulary.less(text)
    if lacking is not None:
        return vocabulary.run([lacking]), 1, True, False
    kind = vocabulary.run([text])
    return kind, 1, False, kind is not None and is_weak(kind, [text])
