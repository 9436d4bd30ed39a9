"""source=fma: the Free Music Archive dataset (Defferrard et al., ISMIR 2017), or a choice of it.

Layout of the unpacked archives, all in `source.root`:
    fma_metadata/tracks.csv        two lines of headings (group, name), one with "track_id"; a track
                                   a line, its number first
    fma_full/000/000002.mp3        or fma_large, fma_medium, fma_small (clips of 30 s)
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from data_pipelines.sources.folders import require_folder
from data_pipelines.sources.song import Known, RawSong, Recording, Reject, printable
from mashnet.data.schemas import SPLITS
from mashnet.errors import ConfigError, MashnetError
from mashnet.music.key_names import parse_key
from mashnet.music.keys import Key, fold_semitones
from mashnet.storage.regular_files import opened

_TRACKS = Path("fma_metadata") / "tracks.csv"
_COLUMNS = {
    ("track", "title"): "title",
    ("track", "duration"): "duration_s",  # of the whole track, also where clips of 30 s are read
    ("track", "genre_top"): "genre",
    ("track", "license"): "license",
    ("artist", "name"): "artist",
    ("artist", "id"): "artist_id",
    ("set", "split"): "split",
    ("set", "subset"): "subset",
}
_SPLITS = {"training": "train", "validation": "val", "test": "test"}
# Each archive of clips has the tracks of the smaller ones, too; the others have all.
_SUBSETS = {"fma_small": ("small",), "fma_medium": ("small", "medium")}
_LONGEST_FIELD = 10_000_000  # characters; artists write long biographies
Row = dict[str, Any]


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the tracks that `source.select` chooses.

    Raises:
        MashnetError: if metadata or sound are not there, or nothing is chosen.
    """
    source = config.source
    root = require_folder(Path(source.root))
    audio = require_folder(root / str(source.audio), "source.audio")
    keys, problems = _read_keys(root, source)
    yield from problems
    tracks = chosen(_read_tracks(root / _TRACKS), keys, source)
    if not tracks:
        raise MashnetError(f"{root / _TRACKS}: no track is what source.select asks for")
    there, absent = [], []
    for row in tracks:
        if _path(audio, row["track_id"]).is_file():
            there.append(row)
        else:
            absent.append(row["track_id"])
    print(f"{len(tracks)} tracks chosen, {len(there)} of them in {audio}")
    if absent:
        some = ", ".join(f"{number:06d}" for number in absent[:5])
        more = " …" if len(absent) > 5 else ""
        yield _reject(audio, f"lacks {len(absent)} of the tracks that were chosen: {some}{more}")
    for row in there:
        yield _song(_path(audio, row["track_id"]), row, keys, source)


def chosen(tracks: list[Row], keys: Mapping[int, str], source: DictConfig) -> list[Row]:
    """Return the tracks that a configuration asks for.

    Args:
        tracks: rows as `_COLUMNS` names them, with track_id.
        keys: names of keys by track_id.
        source: the configuration of the source.

    Raises:
        ConfigError: if a setting makes no sense.
    """
    select = source.select
    near = _key(str(select.near_key)) if select.near_key is not None else None
    if near is not None and source.key_file is None:
        raise ConfigError(
            "source.select.near_key needs source.key_file, a CSV file with the columns "
            "track_id and key_and_mode (docs/data_sets.md)"
        )
    shortest_s, longest_s = select.duration_s
    subsets = _SUBSETS.get(Path(str(source.audio)).name)
    without_genres, without_titles = set(select.without_genres), set(select.without_titles)
    kept = []
    for row in tracks:
        if subsets is not None and row["subset"] not in subsets:
            continue
        if not shortest_s <= row["duration_s"] <= longest_s:
            continue
        if (select.with_genre and not row["genre"]) or row["genre"] in without_genres:
            continue
        if row["title"] in without_titles:
            continue
        if near is not None:
            name = keys.get(row["track_id"])
            if name is None or not _is_near(parse_key(name), near, select.max_semitones):
                continue
        kept.append(row)
    return kept


def _is_near(key: Key, near: Key, max_semitones: int) -> bool:
    return key.mode == near.mode and abs(fold_semitones(key.tonic - near.tonic)) <= max_semitones


def _key(name: str) -> Key:
    try:
        return parse_key(name)
    except ValueError as error:
        raise ConfigError(f"source.select.near_key: {error}") from error


def _path(audio: Path, track_id: int) -> Path:
    name = f"{track_id:06d}"
    return audio / name[:3] / f"{name}.mp3"


def _read_tracks(path: Path) -> list[Row]:
    """Return the tracks in order of their numbers; raises MashnetError if it is not the table."""
    tracks: list[Row] = []
    usual_limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with io.TextIOWrapper(opened(path), encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            groups, names = next(lines, []), next(lines, [])
            places = {pair: at for at, pair in enumerate(zip(groups, names, strict=False))}
            missing = [".".join(pair) for pair in _COLUMNS if pair not in places]
            if missing:
                raise ValueError(f"has no column {', '.join(missing)}")
            for line in lines:
                if line and line[0].isdecimal():  # the third line of headings has no number
                    if len(line) < len(groups):
                        raise ValueError(f"line {lines.line_num} is cut off")
                    row: Row = {name: line[places[pair]] for pair, name in _COLUMNS.items()}
                    duration_s = float(row["duration_s"] or 0)
                    tracks.append({**row, "track_id": int(line[0]), "duration_s": duration_s})
    except (OSError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise MashnetError(f"{path}: cannot be read as FMA's table of tracks: {reason}") from error
    finally:
        csv.field_size_limit(usual_limit)
    return sorted(tracks, key=lambda row: row["track_id"])


def _read_keys(root: Path, source: DictConfig) -> tuple[dict[int, str], list[Reject]]:
    """Return the names of keys by track, and rejects for what is no key.

    Raises:
        MashnetError: if there is no such file, or it has other columns.
    """
    if source.key_file is None:
        return {}, []
    path = root / str(source.key_file)
    keys: dict[int, str] = {}
    problems = []
    try:
        with io.TextIOWrapper(opened(path), encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                try:
                    parse_key(row["key_and_mode"])
                    keys[int(row["track_id"])] = row["key_and_mode"]
                except (ValueError, TypeError) as error:
                    problems.append(_reject(path, f"a line of it is not used: {error}", "meta"))
    except KeyError as error:
        raise MashnetError(f"source.key_file: {path} has no column {error}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MashnetError(f"source.key_file: {path} cannot be read: {error}") from error
    return keys, problems


def _song(path: Path, row: Row, keys: Mapping[int, str], source: DictConfig) -> RawSong:
    split = _SPLITS.get(row["split"])
    return RawSong(
        origin=printable(path),
        title=printable(row["title"] or path.stem),
        artist=printable(row["artist"]),
        source="fma",
        license=printable(row["license"]),
        group=printable(row["artist_id"] or row["artist"] or path.stem),
        splits=(split,) if source.official_split and split else SPLITS,
        recording=Recording(path=path),
        known=Known(key=keys.get(row["track_id"])),
    )


def _reject(path: Path, reason: str, stage: str = "source") -> Reject:
    return Reject(input=printable(path), stage=stage, reason=printable(reason))
