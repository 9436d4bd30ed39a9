"""Bring the ratings of several servers, and the backups of listeners' browsers, into one file."""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from mashnet.errors import ConfigError, DatabaseError
from mashnet.listening.ratings import Rating, latest
from mashnet.listening.ratings_file import RATINGS, folder_lock, read_ratings, write_ratings


def collect(sources: Sequence[Path], out: Path) -> list[Rating]:
    """Write all ratings of one test into one file, each once; print what was found.

    An answer that lies in several files (a server's and a browser's, say) is one row: that of a
    server, which has the time of its arrival. Changed answers stay as rows of their own, since
    `analyse` takes the last. What `out` holds already is kept.

    Args:
        sources: CSV files, or folders of tests.
        out: the CSV to write.

    Returns:
        What was written.

    Raises:
        ConfigError: if the files are of different tests.
        DatabaseError: if one cannot be read, none has a rating, or a server is writing to `out`.
    """
    paths = [path / RATINGS if path.is_dir() else path for path in sources]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = folder_lock(out.parent)
    except OSError as error:
        raise DatabaseError(f"{out}: cannot be written: {error.strerror or error}") from error
    try:
        if out.is_file() and out.resolve() not in [path.resolve() for path in paths]:
            paths.insert(0, out)
        of_file: dict[Path, list[Rating]] = {}
        for path in dict.fromkeys(paths):
            of_file[path], warnings = read_ratings(path)
            print(f"{path}: {len(of_file[path])} ratings")
            for line in warnings:
                print(f"warning: {line}", file=sys.stderr)
        merged = _merged(of_file)
        try:
            write_ratings(out, merged)
        except OSError as error:
            raise DatabaseError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        os.close(lock)
    given = sum(map(len, of_file.values()))
    last = latest(merged)
    people = Counter(participant for participant, _ in last)
    clips = len({item for _, item in last})
    print(
        f"{out}: {len(merged)} rows ({given - len(merged)} were there twice, "
        f"{len(merged) - len(last)} were changed later): {len(last)} ratings of {clips} clips by "
        f"{len(people)} participants"
    )
    for participant, count in sorted(people.items()):
        if count < clips:
            print(f"  {participant}: {count} of {clips}")
    return merged


def _merged(of_file: dict[Path, list[Rating]]) -> list[Rating]:
    """Return each answer once, in order of time.

    Raises:
        ConfigError: if there is more than one test.
        DatabaseError: if there is no rating.
    """
    tests: dict[str, set[str]] = defaultdict(set)
    copies: dict[tuple[str, str, str], list[Rating]] = defaultdict(list)
    for path, ratings in of_file.items():
        for rating in ratings:
            tests[rating.test].add(str(path))
            copies[rating.key].append(rating)
    if not copies:
        raise DatabaseError(f"{', '.join(map(str, of_file))}: no ratings to collect")
    if len(tests) > 1:
        parts = "; ".join(f"{', '.join(sorted(names))}" for names in tests.values())
        raise ConfigError(f"ratings= of different tests cannot be one file: {parts}")
    chosen = [
        min(same, key=lambda rating: (rating.received_at == "", rating.received_at))
        for same in copies.values()
    ]
    return sorted(chosen, key=lambda rating: (rating.received_at or rating.rated_at, rating.key))
