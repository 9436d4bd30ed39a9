"""Programs that are killed at random moments, and what must come out of them all the same.

Every run is a fork of a `Nursery`, a process that has imported everything once and has done nothing
else: some 10 ms instead of some seconds. A run changes files; each change is an event (CPython's
audit events say when a file is about to be made, replaced or removed), and a run can be killed just
before its n-th one, or some time after the first.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import faulthandler
import gc
import getpass
import hashlib
import importlib
import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

KILLS = 30  # of each program: a figure of docs/robustness.md
# In every run of the tests: one in the middle, and one of the run that goes on.
FEW_KILLS = 2
CHAIN = 5  # a database is killed so often before it may be finished

ROOT = Path(__file__).resolve().parents[2]
_NURSE = "from tests.kill.harness import nurse; nurse()"
# What torch and Lightning keep in $TMPDIR for all runs of a user, killed or not.
_OF_LIBRARIES = {f"torchinductor_{getpass.getuser()}", ".ses"}
_GIVEN_UP_S = 120.0
# A process with threads must not be forked: libraries may start none.
_NO_THREADS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false",  # the allocator of polars
}
_MS_RDONLY, _MS_REMOUNT = 1, 32
_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}


@dataclass(frozen=True)
class Moment:
    """When something happens to a run, and what.

    Attributes:
        event: before this change of a file, counted from 1; 0: not by events.
        after_s: so many seconds after the first change; 0: not by the clock.
        error: an errno: this change and all later ones fail so, but for removals where the disk is
            full; 0: the run is killed.
        read_only: a mounted file system that is made read-only instead.
    """

    event: int = 0
    after_s: float = 0.0
    error: int = 0
    read_only: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: its exit status; −9: killed.
        events: how many changes of files it made.
        seconds: from the first change to the end.
        said: what it printed.
    """

    status: int
    events: int
    seconds: float
    said: str

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


class Nursery:
    """A process that runs functions of one module in forks of itself."""

    def __init__(self, module: str, folder: Path) -> None:
        """Start it.

        Args:
            module: what it imports; its functions are what is run. `ready`, if it is there, gets
                a run's arguments before the fork.
            folder: below it lie the files whose changes count; its `tmp` is $TMPDIR.
        """
        self.folder, self.temporary = folder, folder / "tmp"
        self.temporary.mkdir(parents=True)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSE, module, str(folder)],
            cwd=ROOT,
            env={**os.environ, **_NO_THREADS, "TMPDIR": str(self.temporary)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, function: str, moment: Moment = Moment(), **arguments: Any) -> Outcome:
        """Run a function of the module, and let the moment come."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        order = {"function": function, "arguments": arguments, "moment": asdict(moment)}
        print(json.dumps(order), file=process.stdin, flush=True)
        answer = process.stdout.readline()
        assert answer, f"{function}: the process that runs it has ended"
        return Outcome(**json.loads(answer))

    def close(self) -> None:
        self._process.communicate()


@contextlib.contextmanager
def nursery(module: str, folder: Path) -> Iterator[Nursery]:
    """Yield a nursery and end it."""
    opened = Nursery(module, folder)
    try:
        yield opened
    finally:
        opened.close()


@dataclass
class Program:
    """What is run again and again, where it works, and what it must leave there.

    Attributes:
        function: of the nursery's module.
        root: the folder that it changes.
        template: what `root` is before the first run; None: not there.
        arguments: of the function.
        varied: arguments of which each run gets any one.
        state: what of the folder must be the same at the end, however it got there.
    """

    function: str
    root: Path
    template: Path | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    varied: Sequence[dict[str, Any]] = ({},)
    state: Callable[[Path], dict[str, str]] = field(default_factory=lambda: contents)

    def begin(self) -> None:
        """Make the folder as it is before the first run."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.template:
            # Hard links: what a stage changes in place would show in the template.
            shutil.copytree(self.template, self.root, copy_function=os.link)


