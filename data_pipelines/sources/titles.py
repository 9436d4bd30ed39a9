"""Which words of stems' names are the title of their song, and so say nothing of the stem."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from data_pipelines.sources.names import kind_in, says_something
from data_pipelines.sources.vocabulary import NEGATIONS, Vocabulary
from data_pipelines.sources.words import Word, common_words, words_of


def kinds_of_song(names: Sequence[str], vocabulary: Vocabulary, song: str = "") -> list[str | None]:
    """Return the kind that each stem's name says, knowing all names of the song.

    Words that all of them share are the title, and so are those of the song's own name. Where
    nothing but numbers is left of a name ("Take 1"), the shared words are read after all.

    Args:
        names: of one song's files, without suffixes.
        vocabulary: source.roles.
        song: the name of the folder, or the title that is known already.
    """
    words = [words_of(name) for name in names]
    kinds: list[str | None] = []
    for own, shared in zip(words, title_words(words, vocabulary), strict=True):
        title = shared
        if all(word.is_number for index, word in enumerate(own) if index not in title):
            title = set()
        title = title | _named_like(own, song, vocabulary)
        kinds.append(kind_in(own, vocabulary, title))
    return kinds


def title_words(names: Sequence[Sequence[Word]], vocabulary: Vocabulary) -> list[set[int]]:
    """Return, for each name of a song, the indices of the words that are its title.

    Shared words are, if there is one among those beside each other that is no stem's: "Tom
    Sawyer", but not "Vocals" where all files are vocals.
    """
    if len(names) < 2:
        return [set() for _ in names]
    found = []
    for words, shared in zip(names, common_words(names), strict=True):
        title: set[int] = set()
        for run in _runs(words, shared):
            if not all(says_something(words[i], vocabulary) for i in run):
                title |= set(run)
        # The "no" of no_vocals and no_drums belongs to what follows it.
        for index in sorted(title, reverse=True):
            following = index + 1
            if (
                words[index].text in NEGATIONS
                and following < len(words)
                and following not in title
                and words[following].part == words[index].part
            ):
                title.discard(index)
        found.append(title)
    return found


def _runs(words: Sequence[Word], chosen: set[int]) -> list[list[int]]:
    """Return runs of chosen words that stand beside each other; numbers between them are none."""
    runs: list[list[int]] = []
    kept = [i for i, word in enumerate(words) if i in chosen or not word.is_number]
    for earlier, index in itertools.pairwise([-1, *kept]):
        if index not in chosen:
            continue
        if earlier in chosen and words[earlier].part == words[index].part:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _named_like(words: Sequence[Word], song: str, vocabulary: Vocabulary) -> set[int]:
    """Return the words that repeat the song's name, which is no stem's."""
    named = words_of(song)
    wanted = [word.text for word in named]
    if not wanted or all(says_something(word, vocabulary) for word in named):
        return set()
    for first in range(len(words) - len(wanted) + 1):
        run = range(first, first + len(wanted))
        if [words[i].text for i in run] == wanted:
            return set(run)
    return set()
