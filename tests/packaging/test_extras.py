"""The table of extras says what pyproject.toml says, and the right extra is named."""

import importlib.metadata as metadata
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mashnet.extras import EXTRAS, WITHIN, lacking, packages_of
from mashnet.programs import PROGRAMS
from tests.packaging.test_pins import PROJECT

ASKED = {
    extra: [Requirement(text) for text in texts]
    for extra, texts in PROJECT["project"]["optional-dependencies"].items()
}
# Imported by us, brought by a package that is asked for.
BROUGHT = {"altair": "streamlit", "lightning_fabric": "pytorch-lightning"}


def test_the_table_is_that_of_the_project() -> None:
    assert set(EXTRAS) == set(ASKED)
    providers = metadata.packages_distributions()
    for extra, requirements in ASKED.items():
        within = {name for r in requirements if r.name == "mashnet" for name in r.extras}
        assert set(WITHIN.get(extra, ())) == within, extra
        asked = {canonicalize_name(r.name) for r in requirements if r.name != "mashnet"}
        found = {}
        for package in EXTRAS[extra]:
            names = [BROUGHT[package]] if package in BROUGHT else providers[package]
            found[package] = {canonicalize_name(name) for name in names} & asked
            assert found[package], f"{extra} does not ask for what brings {package}"
        assert set().union(*found.values()) == asked, extra


def test_every_program_names_an_extra_that_there_is() -> None:
    assert {program.extra for program in PROGRAMS.values()} <= {"", *EXTRAS}


@pytest.mark.parametrize(
    ("program", "package", "extra"),
    [
        ("mashnet.commands.train", "pytorch_lightning", "train"),
        ("data_pipelines.demo.__main__", "scipy", "pipelines"),  # by what it brings along
        ("data_pipelines.embeddings.__main__", "faiss", "retrieve"),  # not of the program's extra
        ("data_pipelines.mashupdb.__main__", "demucs", "separate"),
        ("some.other.program", "scipy", "render"),
    ],
)
def test_the_extra_that_is_named_brings_the_package(
    monkeypatch: pytest.MonkeyPatch, program: str, package: str, extra: str
) -> None:
    called = ModuleType("__main__")
    called.__spec__ = ModuleSpec(program, None)
    monkeypatch.setitem(sys.modules, "__main__", called)
    monkeypatch.setattr(sys, "argv", ["x"])
    error = lacking(ModuleNotFoundError(f"No module named '{package}'", name=f"{package}.inner"))
    assert f"{package} is not installed; get it: pip install 'mashnet[{extra}]'" == str(error)
    assert package in packages_of(extra)


def test_a_package_of_no_extra_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking(ModuleNotFoundError("No module named 'x'", name="x")) is None


def test_scripts_beside_the_source_are_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(Path("somewhere") / "train.py")])
    error = lacking(ModuleNotFoundError("No module named 'hydra'", name="hydra"))
    assert str(error).endswith("pip install 'mashnet[train]'")