def contents(root: Path) -> dict[str, str]:
    """Return every folder and file below one, by relative path, with a digest of its bytes."""
    return {
        path.relative_to(root).as_posix(): "folder"
        if path.is_dir()
        else hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for path in sorted(root.rglob("*"))
    }


def leftovers(nursery: Nursery, root: Path) -> list[str]:
    """Return temporary files, beside the program's own ones or in $TMPDIR."""
    elsewhere = [path for path in nursery.temporary.iterdir() if path.name not in _OF_LIBRARIES]
    found = [*root.rglob("*.partial*"), *elsewhere]
    return [str(path.relative_to(nursery.folder)) for path in found]


def survives(
    nursery: Nursery, program: Program, *, seed: int = 0, kills: int, chain: int = CHAIN
) -> None:
    """Kill a program often; assert that it always ends with what an undisturbed run leaves.

    Every so many kills the program is let through, what it left is compared, and it begins anew.
    A third of the kills at least must leave the work half done, as others could do no harm.
    """
    draw, few = random.Random(seed), kills <= FEW_KILLS
    before, wanted, plain = undisturbed(nursery, program)
    done = halfway = 0
    for _ in range(2 * kills):
        if done >= kills:
            break
        program.begin()
        moments: list[Moment] = []
        outcome = plain
        for link in range(chain + 1):
            moment = _moment(draw, plain, link, few) if link < chain and done < kills else Moment()
            moments.append(moment)
            varied = program.varied[-min(link, 1)] if few else draw.choice(program.varied)
            outcome = nursery.run(program.function, moment, **program.arguments, **varied)
            if not outcome.killed:
                break
            done += 1
            there = program.state(program.root) if program.root.exists() else {}
            halfway += there not in (before, wanted)
        story = f"{program.function}, seed {seed}: {moments}\n{outcome.said}"
        assert outcome.status == 0, story
        wrong = _differences(program.state(program.root), wanted)
        assert not wrong, f"{wrong} after {story}"
        left = leftovers(nursery, program.root)
        assert not left, f"{left} after {story}"
        if program.template:
            changed = _differences(program.state(program.template), before)
            assert not changed, f"{changed} changed in place by {story}"
    assert done >= kills, f"{program.function} ended before it was killed: {done} kills of {kills}"
    # A small stage writes its tables at its end: many kills find nothing of it, or all.
    assert 3 * halfway > done, f"{program.function}: of {done} kills {halfway} left half the work"


def undisturbed(
    nursery: Nursery, program: Program
) -> tuple[dict[str, str], dict[str, str], Outcome]:
    """Return the state before and after a run that nothing happens to, and how it went."""
    program.begin()
    before = program.state(program.root) if program.template else {}
    arguments = {**program.arguments, **program.varied[0]}
    plain = nursery.run(program.function, **arguments)
    assert plain.status == 0, plain.said
    wanted = program.state(program.root)
    left = leftovers(nursery, program.root)
    assert not left, f"{left} after a run that nothing happened to"
    assert wanted != before
    # A run that is not killed at all must give the same, too.
    program.begin()
    again = nursery.run(program.function, **arguments)
    assert again.status == 0, again.said
    wrong = _differences(program.state(program.root), wanted)
    assert not wrong, f"{wrong} in a second run, though nothing happened to it"
    return before, wanted, again


def _moment(draw: random.Random, plain: Outcome, link: int, few: bool) -> Moment:
    """Draw when to kill; what was done before need not be done again, so later runs are short.

    Of a few kills the first falls into the middle, so that half the work is left; of many some do
    by themselves.
    """
    part = 1.0 if link == 0 else 0.4
    if few and link == 0:
        return Moment(event=max(2, round(draw.uniform(0.3, 0.7) * plain.events)))
    if draw.random() < 0.3:
        return Moment(after_s=draw.uniform(0.005, part * plain.seconds))
    return Moment(event=draw.randint(1, max(2, round(part * plain.events))))


def _differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    absent = [f"{name} is absent" for name in wanted if name not in found]
    unwanted = [f"{name} should not be there" for name in found if name not in wanted]
    other = [f"{n} differs" for n in wanted if n in found and found[n] != wanted[n]]
    return [*absent, *unwanted, *other]


