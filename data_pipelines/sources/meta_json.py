"""meta.json: what a person wrote down about a song, under the names that people give to it."""

from __future__ import annotations

import difflib
import itertools
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.sources.name_hints import FASTEST_BPM, SLOWEST_BPM
from data_pipelines.sources.song import Known
from mashnet.music.key_names import parse_key
from mashnet.storage.regular_files import MOST_JSON_BYTES, read_bounded

# Field → further names of it, in small letters and without what stands between words.
_FIELDS = {
    "title": ("songtitle", "songname"),
    "artist": ("artists", "band"),
    "license": ("licence",),
    "licence": (),
    "source": (),
    "stems": (),
    "bpm": ("tempo", "tempobpm", "beatsperminute"),
    "bpm_exact": ("exactbpm",),
    "key": ("camelot", "camelotkey", "openkey", "initialkey", "musicalkey", "tonality"),
    "mode": ("scale",),
    "first_bar_time_s": (),
    "bar_duration_s": (),
    "pattern_start_times_s": (),
    "beats": (),
    "downbeats": (),
    "beats_per_bar": (),
}
_NEAR = 0.79  # of 1: how alike a word must be to a known one to be a slip for it
_MOST_LETTERS = 2  # that a slip adds or drops
_TEMPO = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(?:bpm)?\s*", re.IGNORECASE)
_TONIC = re.compile(r"\s*[A-Ga-g][#♯b♭]?\s*")


def read_meta(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the contents of a meta.json, its fields called as here, and what is wrong with them.

    Fields that are not known stay what they are.
    """
    if not path.exists():
        return {}, []
    try:
        content = read_bounded(path, MOST_JSON_BYTES)
        # Windows' programs write a byte order mark, and some of them UTF-16.
        meta = json.loads(content.decode(json.detect_encoding(content)))
    except (OSError, ValueError) as error:
        return {}, [f"cannot be read, the song is used without it: {error}"]
    except RecursionError:
        return {}, ["cannot be read, the song is used without it: it is nested too deeply"]
    if not isinstance(meta, dict):
        return {}, ["does not hold a JSON object, the song is used without it"]
    meta, problems = _called_as_here(meta)
    if not isinstance(meta.get("stems", []), list):
        problems.append("'stems' is not a list and is not used")
        meta = {**meta, "stems": []}
    return meta, problems


def _called_as_here(meta: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    spelled = {_plain(field): field for field in _FIELDS}
    spelled |= {name: field for field, names in _FIELDS.items() for name in names}
    found = {name: value for name, value in meta.items() if name in _FIELDS}
    problems = []
    for name, value in meta.items():
        if name in _FIELDS:
            continue
        field = spelled.get(_plain(name))
        if field is None:
            found[name] = value
            near = _near(name)
            if near:
                problems.append(f"'{name}' is not known; did you mean '{near}'?")
        elif found.get(field) is None:
            found[field] = value
        elif found[field] != value:
            problems.append(f"'{name}' is not used beside '{field}', which says {found[field]!r}")
    return found, problems


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _near(name: str) -> str | None:
    """Return the field that an unknown name is probably a slip for."""
    for field in _FIELDS:
        own, theirs = re.split(r"[\W_]+", name.lower()), field.split("_")
        if len(own) == len(theirs) and all(map(_alike, own, theirs)):
            return field
    return None


def _alike(word: str, known: str) -> bool:
    """Return whether a word is another but for a letter or so, or has its letters (bmp)."""
    if sorted(word) == sorted(known):
        return True
    alike = difflib.SequenceMatcher(None, word, known).ratio() >= _NEAR
    return alike and abs(len(word) - len(known)) <= _MOST_LETTERS


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
        key = _key(meta)
        return (
            Known(
                tempo_bpm=tempo,
                beats=_times(meta, "beats"),
                downbeats=_times(meta, "downbeats"),
                beats_per_bar=None if beats_per_bar is None else int(beats_per_bar),
                bar_starts=bars,
                key=key,
            ),
            "",
        )
    except (TypeError, ValueError) as error:
        return Known(), f"its annotations are not used: {error}"


def tempo_hint(value: object) -> float | None:
    """Return a tempo as people and programs write it: 125, "125 bpm", "124,98"; 0 is none.

    Raises:
        ValueError: if it is no tempo of music.
    """
    match = None if isinstance(value, bool) else _TEMPO.fullmatch(str(value))
    tempo = float(match.group(1).replace(",", ".")) if match else math.nan
    if tempo == 0:
        return None  # what programs write that do not know it
    if not SLOWEST_BPM <= tempo <= FASTEST_BPM:
        lowest, highest = f"{SLOWEST_BPM:g}", f"{FASTEST_BPM:g}"
        raise ValueError(f"'{value}' is not a tempo from {lowest} to {highest} bpm")
    return tempo


def _key(meta: Mapping[str, Any]) -> str | None:
    """Return the key, whose mode may stand by itself; raises ValueError if it is none."""
    key = meta.get("key")
    if key is None:
        return None
    name = str(key)
    if isinstance(meta.get("mode"), str) and _TONIC.fullmatch(name):
        name = f"{name.strip()} {meta['mode']}"
    parse_key(name)
    return name


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
