"""Training and export, killed at random moments and begun again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kill.harness import Nursery, Program, contents, nursery, survives


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery("tests.kill.training", tmp_path_factory.mktemp("training") / "work") as opened:
        yield opened


@pytest.fixture(scope="module")
def prepared(trainer: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a database of mixes in it."""
    root = tmp_path_factory.mktemp("prepared")
    outcome = trainer.run("mixed_database", root=str(root / "db"))
    assert outcome.status == 0, outcome.said
    return root


def test_training(trainer: Nursery, prepared: Path, kills: int) -> None:
    def state(root: Path) -> dict[str, str]:
        outcome = trainer.run("result_of_training", root=str(root))
        assert outcome.status == 0, outcome.said
        found = json.loads(outcome.said.splitlines()[-1])
        curve = found.pop("curve")
        return found | {f"epoch {n}": str(curve[n]) for n in curve} | contents(root / "db")

    root = trainer.folder / "training"
    run = Program("training", root, prepared, {"root": str(root)}, state=state)
    survives(trainer, run, seed=10, kills=kills)


@pytest.fixture(scope="module")
def trained(trainer: Nursery, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same with a run in it."""
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("trained") / "prepared"))
    outcome = trainer.run("training", root=str(root))
    assert outcome.status == 0, outcome.said
    return root


def test_export(trainer: Nursery, trained: Path, kills: int) -> None:
    root = trainer.folder / "exported"
    export = Program("export", root, trained, {"root": str(root)})
    survives(trainer, export, seed=12, kills=kills)
    assert (root / "bundle" / "selfcheck.json").is_file()
