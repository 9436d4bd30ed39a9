"""A decoder in a process of its own: what it writes, within bounds of memory and of time.

It writes AU with 32-bit floats, which tells rate and channels in a stream, and is ended with the
block that reads it, or when nothing comes from it for long.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mashnet.errors import AudioError

BLOCK_SAMPLES = 1 << 18
MIN_DECODED = 0.99  # share of the announced samples; below it the file is called cut short
MOST_MEMORY = 1 << 30  # bytes of a decoder's addresses, of which ffmpeg uses a tenth
_MOST_LOG = 1 << 16  # bytes of what a decoder says; further ones are thrown away
_STALLED_S = 8.0  # nothing for so long, and a decoder is ended
_SKIPPED_S_PER_S = 20.0  # what it passes over before `start_s` is decoded at least this fast
_DURATION = re.compile(rb"^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)


class NotUnderstood(Exception):
    """A decoder does not know the format; another may."""


@dataclass(frozen=True)
class Sound:
    """A file that is being decoded.

    Attributes:
        sample_rate: in Hz.
        channels: how many.
        announced: samples per channel that the header promises for the stretch that was asked for;
            None where it does not say.
        blocks: of shape (channels, samples); raises AudioError at the end if too little came.
    """

    sample_rate: int
    channels: int
    announced: int | None
    blocks: Iterator[np.ndarray]


def cut_short(path: Path, there_s: float, announced_s: float) -> AudioError:
    """Return what is said of a file that holds less than it announces."""
    return AudioError(
        f"{path}: is damaged or cut short: {there_s:.1f} s of the announced {announced_s:.1f} s "
        "could be decoded"
    )


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str], path: Path, start_s: float, duration_s: float | None
) -> Iterator[Sound]:
    """Yield what a decoder writes; end it with the block.

    Args:
        name: of the decoder, for messages.
        command: that starts it; nothing is read from this process.
        path: what it decodes, for messages.
        start_s: where it was told to begin.
        duration_s: how much it was told to write.

    Raises:
        NotUnderstood: if it cannot be started, or ends without any sound.
        AudioError: if it says that the file is cut short, or nothing comes from it.
    """
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except (OSError, ValueError) as error:
        raise NotUnderstood(str(error)) from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(process)
        stack.callback(process.kill)
        yield _Running(name, process, path, start_s, duration_s).sound()


class _Running:
    """A decoder at work on a file, in a process of its own."""

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        path: Path,
        start_s: float,
        duration_s: float | None,
    ) -> None:
        self._name, self._process, self._path = name, process, path
        self._start_s, self._duration_s = start_s, duration_s
        self._log = b""
        self._output = self._read()
        _bound_memory(process.pid, MOST_MEMORY)

    def sound(self) -> Sound:
        """Wait for the header; raises NotUnderstood if none comes."""
        begun = b""
        for piece in self._output:
            begun += piece
            offset = int.from_bytes(begun[4:8], "big")
            if len(begun) >= 24 and len(begun) >= offset:
                break
        else:
            self._require_well_ended()
            raise NotUnderstood(f"{self._name} cannot decode it")
        rate, channels = (int.from_bytes(begun[at : at + 4], "big") for at in (16, 20))
        blocks = self._blocks(begun[offset:], rate, channels)
        return Sound(rate, channels, None, blocks)

    def _blocks(self, begun: bytes, rate: int, channels: int) -> Iterator[np.ndarray]:
        pending, got = bytearray(begun), 0
        enough = BLOCK_SAMPLES * channels * 4
        for piece in self._output:
            pending += piece
            if len(pending) >= enough:
                block = _samples(pending, channels)
                got += block.shape[1]
                del pending[: block.size * 4]
                yield block
        block = _samples(pending, channels)
        got += block.shape[1]
        if block.shape[1]:
            yield block
        try:
            self._require_well_ended()
        except NotUnderstood as error:
            raise AudioError(f"{self._path}: is damaged after {got / rate:.1f} s") from error
        self._require_as_announced(got / rate)

    def _read(self) -> Iterator[bytes]:
        """Yield what it writes until it ends; keep what it says."""
        stalled_s = _STALLED_S + self._start_s / _SKIPPED_S_PER_S
        sound, log = self._process.stdout, self._process.stderr
        assert sound is not None and log is not None
        with selectors.DefaultSelector() as selector:
            selector.register(sound, selectors.EVENT_READ)
            selector.register(log, selectors.EVENT_READ)
            last = time.monotonic()
            while selector.get_map():
                ready = selector.select(stalled_s)
                for key, _ in ready:
                    piece = os.read(key.fd, 1 << 18)
                    if not piece:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is log:
                        self._log = (self._log + piece)[:_MOST_LOG]
                    else:
                        yield piece
                        last = time.monotonic()  # what the reader does with it is not its delay
                if time.monotonic() - last > stalled_s:
                    raise AudioError(
                        f"{self._path}: cannot be decoded: {self._name} made no sound of it in "
                        f"{stalled_s:.0f} s"
                    )

    def _require_well_ended(self) -> None:
        status = self._process.wait()
        if b"matches no streams" in self._log:
            raise NotUnderstood("the file has no such stream")
        if b"partial file" in self._log:  # ffmpeg calls that success and gives what there is
            raise AudioError(f"{self._path}: is damaged or cut short")
        if status:
            raise NotUnderstood(f"{self._name} cannot decode it")

    def _require_as_announced(self, got_s: float) -> None:
        """Compare with the length that the container names, which is that of its longest stream."""
        named = _DURATION.search(self._log)
        if named is None or b"Estimating duration" in self._log:
            return
        hours, minutes, seconds = (float(part) for part in named.groups())
        announced_s = hours * 3600 + minutes * 60 + seconds
        if self._start_s + got_s > 2 * announced_s + 1:
            raise AudioError(
                f"{self._path}: is damaged: it announces {announced_s:.1f} s and holds "
                f"{self._start_s + got_s:.1f} s or more"
            )
        announced_s = max(0.0, announced_s - self._start_s)
        if self._duration_s is not None:
            announced_s = min(announced_s, self._duration_s)
        # Sound may end before the film that it belongs to; a picture of the cover is no film.
        film = self._log.count(b": Video: ") > self._log.count(b"(attached pic)")
        if got_s < (0.5 if film else MIN_DECODED) * announced_s - 0.1:
            raise cut_short(self._path, got_s, announced_s)


def _samples(pending: bytearray, channels: int) -> np.ndarray:
    """Return (channels, samples) of what is whole in big-endian floats."""
    count = len(pending) // (4 * channels) * channels
    samples = np.frombuffer(bytes(pending[: 4 * count]), dtype=">f4")
    return samples.reshape(-1, channels).T.astype(np.float32)


def _bound_memory(pid: int, most_bytes: int) -> None:
    """Bound the addresses of a process, where the system can (Linux)."""
    with contextlib.suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        resource.prlimit(pid, resource.RLIMIT_AS, (most_bytes, most_bytes))
