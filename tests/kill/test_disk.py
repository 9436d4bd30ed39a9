"""A disk that fills up or turns read-only in the middle: one line, no half file, and it goes on."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import make_tiny_database
from tests.kill.harness import Moment, Nursery, contents, leftovers
from tests.loops import loop_database, songs

STAGES = {
    "mashupdb": ["source=stems", "clip.min_s=2", "clip.max_s=4"],
    "mixes": ["duration.min_s=5", "per_seed.train={original: 1, matched: 1}"],
    "negatives": [],
    "structure": [],
    "demo": ["count=2"],
}
TIMES = 4  # of each trouble and stage
SAID = {errno.ENOSPC: "make room there", errno.EROFS: "make it writable"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with music and databases."""
    folder = tmp_path_factory.mktemp("inputs")
    for number in range(2):
        song = folder / "music" / f"song {number}"
        song.mkdir(parents=True)
        for name in ("vocals", "drums"):
            noise = np.random.default_rng(number).standard_normal(3 * 22050)
            soundfile.write(song / f"{name}.wav", 0.05 * noise, 22050)
    make_tiny_database(folder / "songs", songs=3)
    loop_database(folder / "loops", songs("train", 3))
    return folder


def begin(name: str, root: Path, inputs: Path) -> list[str]:
    """Make the folder as it is before a stage, and return the stage's settings."""
    shutil.rmtree(root, ignore_errors=True)
    if name in ("mashupdb", "demo"):
        where = [f"out={root}"]
    else:
        shutil.copytree(inputs / ("loops" if name == "negatives" else "songs"), root)
        where = [f"db={root}"]
    music = [f"source.root={inputs / 'music'}"] if name == "mashupdb" else []
    workers = [] if name == "negatives" else ["workers=1"]
    return [*where, *music, *workers, *STAGES[name]]


def check_what_was_said(said: str, advice: str, root: Path) -> None:
    """Assert that a run ended with one line that names a file and says what to do."""
    assert "Traceback" not in said, said
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert str(root) in line and advice in line and "partial" not in line, line


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(t, marks=() if t == errno.ENOSPC else pytest.mark.long, id=errno.errorcode[t])
        for t in SAID
    ],
)
@pytest.mark.parametrize("name", list(STAGES))
def test_a_disk_that_takes_no_more(stages: Nursery, inputs: Path, name: str, trouble: int) -> None:
    """Every change of a file fails from a random one on."""
    draw = random.Random(30 + trouble)
    root = stages.folder / name
    settings = begin(name, root, inputs)
    plain = stages.run("stage", name=name, settings=settings)
    assert plain.status == 0, plain.said
    wanted = contents(root)
    begin(name, root, inputs)
    stops = 0
    for event in (draw.randint(1, plain.events) for _ in range(TIMES)):
        stopped = stages.run("stage", Moment(event, error=trouble), name=name, settings=settings)
        if stopped.status == 0:  # so little was left to do that the trouble came too late
            assert contents(root) == wanted
            begin(name, root, inputs)
            continue
        stops += 1
        assert stopped.status == 2, stopped.said
        check_what_was_said(stopped.said, SAID[trouble], root)
        if trouble == errno.ENOSPC:  # from a disk that is read-only nothing can be removed
            assert leftovers(stages, root) == []
    assert stops
    again = stages.run("stage", name=name, settings=settings)
    assert again.status == 0, again.said
    assert contents(root) == wanted
    assert leftovers(stages, root) == []


@pytest.fixture
def disk(stages: Nursery) -> Iterator[Path]:
    """Return a file system of its own, large enough."""
    folder = stages.folder / "disk"
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk, and not everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


@pytest.mark.parametrize("name", list(STAGES))
def test_a_disk_that_is_really_read_only(
    stages: Nursery, inputs: Path, disk: Path, name: str
) -> None:
    root = disk / name
    settings = begin(name, root, inputs)
    plain = stages.run("stage", name=name, settings=settings)
    wanted = contents(root)
    begin(name, root, inputs)
    moment = Moment(random.Random(40).randint(2, plain.events // 2), read_only=str(disk))
    stopped = stages.run("stage", moment, name=name, settings=settings)
    remount(disk, "rw")
    assert stopped.status == 2, stopped.said
    check_what_was_said(stopped.said, "make it writable", root)
    again = stages.run("stage", name=name, settings=settings)
    assert again.status == 0, again.said
    assert contents(root) == wanted
    assert leftovers(stages, root) == []


@pytest.mark.parametrize("name", list(STAGES))
def test_a_disk_that_is_really_full(stages: Nursery, inputs: Path, disk: Path, name: str) -> None:
    root = disk / name
    settings = begin(name, root, inputs)
    before = sum(path.stat().st_blocks * 512 for path in disk.rglob("*"))
    assert stages.run("stage", name=name, settings=settings).status == 0
    wanted = contents(root)
    after = sum(path.stat().st_blocks * 512 for path in disk.rglob("*"))
    begin(name, root, inputs)
    for share in (0.1, 0.6):  # of the room that it takes
        remount(disk, f"size={round(before + share * (after - before))}")
        stopped = stages.run("stage", name=name, settings=settings)
        assert stopped.status == 2, stopped.said
        check_what_was_said(stopped.said, "make room there", root)
        assert leftovers(stages, root) == []
    remount(disk, "size=64m")
    again = stages.run("stage", name=name, settings=settings)
    assert again.status == 0, again.said
    assert contents(root) == wanted
