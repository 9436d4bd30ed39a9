"""A file that `torch.save` wrote: its values, and what arrays it declares before any is read.

Such a file is a ZIP archive that packs nothing: one pickle, and the numbers of each storage as a
part of their own. The pickle is read as data (`plain_pickle`), a storage when an array in it is
wanted. An array is taken only as plain numbers that lie in the file: one that repeats few numbers
(`zeros(1).expand(10**9)`), or is sparse, nested, quantised or on "meta", is none.
"""

from __future__ import annotations

import contextlib
import io
import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mashnet.models.plain_pickle import MOST_BYTES, Named, plain_values
from mashnet.storage.regular_files import opened

_MOST_AT_ONCE = 8_000_000  # bytes of one read: also of the archive's list of parts
_BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, EOFError, KeyError, struct.error)  # what zipfile may raise
_KINDS = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.ComplexFloatStorage": torch.complex64,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class Storage:
    """Numbers in the file, as the pickle refers to them."""

    kind: torch.dtype
    part: str  # name in the archive
    count: int


@dataclass(frozen=True, repr=False)  # a shape that nobody has checked is not to be printed
class Declared:
    """An array as the pickle declares it; nothing of it has been checked or read."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


class TorchFile:
    """An open file of `torch.save`.

    Attributes:
        values: what was saved; arrays are `Declared`, classes `Named`, objects of any class that
            the reader does not know `ForeignObject`.
        size: of the file in bytes.
    """

    def __init__(
        self,
        file: Any,
        *,
        made: Mapping[str, Callable[..., Any]],
        foreign: bool,
        most_pickle: int = MOST_BYTES,
    ) -> None:
        """Read the pickle.

        Args:
            file: open for reading bytes.
            made: as in `plain_values`.
            foreign: as in `plain_values`.
            most_pickle: bytes of it.

        Raises:
            ValueError: if it is no such file, or is damaged.
        """
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            self._archive = zipfile.ZipFile(_Bounded(file))
        except zipfile.BadZipFile as error:
            raise ValueError("it is no file that torch 1.6 or newer saved") from error
        self._parts = self._checked_parts()
        if "byteorder" in self._parts and self._part("byteorder", 16) != b"little":
            raise ValueError("its numbers are in the byte order of another kind of machine")
        self._storages: dict[Storage, torch.Tensor] = {}
        builders = {
            "torch._utils._rebuild_tensor_v2": lambda s, o, n, t, *_: Declared(s, o, n, t),
            "torch._utils._rebuild_parameter": lambda data, *_: data,
        }
        self.values = plain_values(
            bytes(self._part("data.pkl", most_pickle)),
            made={**builders, **made},
            referred=self._referred,
            foreign=foreign,
            most_bytes=most_pickle,
        )

    def outline(self, declared: Declared) -> torch.Tensor:
        """Return what an array is declared to be, on the device "meta", where it takes no memory.

        Raises:
            ValueError: if it is not as many numbers as its storage in the file has, or fewer.
        """
        storage, shape, strides = declared.storage, declared.shape, declared.strides
        if not isinstance(storage, Storage) or not isinstance(shape, tuple):
            raise ValueError("is no plain array")
        if not isinstance(strides, tuple) or len(strides) != len(shape):
            raise ValueError("is no plain array")
        numbers = [declared.offset, *shape, *strides]
        if any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError("is no plain array")
        part = self._parts.get(storage.part)
        if part is None or part.file_size < storage.count * storage.kind.itemsize:
            raise ValueError("lacks numbers in the file")
        count = math.prod(shape)
        last = declared.offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        if count > storage.count or (count and last >= storage.count):
            raise ValueError(f"has {count} numbers, of which the file has {storage.count}")
        return torch.empty(shape, dtype=storage.kind, device="meta")

    def array(self, declared: Declared) -> torch.Tensor:
        """Return an array, read from the file; `outline` has found it to be one.

        Raises:
            ValueError: if the file is damaged there.
        """
        storage = declared.storage
        if storage not in self._storages:
            content = self._part(storage.part, self.size)
            found = torch.frombuffer(content, dtype=storage.kind) if content else None
            self._storages[storage] = torch.empty(0, dtype=storage.kind) if found is None else found
        numbers = self._storages[storage]
        return torch.as_strided(numbers, declared.shape, declared.strides, declared.offset)

    def _checked_parts(self) -> dict[str, zipfile.ZipInfo]:
        """Return the parts by their names below the archive's one folder."""
        entries = self._archive.infolist()
        packed = any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & 1 for e in entries)
        if packed or sum(entry.file_size for entry in entries) > self.size:
            raise ValueError("its parts are compressed or overlap, which torch never writes")
        parts = {entry.filename.partition("/")[2]: entry for entry in entries}
        if "data.pkl" not in parts or len(parts) != len(entries):
            raise ValueError("it is no file that torch 1.6 or newer saved")
        return parts

    def _part(self, name: str, most_bytes: int) -> bytearray:
        part = self._parts[name]
        if part.file_size > most_bytes:
            raise ValueError(f"its {name} has {part.file_size} bytes, at most {most_bytes}")
        content = bytearray(part.file_size)
        place = memoryview(content)
        try:
            with self._archive.open(part) as file:
                while len(place) and (block := file.read(_BLOCK)):
                    place[: len(block)] = block
                    place = place[len(block) :]
                file.read(1)  # past the end, where the checksum is compared
        except (*_DAMAGE, OSError, RuntimeError) as error:
            raise ValueError(f"its {name} is damaged: {error}") from error
        if len(place):
            raise ValueError(f"its {name} is cut short")
        return content

    def _referred(self, identification: Any) -> Any:
        """Return the storage that the pickle refers to."""
        what, kind, key, _, count = identification
        if what != "storage" or not isinstance(kind, Named) or kind.name not in _KINDS:
            return None  # of a kind that no array here has
        if not isinstance(key, str) or type(count) is not int or count < 0:
            raise ValueError("its pickle is damaged")
        return Storage(_KINDS[kind.name], f"data/{key}", count)


class _Bounded:
    """A file that is never asked for much at once, as for a list of millions of parts."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read; raises BadZipFile for a request that no honest archive makes."""
        if size < 0:  # all that is left: zipfile asks so at the end
            size = _MOST_AT_ONCE
        if size > _MOST_AT_ONCE:
            raise zipfile.BadZipFile("its list of parts is too long")
        return self._file.read(size)


@contextlib.contextmanager
def torch_file(
    path: Path,
    *,
    made: Mapping[str, Callable[..., Any]] | None = None,
    foreign: bool = False,
    most_pickle: int = MOST_BYTES,
) -> Iterator[TorchFile]:
    """Open a file of `torch.save` for the block.

    Args:
        path: the file.
        made: as in `plain_values`.
        foreign: as in `plain_values`.
        most_pickle: bytes of its pickle, as `plain_values` has `most_bytes`.

    Raises:
        OSError: if it cannot be opened, or is no regular file.
        ValueError: if it is no such file, or is damaged.
    """
    with opened(path) as file:
        try:
            found = TorchFile(file, made=made or {}, foreign=foreign, most_pickle=most_pickle)
        # A damaged archive fails in as many ways as zipfile and struct have; none is a crash.
        except (*_DAMAGE, ValueError, OSError, RuntimeError, OverflowError) as error:
            raise ValueError(" ".join(str(error).split())[:200] or "it is damaged") from error
        yield found
