"""Tempo and key as they stand in names of files: "Bmin-120bpm", "Am", "8A", "120 BPM".

Only what cannot well mean anything else counts: a number beside "bpm"; a key with its mode that
stands by itself between dashes, underscores or brackets ("Who I Am" is no A minor), or beside such
a tempo.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data_pipelines.sources.words import composed
from mashnet.music.key_names import parse_key

SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0
# What is apart by more than spaces. A dash between spaces, too.
_CHUNK = re.compile(r"[^-–—_|()\[\]{},;]+")
_TEMPO = re.compile(
    r"(?<![^\W_])(?<![.,])(\d{2,3}(?:[.,]\d{1,3})?)\s?bpm(?![^\W\d_])", re.IGNORECASE
)
_TEMPO_AFTER = re.compile(
    r"(?<![^\W_])bpm\s?(\d{2,3}(?:[.,]\d{1,3})?)(?![^\W_])(?![.,]\d)", re.IGNORECASE
)
_MODE = r"(?:m|min|minor|maj|major|moll|dur|M)"
_KEY = re.compile(rf"[A-G](?:[#♯b♭]|\s?(?:sharp|flat))?\s?{_MODE}")
_LOWER_KEY = re.compile(r"[a-g][#♯b♭]?\s?(?:min|minor|maj|major|moll|dur)")
_CAMELOT = re.compile(r"(?:0?[1-9]|1[0-2])[AB]")
_MODE_APART = re.compile(r"(?<=[A-Ga-g#♯b♭])[_-](?=(?:min|maj)(?:or)?(?![^\W_]))", re.IGNORECASE)
_NUMBER = re.compile(r"\d{2,3}(?:\.\d{1,2})?")
_TUNING = re.compile(r"4[0-9]{2}(?:\.\d+)?\s?hz", re.IGNORECASE)


@dataclass(frozen=True)
class NameHints:
    """What a name says of its music, and where: spans in the composed name."""

    tempo_bpm: float | None = None
    key: str | None = None
    spans: tuple[tuple[int, int], ...] = ()


def hints_of_name(name: str) -> NameHints:
    """Return the tempo and the key that a name holds, without a file's suffix."""
    name = _MODE_APART.sub(" ", composed(name))
    tempo, spans = _tempo(name)
    chunks = [
        (match.start() + len(text) - len(text.lstrip()), text.strip())
        for match in _CHUNK.finditer(name)
        for text in [match.group()]
        if text.strip()
    ]
    key, place = _key(name, chunks, beside_tempo=bool(spans))
    if tempo is None and key is not None and place is not None:
        tempo, spans = _number_beside(chunks, place[0])
    if place is not None:
        spans.append(place)
    if spans:  # "440hz" says something of music only where the rest does
        spans += [match.span() for match in _TUNING.finditer(name)]
    return NameHints(tempo, key, tuple(spans))


def _tempo(name: str) -> tuple[float | None, list[tuple[int, int]]]:
    matches = [*_TEMPO.finditer(name), *_TEMPO_AFTER.finditer(name)]
    said = {float(match.group(1).replace(",", ".")) for match in matches}
    tempi = {tempo for tempo in said if SLOWEST_BPM <= tempo <= FASTEST_BPM}
    spans = [match.span() for match in matches]
    return (tempi.pop() if len(tempi) == 1 else None), spans


def _key(
    name: str, chunks: Sequence[tuple[int, str]], *, beside_tempo: bool
) -> tuple[str | None, tuple[int, int] | None]:
    """Return a key and its place in the name."""
    found = []
    for number, (start, text) in enumerate(chunks):
        without_tempo = _TEMPO_AFTER.sub("", _TEMPO.sub("", text)).strip()
        key = without_tempo.removesuffix(" key").strip()
        if _CAMELOT.fullmatch(key):
            # "Gtr-1A" is a take: a Camelot key needs brackets, " - ", a tempo, or to come first.
            certain = beside_tempo or _set_apart(name, start) or number == 0
            certain = certain and len(chunks) > 1
        else:
            certain = bool(_KEY.fullmatch(key) or _LOWER_KEY.fullmatch(key))
            # The first chunk is where titles stand: "Am - bass".
            certain = certain and (number > 0 or beside_tempo)
        if certain:
            at = start + text.index(key)
            found.append((_readable(key), (at, at + len(key))))
    keys = {str(parse_key(key)) for key, _ in found}
    return found[0] if len(keys) == 1 else (None, None)


def _set_apart(name: str, start: int) -> bool:
    return name[:start].rstrip().endswith(("(", "[", "{", " -", " –", " |"))


def _readable(key: str) -> str:
    return key if _CAMELOT.fullmatch(key) else re.sub(r"\s+", " ", key)


def _number_beside(
    chunks: Sequence[tuple[int, str]], key_start: int
) -> tuple[float | None, list[tuple[int, int]]]:
    """Return the tempo of "8A - 124 - Title": a number by itself beside a key."""
    starts = [start for start, _ in chunks]
    at = max(i for i, start in enumerate(starts) if start <= key_start)
    for near in (at + 1, at - 1):
        if 0 <= near < len(chunks) and _NUMBER.fullmatch(chunks[near][1]):
            start, text = chunks[near]
            if 60 <= float(text) <= 200:
                return float(text), [(start, start + len(text))]
    return None, []


def agreed(hints: Sequence[NameHints]) -> NameHints:
    """Return what all names of a song say, in case all that say something say the same.

    A key that not every name has is no song's ("Gtr 1A"), a tempo is the song's wherever it stands.
    """
    tempi = {hint.tempo_bpm for hint in hints if hint.tempo_bpm is not None}
    keys = {hint.key for hint in hints}
    return NameHints(
        tempo_bpm=tempi.pop() if len(tempi) == 1 else None,
        key=keys.pop() if len(keys) == 1 else None,
    )
