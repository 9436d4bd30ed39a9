"""A pickle read as data: nothing that it names is imported, and nothing is called.

`torch.save` writes pickles. Their language is small: constants, lists, mappings, and the order to
call something with arguments. Here such an order gives what the reader has for that name, and
otherwise an `ForeignObject`; so no file can ask for memory (`bytearray(10**12)`) or for an object
(a sparse tensor) that its reader did not think of.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# An empty list takes one byte here and 64 in memory. Checkpoints of a thousand arrays have 200 kB.
MOST_BYTES = 4_000_000  # and so many operations, where long texts make it larger
_MOST_INTEGER = 1 << 63
# A value takes a byte at least. Lists that stand in several places are counted in each: sixty of
# them, one in the other twice, would be more values than any memory holds.
_MOST_SHARED = 10_000  # values beyond the number of bytes
_MOST_DEPTH = 20
# What torch's own checkpoints name beside arrays; none of it is made.
_ORDINARY: tuple[str, ...] = ("torch.", "collections.", "datetime.", "_codecs.encode")
_ORDINARY += ("__builtin__.set", "__builtin__.bytearray", "__builtin__.complex")
# What no settings of any program are made of. It would not be called here; a file that wants it
# is not what it says.
_BLOCKED = ("os.", "posix.", "nt.", "sys.", "subprocess.", "socket.", "shutil.")


class ForeignObject:
    """Stands in for an object of a class that is not ours; it keeps nothing and does nothing."""

    def __init__(self, *args: object) -> None:
        """Take what the object would be made of."""

    def __new__(cls, *args: object) -> ForeignObject:
        """Make one, whatever the object would be made of."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Forget what the object held."""


class Stateful:
    """Stands in for an object that is made empty, and then told what it holds."""

    def take_state(self, state: Any) -> None:
        """Keep what the object holds; nothing of it has been checked."""
        raise NotImplementedError


_KEYS = (str, int, float, bool, type(None), ForeignObject)  # tuples can be made to collide


@dataclass(frozen=True)
class Named:
    """A class or function that a pickle names, as "module.name"."""

    name: str


def plain_values(
    content: bytes,
    *,
    made: Mapping[str, Callable[..., Any]],
    referred: Callable[[Any], Any],
    foreign: bool = False,
    most_bytes: int = MOST_BYTES,
) -> Any:
    """Return the values of a pickle.

    Args:
        content: of protocol 2, as torch writes it.
        made: "module.name" → what stands for the object that it would make of its arguments; a
            `Stateful` is given what the object would hold.
        referred: what stands for something outside the pickle, by its identification.
        foreign: whether it may name classes of other programs; they become `ForeignObject`.
        most_bytes: of the pickle; more than usual where numbers stand in it as text.

    Raises:
        ValueError: if it is too long, damaged, nested too deeply, uses what torch does not, names
            what it may not, or has lists in so many places that they are more than its bytes.
    """
    if len(content) > most_bytes:
        raise ValueError(f"it describes its arrays in {len(content)} bytes, at most {most_bytes}")
    machine = _Machine(made, referred)
    allowed = ("",) if foreign else (*made, *_ORDINARY)
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(content)):
            if count > MOST_BYTES:
                raise ValueError(f"its pickle has more than {MOST_BYTES} operations")
            if code.name == "STOP":
                found = machine.stack[-1]
                _require_few(found, min(len(content), MOST_BYTES) + _MOST_SHARED)
                return found
            if code.name == "GLOBAL":
                name = str(argument).replace(" ", ".", 1)
                if name.startswith(_BLOCKED) or not name.startswith(allowed):
                    raise ValueError(f"it names {name[:80]}, which is blocked")
            machine.take(code.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("its pickle is damaged") from error
    raise ValueError("its pickle has no end")


def _require_few(value: Any, most: int) -> None:
    """Raise a ValueError for more values than `most`, shared ones counted wherever they stand."""
    counted, waiting = 0, [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        counted += 1
        if isinstance(one, dict):
            inside: Any = one.values()
            counted += len(one)
        else:
            inside = one if isinstance(one, list | tuple) else ()
        # Counted before they are laid down: what waits is never more than may be.
        if counted + len(waiting) + len(inside) > most or depth > _MOST_DEPTH:
            raise ValueError("its pickle has too many values or is nested too deeply")
        waiting.extend((below, depth + 1) for below in inside)


class _Machine:
    """The stack on which a pickle builds its values."""

    def __init__(
        self, made: Mapping[str, Callable[..., Any]], referred: Callable[[Any], Any]
    ) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []  # stacks under the marks
        self._memo: dict[int, Any] = {}
        self._made = {"collections.OrderedDict": _mapping, **made}
        self._referred = referred

    def take(self, name: str, argument: Any) -> None:
        """Do what one operation says."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name](argument))
        elif name == "MARK":
            self._below.append(self.stack)
            self.stack = []
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name == "TUPLE":
            values = self._marked()
            self.stack.append(tuple(values))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self.stack.append(tuple(self._popped(int(name[-1]))))
        elif name in ("APPEND", "APPENDS"):
            values = self._marked() if name == "APPENDS" else self._popped(1)
            if isinstance(self.stack[-1], list):
                self.stack[-1].extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = self._marked() if name == "SETITEMS" else self._popped(2)
            self._set(values)
        elif name in ("REDUCE", "NEWOBJ"):
            called, arguments = self._popped(2)
            self.stack.append(self._called(called, arguments))
        elif name == "BUILD":  # attributes of an object: few that are made here have any
            (state,) = self._popped(1)
            if isinstance(self.stack[-1], Stateful):
                self.stack[-1].take_state(state)
        elif name == "BINPERSID":
            self.stack.append(self._referred(self.stack.pop()))
        elif name != "PROTO":
            raise ValueError(f"its pickle has an operation that torch does not use ({name})")

    def _popped(self, count: int) -> list[Any]:
        """Take the last values; raises IndexError if there are fewer."""
        values = [self.stack.pop() for _ in range(count)]
        return values[::-1]

    def _marked(self) -> list[Any]:
        values, self.stack = self.stack, self._below.pop()
        return values

    def _set(self, values: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, _KEYS):
                raise ValueError("it has a mapping with keys that are no names")
            if isinstance(target, dict):
                target[key] = value

    def _called(self, called: Any, arguments: Any) -> Any:
        if isinstance(called, Named) and called.name in self._made:
            return self._made[called.name](*arguments)
        return ForeignObject()


def _mapping() -> dict[Any, Any]:
    return {}


def _integer(value: int) -> int:
    if not -_MOST_INTEGER <= value < _MOST_INTEGER:
        raise ValueError("it has a number beyond 64 bits")
    return value


def _itself(value: Any) -> Any:
    return value


_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "GLOBAL": lambda argument: Named(argument.replace(" ", ".", 1)),
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), _integer),
    **dict.fromkeys(("BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"), _itself),
}
