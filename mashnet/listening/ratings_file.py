"""ratings.csv: read with whatever is wrong in it, and appended to so that nothing is lost.

A rating is on the disk (written, flushed, fsynced) before its sender hears that it is stored. A
server that is killed in the middle of a line leaves half of one, whose sender never heard so and
sends it again: the half is cut off when the next server starts.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mashnet.errors import DatabaseError
from mashnet.files import written_atomically
from mashnet.listening.ratings import COLUMNS, Rating, header, rating_of
from mashnet.storage.contained_paths import place
from mashnet.storage.regular_files import read_bounded, require_regular

RATINGS = "ratings.csv"
MOST_BYTES = 200_000_000  # of a file: some 800,000 ratings
_MOST_AHEAD = timedelta(days=1)  # of this machine's clock: another machine's may be wrong


def read_ratings(path: Path) -> tuple[list[Rating], list[str]]:
    """Read a CSV of ratings, from a server, a browser's backup or a spreadsheet program.

    Args:
        path: columns in any order, separated by commas or semicolons.

    Returns:
        The ratings in their order, and a line of text for each line that cannot be used.

    Raises:
        DatabaseError: if the file cannot be read or is no CSV of ratings.
    """
    try:
        text = read_bounded(path, MOST_BYTES).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    except ValueError as error:
        raise DatabaseError(f"{path}: cannot be read: {error}") from error
    except OSError as error:
        raise DatabaseError(f"{path}: cannot be read: {error.strerror or error}") from error
    lines = text.replace("\x00", "\ufffd").split("\n")
    delimiter = ";" if lines[0].count(";") > lines[0].count(",") else ","
    names = [name.strip() for name in next(csv.reader([lines[0]], delimiter=delimiter), [])]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise DatabaseError(f"{path}: is no file of ratings: it has no {', '.join(missing)}")
    ratings, warnings = [], []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            rating = _understood(line, names, delimiter)
            _require_past(rating)
            ratings.append(rating)
        except (ValueError, csv.Error) as error:
            warnings.append(f"{path}, line {number}: left out: {error}")
    return ratings, warnings


def _understood(line: str, names: list[str], delimiter: str) -> Rating:
    cells = next(csv.reader([line], delimiter=delimiter))
    if len(cells) != len(names):
        raise ValueError(f"has {len(cells)} of {len(names)} columns")
    values = dict(zip(names, cells, strict=True))
    if delimiter == ";":  # where lists are separated by semicolons, numbers have a comma
        values["listened_s"] = values["listened_s"].replace(",", ".")
    return rating_of(values)


def _require_past(rating: Rating) -> None:
    """Raise a ValueError for a time of arrival to come: all later ratings would have to follow."""
    moment = rating.received_at
    if moment and datetime.fromisoformat(moment) - datetime.now(UTC) > _MOST_AHEAD:
        raise ValueError(f"received_at is {moment}, more than a day ahead of this machine's clock")


def write_ratings(path: Path, ratings: Iterable[Rating]) -> None:
    """Write a whole CSV, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(header() + "".join(rating.line for rating in ratings), "utf-8")


