"""How far long work has come: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self

from tqdm import tqdm

FIRST_LINE_S = 10.0  # a log says nothing of work that is done by then
LINES_EVERY_S = 60.0


class Progress:
    """Counts items of one stage of work and shows how many are done.

    It is iterated over, or used as a context manager with `update`. On a terminal it is tqdm's bar.
    Elsewhere it prints a line after 10 s, then one a minute, and one at the end that says how long
    the stage took, all on stderr; a stage that is over within 10 s prints nothing.
    """

    def __init__(
        self,
        items: Iterable[Any] | None = None,
        *,
        desc: str,
        total: int | None = None,
        unit: str = "item",
        hidden: bool = False,
    ) -> None:
        """Begin a stage.

        Args:
            items: what is iterated over, if anything.
            desc: what the stage is called.
            total: how many items there are; None: as many as `items` has.
            unit: what the bar calls an item.
            hidden: show nothing at all.
        """
        self._items: Iterable[Any] = () if items is None else items
        self._desc = desc
        self._total = total if total is not None else _length_of(items)
        self._done = 0
        self._began_s = time.monotonic()
        self._next_line_s = self._began_s + FIRST_LINE_S
        self._lines = not sys.stderr.isatty()
        self._hidden = hidden
        quiet = hidden or self._lines
        self._bar = tqdm(desc=desc, total=self._total, unit=unit, disable=quiet)
        self._printed = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """End the stage."""
        self.close()

    def __iter__(self) -> Iterator[Any]:
        """Yield the items; one counts when the next is asked for."""
        try:
            for item in self._items:
                yield item
                self.update()
        finally:
            self.close()

    def update(self, count: int = 1) -> None:
        """Count items that are done."""
        self._done += count
        self._bar.update(count)
        if self._lines and not self._hidden and time.monotonic() >= self._next_line_s:
            self._say(f"{self._so_far()}, {_words(self._elapsed_s())} so far{self._left()}")
            self._next_line_s = time.monotonic() + LINES_EVERY_S

    def update_to(self, done: int) -> None:
        """Say how many items are done in all."""
        self.update(done - self._done)

    def close(self) -> None:
        """End the stage; in a log, say how long it took."""
        self._bar.close()
        if self._printed or (self._lines and self._elapsed_s() >= FIRST_LINE_S):
            if not self._hidden:
                self._say(f"{self._so_far()} in {_words(self._elapsed_s())}")
        self._hidden = True  # closing again says nothing again

    def _say(self, what: str) -> None:
        print(f"{self._desc}: {what}", file=sys.stderr, flush=True)
        self._printed = True

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _so_far(self) -> str:
        return f"{self._done}" if self._total is None else f"{self._done} of {self._total}"

    def _left(self) -> str:
        if not self._total or not 0 < self._done < self._total:
            return ""
        return f", about {_words(self._elapsed_s() / self._done * (self._total - self._done))} left"


def _length_of(items: Iterable[object] | None) -> int | None:
    try:
        return len(items)  # type: ignore[arg-type]
    except TypeError:
        return None


def _words(seconds: float) -> str:
    """Return a duration as people say it: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
