"""A lock on a folder: one program at a time reads, changes and writes its tables.

Where it can be the folder itself is locked, so that nothing is left behind: the lock ends with the
process. Where folders take no lock (NFS wants a file open for writing; Windows) a file `.lock` in
it is. Of a folder in a store the lock lies on this machine: it keeps programs of one user on one
machine apart, not machines from each other. Where there are no locks, nothing is waited for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mashnet.errors import DatabaseError
from mashnet.storage.store_path import StorePath

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCK = ".lock"
_POLL_S = 0.05
_SAID_AFTER_S = 2.0
MOST_S = 600.0  # tables are written within seconds


@contextlib.contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Let no other program into such a block of the same folder, which is made if it is absent.

    Raises:
        DatabaseError: if another has been in it for ten minutes.
        OSError: if the folder cannot be made.
    """
    if isinstance(root, StorePath):
        with _of_file(_place_of(root), root):
            yield
        return
    root.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        with _of_windows(root):
            yield
        return
    handle = _opened(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if handle is not None and _taken(handle, root):
            yield
            return
    finally:
        if handle is not None:
            os.close(handle)
    with _of_file(root / _LOCK, root):
        yield


@contextlib.contextmanager
def _of_file(path: Path, root: Path) -> Iterator[None]:
    """Hold the lock of a file, which stays: to remove it would let two others in."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = _opened(path, flags) if fcntl is not None else None
    try:
        # What is no file was put there by somebody else, and is left alone.
        if handle is not None and stat.S_ISREG(os.fstat(handle).st_mode):
            _taken(handle, root)
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def _of_windows(root: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path = root / _LOCK
    lock = FileLock(path, timeout=MOST_S)
    with contextlib.ExitStack() as stack:
        if not path.is_symlink():
            with contextlib.suppress(OSError, NotImplementedError):
                try:
                    stack.enter_context(lock)
                except Timeout:
                    raise _too_long(root) from None
        yield


def _place_of(root: StorePath) -> Path:
    """Return where the lock of a store's folder lies: with what is this user's alone."""
    kept = os.environ.get("MASHNET_CACHE") or Path.home() / ".cache" / "mashnet"
    folder = Path(kept).expanduser() / "locks"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / hashlib.blake2b(str(root).encode(), digest_size=16).hexdigest()


def _opened(path: Path, flags: int) -> int | None:
    """Open what is to be locked; None where it cannot be: writing there will say why."""
    try:
        return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError:
        return None


def _taken(handle: int, root: Path) -> bool:
    """Wait for a lock; return False where there are none."""
    began_s = time.monotonic()
    said = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited_s = time.monotonic() - began_s
            if waited_s > MOST_S:
                raise _too_long(root) from None
            if waited_s > _SAID_AFTER_S and not said:
                print(f"{root}: waiting for another program that is changing it", file=sys.stderr)
                said = True
            time.sleep(_POLL_S)
        except OSError:  # EBADF of NFS, ENOLCK, ENOSYS …
            return False
        else:
            return True


def _too_long(root: Path) -> DatabaseError:
    return DatabaseError(
        f"{root}: another program has been changing it for {MOST_S / 60:.0f} min; end that one, "
        "and the same command goes on"
    )