class RatingsFile:
    """ratings.csv of a folder, open for appending; one process at a time has it.

    Attributes:
        path: the file.
        ratings: all that it holds, in its order.
        warnings: what was wrong with it when it was opened.
    """

    def __init__(self, folder: Path) -> None:
        """Open or make the file, and cut off half a line at its end.

        Raises:
            DatabaseError: if another process has it, it is no file of ratings, or it cannot be
                written to.
        """
        self.path = place(folder, RATINGS)  # a link there would make or fill another file
        self._lock = threading.Lock()
        self._folder = folder_lock(folder)
        try:
            if self.path.exists():
                require_regular(self.path)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self.warnings = self._repair()
            os.fsync(self._folder)
        except OSError as error:
            raise DatabaseError(f"{self.path}: {error.strerror or error}") from error
        self.ratings, found = read_ratings(self.path)
        self.warnings += found
        self._keys = {rating.key for rating in self.ratings}
        self._of: dict[str, list[Rating]] = {}
        for rating in self.ratings:
            self._of.setdefault(rating.participant, []).append(rating)
        self._last = max((rating.received_at for rating in self.ratings), default="")
        self._whole: int | None = None  # where the file ended before a write that failed

    def of(self, participant: str) -> list[Rating]:
        """Return a participant's ratings, in the order in which they came."""
        return list(self._of.get(participant, ()))

    def append(self, rating: Rating) -> bool:
        """Store a rating; return whether it is new. What is stored survives a kill.

        No rating has a time of arrival before that of one that came earlier, whatever the clock
        says: the last to come is the last.

        Raises:
            OSError: if it could not be stored; then nothing of it counts, and half of it that may
                be in the file is cut off before anything else is written.
        """
        with self._lock:
            self._require_own_file()
            if rating.key in self._keys:
                return False
            if self._whole is not None:
                os.ftruncate(self._file, self._whole)
                self._whole = None
            rating = replace(rating, received_at=_after(self._last, rating.received_at))
            line = rating.line.encode()
            size = os.fstat(self._file).st_size
            if size + len(line) > MOST_BYTES:
                raise OSError(f"it has {MOST_BYTES} bytes, no more are read")
            self._whole = size
            if os.write(self._file, line) != len(line):
                self._cut_off()
                raise OSError("the disk is full")
            try:
                os.fsync(self._file)
            except OSError:
                self._cut_off()
                raise
            self._whole = None
            self._keys.add(rating.key)
            self._last = rating.received_at
            self.ratings.append(rating)
            self._of.setdefault(rating.participant, []).append(rating)
            return True

    def _cut_off(self) -> None:
        """Remove what was written of a rating that could not be stored, now or before the next."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._whole or 0)
            self._whole = None

    def _require_own_file(self) -> None:
        """Raise an OSError if the file is not there any more: what is written would be lost."""
        try:
            there = os.path.samestat(os.stat(self.path), os.fstat(self._file))
        except FileNotFoundError:
            there = False
        if not there:
            raise OSError(f"{self.path} was moved or deleted; start the server again")

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._file)
        os.close(self._folder)

    def _repair(self) -> list[str]:
        """Make the file end with a whole line; return what had to be done.

        Raises:
            DatabaseError: if it is somebody's other file, or longer than any that is read.
        """
        try:
            content, first = read_bounded(self.path, MOST_BYTES), header().encode()
        except ValueError as error:
            raise DatabaseError(f"{self.path}: cannot be read: {error}") from error
        if not (content.startswith(first) or first.startswith(content)):
            raise DatabaseError(
                f"{self.path}: is no file of ratings, or its columns were moved; put it elsewhere "
                f"(collect brings it into the right form: ratings=[FILE] out={self.path})"
            )
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            os.ftruncate(self._file, 0)
            return self._write_at_end(first)
        if whole == content:
            return []
        rest = content[len(whole) :].decode("utf-8", "replace")
        try:
            _understood(rest, list(COLUMNS), ",")
        except (ValueError, csv.Error):
            os.ftruncate(self._file, len(whole))
            os.fsync(self._file)
            return [f"{self.path}: cut off half a line (its sender was never told it was stored)"]
        return self._write_at_end(b"\n")  # an editor left the newline out

    def _write_at_end(self, line: bytes) -> list[str]:
        os.write(self._file, line)
        os.fsync(self._file)
        return []


def _after(last: str, now: str) -> str:
    """Return a time of arrival: `now`, or just after the last one if the clock was set back."""
    if not last or not now or datetime.fromisoformat(now) >= datetime.fromisoformat(last):
        return now
    next_one = datetime.fromisoformat(last) + timedelta(milliseconds=1)
    return next_one.isoformat(timespec="milliseconds")


def folder_lock(folder: Path) -> int:
    """Return a file descriptor that holds the folder until it is closed or the process ends.

    Raises:
        DatabaseError: if another process holds it, or there is no such folder.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise DatabaseError(f"{folder}: {error.strerror or error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise DatabaseError(
            f"{folder}: another process is writing ratings there; stop it first"
        ) from None
    return handle
