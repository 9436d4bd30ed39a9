"""A program that reads what it is told to, in a process that may die of it; and who watches it.

One line of JSON in, {"how": …, "path": …}; one line out: what came of it, and the most memory so
far.
"""

from __future__ import annotations

import contextlib
import json
import resource
import selectors
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_S = 10.0
MOST_BYTES = 10**9
MOST_MORE_BYTES = 300_000_000  # than what is honest takes


@dataclass(frozen=True)
class Outcome:
    """What came of one input.

    Attributes:
        kind: "read", "refused" (with a MashnetError), or "crashed" (any other exception).
        said: what was read, or the reason.
        memory: bytes, the greatest so far of the reading process or of one that it started.
    """

    kind: str
    said: Any
    memory: int


class Reader:
    """A reading process; started anew after one that died or hung."""

    def __init__(self) -> None:
        self._start()

    def read(self, how: str, path: Path, most_s: float = MOST_S, **settings: Any) -> Outcome:
        """Let it read; a death or a hang fails the test that asked."""
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"how": how, "path": str(path), **settings}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(most_s):
                self._start()
                raise AssertionError(f"{path.name}: read for more than {most_s:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._start()
            raise AssertionError(f"{path.name}: the process ended with {status}")
        return Outcome(**json.loads(line))

    def warm(self, how: str, path: Path) -> int:
        """Let it read something honest, with all the time that its imports take.

        Returns:
            The most memory that this and its imports took, in bytes.
        """
        outcome = self.read(how, path, most_s=120.0)
        assert outcome.kind == "read", outcome
        return outcome.memory

    def _start(self) -> None:
        with contextlib.suppress(AttributeError):
            self.close()
        command = [sys.executable, "-m", "tests.hostile.reader"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def read_sound(path: Path, stream: int = 0) -> Any:
    """Return channels, samples and rate."""
    from mashnet.audio.io import read_audio

    audio, rate = read_audio(path, stream=stream)
    return [*audio.shape, rate]


def read_bundle(path: Path) -> Any:
    """Return the Scorer's name."""
    import mashnet

    return mashnet.load(path).scorer.name


def read_database(path: Path) -> Any:
    """Return the lengths of all tables, after looking at all that they lead to."""
    from mashnet.data.mashupdb import MashupDB
    from mashnet.data.schemas import SCHEMAS

    database = MashupDB.open(path)
    lengths = {name: len(database.table(name)) for name in SCHEMAS}
    for stem_id in database.stem_rows:
        database.audio_path(stem_id)
        database.clip_of(stem_id)
    for clip_id in database.clip_rows:
        database.sections_of(clip_id)
    return {"tables": lengths, "sounding": len(database.sounding_stems)}


READERS = {"sound": read_sound, "bundle": read_bundle, "database": read_database}


def peak_bytes() -> int:
    """Return the most memory that this process has held.

    Not ru_maxrss: that begins with what the process held that started this one.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])


def main() -> None:
    """Answer until nobody asks."""
    from mashnet.errors import MashnetError

    for line in sys.stdin:
        asked = json.loads(line)
        how, path = asked.pop("how"), Path(asked.pop("path"))
        try:
            kind, said = "read", READERS[how](path, **asked)
        except MashnetError as error:
            kind, said = "refused", str(error)
        except Exception as error:
            kind, said = "crashed", f"{type(error).__name__}: {error}"
        children = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        memory = max(peak_bytes(), children)
        print(json.dumps({"kind": kind, "said": said, "memory": memory}), flush=True)


if __name__ == "__main__":
    main()