# What follows runs in the nursery and in its forks.


def nurse() -> None:
    """Run what is ordered, one line of JSON each, and answer how it ended."""
    module, folder = importlib.import_module(sys.argv[1]), Path(sys.argv[2])
    gc.freeze()  # no fork looks for garbage among what was imported
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        function, arguments = getattr(module, order["function"]), order["arguments"]
        if ready := getattr(module, "ready", None):
            ready(**arguments)
        outcome = _forked(function, arguments, Moment(**order["moment"]), folder)
        print(json.dumps(asdict(outcome)), file=answers, flush=True)


def _forked(
    function: Callable[..., None], arguments: dict[str, Any], moment: Moment, folder: Path
) -> Outcome:
    events = mmap.mmap(-1, 8)
    said = folder.parent / f"{folder.name}.said"
    child = os.fork()
    if child == 0:
        os.setsid()  # a group of its own: its workers are killed with it
        _be_the_run(function, arguments, moment, folder, events, said)
    began = 0.0
    deadline = time.monotonic() + _GIVEN_UP_S
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        now = time.monotonic()
        if not began and events[:8] != bytes(8):
            began = now
        if now > deadline or (began and moment.after_s and now > began + moment.after_s):
            if now > deadline:
                os.kill(child, signal.SIGABRT)  # it prints where it is
                time.sleep(1.0)
            os.killpg(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
            break
        time.sleep(0.001)
    seconds = time.monotonic() - began if began else 0.0
    _wait_for_the_rest(child)
    count = int.from_bytes(events[:8], "little")
    text = said.read_text("utf-8", "replace")
    return Outcome(os.waitstatus_to_exitcode(ended[1]), count, seconds, text)


def _wait_for_the_rest(group: int) -> None:
    """Wait until the workers of a run have ended, too; they must do so by themselves."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.005)
    raise AssertionError("a killed run has left processes behind")


def _be_the_run(
    function: Callable[..., None],
    arguments: dict[str, Any],
    moment: Moment,
    folder: Path,
    events: mmap.mmap,
    said: Path,
) -> NoReturn:
    status = 1
    try:
        printed = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        sys.stdout = open(1, "w", closefd=False)
        sys.stderr = open(2, "w", closefd=False)
        faulthandler.enable()
        sys.addaudithook(_Watch(moment, str(folder), events))
        function(**arguments)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def make_read_only(mounted: str) -> bool:
    """Mount a file system anew, for reading only; return whether it could be done just now."""
    libc = ctypes.CDLL(None)
    return libc.mount(None, mounted.encode(), None, _MS_REMOUNT | _MS_RDONLY, None) == 0


class _Watch:
    """Counts changes of files below a folder, and strikes at one of them."""

    def __init__(self, moment: Moment, folder: str, events: mmap.mmap) -> None:
        self.moment, self.folder, self.events = moment, folder, events
        self.struck = mmap.mmap(-1, 1)  # shared with the workers

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" and event not in _EVENTS:
            return
        if not self._is_change(event, arguments):
            return
        count = int.from_bytes(self.events[:8], "little") + 1
        self.events[:8] = count.to_bytes(8, "little")
        moment = self.moment
        if not moment.event or count < moment.event:
            return
        if moment.read_only:
            if not self.struck[0]:
                self.struck[0] = make_read_only(moment.read_only)
            return
        if moment.error:
            if moment.error == errno.ENOSPC and event in ("os.remove", "os.rmdir"):
                return
            raise OSError(moment.error, os.strerror(moment.error), arguments[0])
        os.killpg(0, signal.SIGKILL)

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, _, flags = arguments
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return False
        else:
            path = arguments[0]
            if event in ("os.remove", "os.rmdir") and arguments[1] != -1:
                return True  # named within a folder: shutil.rmtree
        if isinstance(path, int):
            return True  # a file that is open for writing
        return os.path.abspath(os.fsdecode(path)).startswith(self.folder + os.sep)
