"""What single words say of a stem: patterns by kind (source.roles), and words that are joined."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Mapping, Sequence

Kinds = tuple[tuple[str, tuple[str, ...]], ...]

# What engineers write beside an instrument: where, which, how. Says nothing by itself.
BESIDE = frozenset(
    "l r left right c ctr center centre top bot bottom btm bt up down dn in out inside "
    "outside front back close far near mid mids hi high lo low side sides m s ms xy ab di amp "
    "cab mic mics mono stereo st trk track tracks stem stems bus buss grp group sum aux send "
    "return rtn take tk comp edit edited tuned clean dirty dist dry wet raw proc final new "
    "old alt loop loops oneshot main bg bgd ld dbl double doubles doubled trpl triple whisper "
    "intro verse chorus bridge outro drop hook and n und et y e with feat ft hz bit khz db v "
    "ver version pt part rev wav flac mp3 aif aiff ogg first second third isolated iso only "
    "just".split()
)
# These decide only where no instrument is named beside them: "Drum Room", "Master Vox", "Vocal FX".
_DESCRIBING = frozenset(
    "room rooms sub subs 808 808s harmony harmonies harms harm harmonic harmonics acoustic "
    "electric elec mix mixture mixdown mixed master mastered premaster full fullmix print "
    "bounce 2mix original noise noises hit hits stereomix".split()
)
_WEAK_KINDS = frozenset({"lead", "other", "composite"})
_SHORTEST_JOINED = 3  # letters of a word that is looked for in a joined one
_SHORTEST_ALONE = 5  # of one whose other half is not known: overdriveguitar, but not Leghorn
_JOINED_ALONE = frozenset({"bass"})  # fingerbass; no title ends in it


class Vocabulary:
    """Patterns by kind, ready to be asked about words."""

    def __init__(self, kinds: Kinds) -> None:
        self._patterns: dict[int, list[tuple[str, tuple[re.Pattern[str], ...]]]] = {}
        self._wholes: list[tuple[str, re.Pattern[str]]] = []
        self._bases: dict[str, str] = {}
        for kind, patterns in kinds:
            for pattern in patterns:
                steps = tuple(re.split(r"[\s_-]+", pattern.lower().strip()))
                if "*" not in steps:  # "vocals *" is meant for whole names
                    matching = tuple(_compiled(step) for step in steps)
                    self._patterns.setdefault(len(steps), []).append((kind, matching))
                if len(steps) > 1:
                    self._wholes.append((kind, _compiled(pattern.lower())))
                base = steps[0].strip("*")
                if len(steps) == 1 and len(base) >= _SHORTEST_JOINED and "*" not in base:
                    self._bases.setdefault(base, kind)
        self.longest = max(self._patterns, default=1)

    def whole(self, name: str) -> str | None:
        """Return the kind of the first pattern of several words that matches a whole name."""
        return next((kind for kind, pattern in self._wholes if pattern.match(name)), None)

    def run(self, words: Sequence[str]) -> str | None:
        """Return the kind of the first pattern of as many words that matches a run of words."""
        for kind, steps in self._patterns.get(len(words), ()):
            if all(step.match(word) for word, step in zip(words, steps, strict=True)):
                return kind
        return None

    def joined(self, word: str) -> tuple[str, str] | None:
        """Return the two halves of a joined word if it is one: kickdrum, leadvox, subbass.

        The second half is one that the patterns know; the first is known, too, or it does not
        matter what it is (overdriveguitar).
        """
        if self._base(word) is not None:
            return None
        for length in range(len(word) - 1, _SHORTEST_JOINED - 1, -1):
            front, back = word[:-length], word[-length:]
            base = self._base(back)
            if base is None:
                continue
            known = self._base(front) is not None or front in BESIDE | _DESCRIBING
            if known or front in NEGATIONS:
                return front, back
            if len(base) >= _SHORTEST_ALONE or base in _JOINED_ALONE:
                return front, back
        return None

    def _base(self, word: str) -> str | None:
        for base in (word, word.removesuffix("s")):
            if base in self._bases:
                return base
        return None

    def less(self, word: str) -> str | None:
        """Return what drumless or vocalless lacks; None for wireless and other words."""
        if not word.endswith("less"):
            return None
        front = word.removesuffix("less")
        return next((w for w in (front, front + "l") if self._base(w) is not None), None)


NEGATIONS = frozenset("no non without minus sans ohne senza except без".split())


def vocabulary_of(kinds: Mapping[str, Sequence[str]]) -> Vocabulary:
    """Return the vocabulary of source.roles."""
    return _vocabulary(tuple((str(k), tuple(map(str, p))) for k, p in kinds.items()))


@functools.lru_cache(maxsize=16)
def _vocabulary(kinds: Kinds) -> Vocabulary:
    return Vocabulary(kinds)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def is_weak(kind: str, words: Sequence[str]) -> bool:
    """Return whether a kind holds only where the name says nothing better.

    "Lead Vocals" are vocals, "Vocal FX" too, a "Drum Mix" is drums, a "Kick 808" a kick.
    """
    return kind in _WEAK_KINDS or all(w in _DESCRIBING or w in BESIDE for w in words)
