"""source=harmonix: the Harmonix Set (Nieto et al., ISMIR 2019) and the user's recordings.

Layout of github.com/urinieto/harmonixset (the folder `dataset`, or one that holds it):
    metadata.csv                        File, Title, Artist, Release, Duration, BPM, …
    beats_and_downbeats/<File>.txt      a beat a line: seconds, place in the bar from 1, bar
    segments/<File>.txt                 a section a line: seconds at which it begins, name

The set has no sound: `source.audio` is a folder of recordings called <File>.mp3 (or .wav …).
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from data_pipelines.sources.folders import require_folder, walk
from data_pipelines.sources.song import Known, RawSong, Recording, Reject, printable
from mashnet.errors import ConfigError, MashnetError
from mashnet.music.sections import LABELS, Section, label_of
from mashnet.progress import Progress
from mashnet.storage.regular_files import read_bounded

_METADATA = "metadata.csv"
_COLUMNS = ("File", "Title", "Artist", "Duration")
_MOST_BYTES = 10_000_000  # of any file of the set; its table has 140 kB
_SNAP_S = 0.1  # sections and downbeats were written down apart; nearer than this they are one time


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the recordings under `source.audio` that the set knows.

    Their clips are the sections named in `source.clips`; neighbours of one kind are one clip.

    Raises:
        MashnetError: if the set or the recordings are not there.
    """
    source = config.source
    wanted = tuple(source.clips)
    if not wanted or not set(wanted) <= set(LABELS):
        raise ConfigError(f"source.clips={list(wanted)} must name some of: {', '.join(LABELS)}")
    dataset = _dataset(require_folder(Path(source.root)))
    metadata = _read_metadata(dataset / _METADATA)
    paths: list[Path] = []
    for _, files, _, problems in walk(require_folder(Path(source.audio), "source.audio")):
        yield from problems
        paths += files
    heard: set[str] = set()
    for path in Progress(paths, desc="separation", unit="song"):
        row = metadata.get(path.stem)
        if row is None:
            yield _reject(path, f"is called like no File of {_METADATA}")
        elif path.stem in heard:
            yield _reject(path, f"is another recording of {path.stem}, which is used")
        else:
            heard.add(path.stem)
            yield from _song(path, row, dataset, wanted, source)


def _dataset(root: Path) -> Path:
    for folder in (root, root / "dataset"):
        if (folder / _METADATA).is_file():
            return folder
    raise MashnetError(
        f"source.root: {root} holds no {_METADATA}; name the folder that "
        "github.com/urinieto/harmonixset was cloned into"
    )


def _read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows by file name; raises MashnetError if it is not the set's table."""
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"has no column {', '.join(missing)}")
        return {row["File"]: row for row in reader}
    except (OSError, ValueError, csv.Error) as error:
        raise MashnetError(f"{path}: {error}") from error


def _song(
    path: Path,
    row: Mapping[str, str],
    dataset: Path,
    wanted: Sequence[str],
    source: DictConfig,
) -> Iterator[RawSong | Reject]:
    try:
        beats, downbeats = read_beats(dataset / "beats_and_downbeats" / f"{path.stem}.txt")
        sections, unknown = read_segments(dataset / "segments" / f"{path.stem}.txt", downbeats)
        says_s = float(row["Duration"] or "")  # a row that is cut off has none
    except (OSError, ValueError) as error:
        yield _reject(path, f"its annotations cannot be used: {' '.join(str(error).split())}")
        return
    for name in unknown:
        yield Reject(
            input=printable(path),
            stage="sections",
            reason=f"the section name '{printable(name)}' is not known, taken for a bridge",
        )
    parts = clip_parts(sections, wanted)
    if not parts:
        yield _reject(path, f"has no section that is {' or '.join(wanted)}")
        return
    yield RawSong(
        origin=printable(path),
        title=printable(row["Title"]),
        artist=printable(row["Artist"]),
        source="harmonix",
        license=str(source.license),
        group=printable(row["Artist"] or path.stem),
        recording=Recording(path=path, lasts_s=says_s, most_apart_s=float(source.max_difference_s)),
        known=Known(beats=beats, downbeats=downbeats, sections=sections),
        parts=parts,
    )


def _lines(path: Path) -> list[str]:
    """Return the lines of a file that say something, without the space around them."""
    lines = read_bounded(path, _MOST_BYTES).decode("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def read_beats(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return a song's beats and downbeats, in seconds.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if a line is not one of beats, or they are not in order of time.
    """
    beats, downbeats = [], []
    for line in _lines(path):
        fields = line.split()
        if len(fields) < 2:
            raise ValueError(f"{path.name}: '{line}' is not a beat")
        beats.append(float(fields[0]))
        if int(fields[1]) == 1:
            downbeats.append(beats[-1])
    if len(beats) < 2 or not all(a < b for a, b in itertools.pairwise(beats)):
        raise ValueError(f"{path.name}: its beats are not in order of time, or fewer than two")
    if not np.isfinite(beats).all() or beats[0] < 0:
        raise ValueError(f"{path.name}: holds times that are not ≥ 0 seconds")
    return tuple(beats), tuple(downbeats)


def read_segments(
    path: Path, downbeats: Sequence[float]
) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """Return a song's sections, and the names among them that are not known.

    A section ends where the next line begins; the last line ("end") is where the song does. A
    beginning within 0.1 s of a downbeat is that downbeat.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if a line is not one of sections, or they are not in order of time.
    """
    times, names = [], []
    for line in _lines(path):
        fields = line.split(maxsplit=1)
        if len(fields) != 2:
            raise ValueError(f"{path.name}: '{line}' is not a section")
        times.append(_snapped(float(fields[0]), downbeats))
        names.append(fields[1].strip())
    if not np.isfinite(times).all() or not all(a <= b for a, b in itertools.pairwise(times)):
        raise ValueError(f"{path.name}: its sections are not in order of time")
    sections, unknown = [], []
    for (start_s, end_s), name in zip(itertools.pairwise(times), names, strict=False):
        label = label_of(name)
        if label is None:
            unknown.append(name)
            label = "bridge"
        if label and end_s > start_s:
            sections.append(Section(start_s, end_s, label))
    return tuple(sections), tuple(unknown)


def clip_parts(sections: Sequence[Section], wanted: Sequence[str]) -> tuple[Section, ...]:
    """Return the sections with a wanted label; those that follow each other directly are one."""
    parts: list[Section] = []
    for section in sections:
        if section.label not in wanted:
            continue
        if parts and parts[-1].label == section.label and parts[-1].end_s == section.start_s:
            section = Section(parts.pop().start_s, section.end_s, section.label)
        parts.append(section)
    return tuple(parts)


def _snapped(time_s: float, downbeats: Sequence[float]) -> float:
    nearest = min(downbeats, key=lambda downbeat: abs(downbeat - time_s), default=time_s)
    return nearest if abs(nearest - time_s) <= _SNAP_S else time_s


def _reject(path: Path, reason: str) -> Reject:
    return Reject(input=printable(path), stage="source", reason=printable(reason))
