"""The words of a name as people write names of files, and the parts of the name they stand in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# What is apart by more than a space: "Artist - Title - Drums", "Title (Drums)", "Artist_-_Title".
_TOKENS = re.compile(
    r"(?P<dash>[\s_]+[-–—|~]+[\s_]+|[–—|])"
    r"|(?P<open>[(\[{])"
    r"|(?P<close>[)\]}])"
    r"|(?P<without>(?<![^\W_])w[/_.\s-]?o[._\s-](?=\w))"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*|\d+)",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")  # LeadVox, AcGtr


@dataclass(frozen=True)
class Word:
    """A word or a number of a name.

    `segment` counts what " - " sets apart, `part` also what stands in brackets: two words of one
    part belong together. `start` and `end` are places in the composed (NFC) name.
    """

    text: str  # lower case
    start: int
    end: int
    segment: int
    part: int
    bracketed: bool

    @property
    def is_number(self) -> bool:
        """Whether it is written in digits."""
        return self.text.isdecimal()


def composed(name: str) -> str:
    """Return a name whose letters are one character each: some systems take é apart."""
    return unicodedata.normalize("NFC", name)


def words_of(name: str) -> list[Word]:
    """Return the words of a name in their order; LeadVox is two, w/o is "without"."""
    words: list[Word] = []
    segment = part = depth = 0
    name = composed(name)
    for token in _TOKENS.finditer(name):
        kind = token.lastgroup
        if kind == "dash":
            # Within brackets a dash sets nothing apart that the brackets do not.
            segment, part = segment + (depth == 0), part + 1
        elif kind in ("open", "close"):
            depth = max(0, depth + (1 if kind == "open" else -1))
            part += 1
        else:
            start = token.start()
            for text in ["without"] if kind == "without" else _HUMP.split(token.group()):
                end = token.end() if kind == "without" else start + len(text)
                lower = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
                words.append(Word(lower, start, end, segment, part, depth > 0))
                start = end
    return words


def common_words(names: Sequence[Sequence[Word]]) -> list[set[int]]:
    """Return, for each name, the indices of the words that all names have in the same order.

    Numbers are left out: "01 - Song - Kick" and "02 - Song - Bass" share a song.
    """
    spelled = [[i for i, word in enumerate(words) if not word.is_number] for words in names]
    common = [names[0][i].text for i in spelled[0]]
    for words, indices in zip(names[1:], spelled[1:], strict=True):
        common = _in_both(common, [words[i].text for i in indices])
    found: list[set[int]] = []
    for words, indices in zip(names, spelled, strict=True):
        left = iter(common)
        wanted = next(left, None)
        places = set()
        for i in indices:
            if words[i].text == wanted:
                places.add(i)
                wanted = next(left, None)
        found.append(places)
    return found


def _in_both(first: list[str], second: list[str]) -> list[str]:
    """Return the longest common subsequence of two short lists."""
    best: list[list[list[str]]] = [[[] for _ in range(len(second) + 1)]]
    for a in first:
        row: list[list[str]] = [[]]
        for at, b in enumerate(second):
            if a == b:
                row.append([*best[-1][at], a])
            else:
                row.append(max(best[-1][at + 1], row[at], key=len))
        best.append(row)
    return best[-1][-1]
