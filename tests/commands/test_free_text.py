"""Whatever a shell passes as a path or a title is taken as it is, and told as it was typed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from mashnet.commands import free_text
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.config_folder import CONFIGS as FOLDER
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import DatabaseError
from mashnet.invocation import setting

PARSER = OverridesParser.create()
ROOT = Path(__file__).resolve().parents[2]
# No shell passes a NUL; half characters stand for bytes of a name that are not UTF-8.
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=()), min_size=1)
ODD = [
    "/music/AC DC, T.N.T. (live) = best",
    "[a,b]", "{a: 1}", "a=b", "#1", "a & b", "100 % $HOME ${HOME} ${oc.env:HOME}", " both ends ",
    "it's", '"quoted"', "back\\slash\\", "\\'", "true", "1e5", "-0", "none", "日本 …", "~", "*?",
    "\udce9.wav",
]  # fmt: skip


def pipeline(*overrides: str):
    return compose("mashupdb", list(overrides), FOLDER / "pipeline")


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example("null ")
@example("${a}")
@example("\\${a}\\")
def test_every_text_is_taken_as_it_is(text: str) -> None:
    if text == "null":
        return  # stands for no value
    read = PARSER.parse_override(free_text.quoted(f"source.root={text}")).value()
    # As Hydra stores it: a quoted string is a string of a configuration.
    assert OmegaConf.create({"root": str(read)}).root == text


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_what_is_quoted_can_be_told_as_it_was_typed(text: str) -> None:
    typed = f"data.root={text}"
    assert free_text.as_typed(free_text.quoted(typed)) == typed


@pytest.mark.parametrize("text", ODD)
def test_paths_of_every_program(text: str) -> None:
    assert pipeline(f"source.root={text}").source.root == text
    assert compose("train", ["data=mashupdb", f"data.root={text}"]).data.root == text
    if not text.startswith("{"):  # a rule's weights are numbers by name
        evaluated = compose("evaluate", ["scorer=clap", f"scorer.weights={text}"])
        assert evaluated.scorer.weights == text
    assert compose("export", [f"checkpoint={text}", "out=x"]).checkpoint == (
        ["a", "b"] if text == "[a,b]" else text
    )


def test_no_value_stays_none_and_numbers_by_name_stay_numbers() -> None:
    assert compose("train", ["resume=null"]).resume is None
    rule = compose("evaluate", ["scorer=alignment", "scorer.weights={onset: 1}"])
    assert rule.scorer.weights.onset == 1


def test_lists_of_paths_may_hold_what_hydra_cannot_read() -> None:
    found = compose("evaluate", ["checkpoint=[runs/a (1), runs/b = c]"]).checkpoint
    assert list(found) == ["runs/a (1)", "runs/b = c"]
    assert list(compose("evaluate", ["checkpoint=['a, b',c]"]).checkpoint) == ["a, b", "c"]


def test_quotes_for_hydra_are_no_part_of_a_path_that_is_there(tmp_path: Path) -> None:
    there = tmp_path / "a run"
    there.mkdir()
    assert pipeline(f"source.root='{there}'").source.root == str(there)
    assert pipeline(f"source.root='{there}2'").source.root == f"'{there}2'"
    (tmp_path / "'Heroes'").mkdir()
    (tmp_path / "Heroes").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert pipeline("source.root='Heroes'").source.root == "'Heroes'"


def test_what_is_no_path_keeps_its_grammar() -> None:
    assert compose("train", ["trainer.gradient_clip=2"]).trainer.gradient_clip == 2
    assert free_text.quoted("seed=1") == "seed=1"
    assert free_text.quoted("hydra.run.dir=x y") == "hydra.run.dir=x y"


def test_every_setting_without_a_default_that_is_a_word_is_one_of_them() -> None:
    """A new path in the configs must be added to the table."""
    needed = set()
    for path in CONFIGS.rglob("*.yaml"):
        for line in path.read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            if value.strip().startswith("???"):
                needed.add(name.strip())
    assert {"root", "db", "out"} < needed <= free_text.FREE_TEXT


def test_a_program_finds_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    music = tmp_path / "AC DC, T.N.T. (live) = best"
    music.mkdir()
    command = [sys.executable, "-m", "mashnet.export", f"checkpoint={music}"]
    command += [f"out={tmp_path / 'it is {here}'}"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 2 and str(music) in ended.stderr, ended.stderr
    assert "grammar" not in ended.stderr and "mismatched" not in ended.stderr
    assert shlex.split(shlex.join(command)) == command


def test_advice_can_be_pasted(tmp_path: Path) -> None:
    root = tmp_path / "AC DC, T.N.T. (live) = best & 音楽"
    assert shlex.split(setting("db", root)) == [f"db={root}"]
    with pytest.raises(DatabaseError) as told:
        MashupDB.open(root)
    (advised,) = re.findall(r"Build one with: (.*)", str(told.value))
    *_, last = shlex.split(advised)
    assert last == f"out={root}"
    assert setting("db", "data/demo") == "db=data/demo"  # nothing to quote
