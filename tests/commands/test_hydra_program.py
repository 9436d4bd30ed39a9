"""What a user reads after a slip of the pen."""

import subprocess
import sys
from pathlib import Path

import pytest

from mashnet.commands.hydra_program import CONFIGS, check_overrides, compose, expand_lists
from mashnet.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("modle=premixnet", "Did you mean 'model'"),
        ("model=premixnt", "Did you mean 'premixnet'"),
        ("trainer.max_epoch=3", "Did you mean 'max_epochs'"),
        ("trainer.max_epochs=three", "expected a whole number"),
        ("data.artefact_control=maybe", "expected true or false"),
        ("seed.x=1", "is a single value"),
        ("premixnet", "write key=value"),
    ],
)
def test_a_slip_names_the_near_miss(override: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        check_overrides("train", [override])


def test_of_two_slips_the_first_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no setting 'sed'. Did you mean 'seed'"):
        check_overrides("train", ["sed=1", "rnu=x"])


def test_a_slip_inside_a_mapping_is_named() -> None:
    with pytest.raises(ConfigError, match="'sed' in bootstrap. Did you mean 'seed'"):
        check_overrides("evaluate", ["bootstrap={num_resamples: 10, sed: 1}"])


def test_all_allowed_values_are_listed() -> None:
    with pytest.raises(ConfigError) as refusal:
        check_overrides("train", ["scale=tiny"])
    assert "Available: paper, small." in str(refusal.value)


def test_a_list_of_options_is_an_entry_each() -> None:
    config = compose("evaluate", ["scorer=[clap,mert,premixnet]", "scorers.clap.weights=here"])
    assert config.get("scorer") is None
    assert list(config.scorers) == ["clap", "mert", "premixnet"]
    assert config.scorers.clap.weights == "here"
    assert config.scorers.mert.trust_remote_code is False
    assert config.scorers.premixnet is None
    assert compose("evaluate", ["scorer=random"]).scorers == {}
    with pytest.raises(ConfigError, match="letters and digits, not 'runs/x'"):
        compose("evaluate", ["scorer=[runs/x]"])
    with pytest.raises(ConfigError, match="'weight' in scorers.clap. Did you mean 'weights'"):
        compose("evaluate", ["scorer=[clap]", "scorers.clap.weight=here"])


def test_a_list_of_values_stays_one() -> None:
    typed = ["checkpoint=[a,b]", "scorer=[random,cocola]", "judge=cocola", "out=x"]
    expanded = expand_lists(typed)
    assert expanded[0] == "checkpoint=[a,b]"
    assert expanded[1:3] == ["+scorer@scorers.random=random", "+scorers.cocola=null"]


def test_a_whole_number_may_stand_for_a_number() -> None:
    assert compose("train", ["trainer.gradient_clip=2"]).trainer.gradient_clip == 2


TOP_LEVEL = [("train", CONFIGS), ("evaluate", CONFIGS), ("export", CONFIGS)]
PIPELINES = [(p.stem, p.parent) for p in sorted((CONFIGS / "pipeline").glob("*.yaml"))]


@pytest.mark.parametrize(("name", "folder"), TOP_LEVEL + PIPELINES)
def test_every_program_composes(name: str, folder: Path) -> None:
    assert len(compose(name, [], folder)) > 0


GROUPS = [
    (group.name, option.stem)
    for group in sorted(CONFIGS.iterdir())
    if group.is_dir() and group.name in ("model", "scale", "data", "trainer", "logger")
    for option in sorted(group.glob("*.yaml"))
]


@pytest.mark.parametrize(("group", "option"), GROUPS)
def test_every_training_option_composes(group: str, option: str) -> None:
    assert compose("train", [f"{group}={option}"])[group] is not None


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_a_program_refuses_in_one_line_and_with_status_two(tmp_path: Path) -> None:
    result = run("-m", "data_pipelines.mixes", f"db={tmp_path / 'nowhere'}")
    assert result.returncode == 2
    assert result.stderr.strip().startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert "is not a MashupDB" in result.stderr


def test_several_jobs_write_to_no_folder_that_another_user_could_have_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-m` makes hydra write multirun.yaml somewhere; its place must not be known before."""
    shared, mine = tmp_path / "tmp", tmp_path / "mine"
    shared.mkdir()
    mine.mkdir()
    (shared / "mashnet-multirun").symlink_to(mine)
    monkeypatch.setenv("TMPDIR", str(shared))
    nowhere = tmp_path / "nowhere"
    result = run("-m", "data_pipelines.mixes", "-m", f"db={nowhere}", "seed=1,2")
    assert result.returncode == 2 and "is not a MashupDB" in result.stderr
    assert not list(mine.iterdir())
    assert [path.name for path in shared.iterdir()] == ["mashnet-multirun"]


def test_what_must_be_given_is_named() -> None:
    result = run("-m", "mashnet.export", "out=x")
    assert result.returncode == 2
    assert "checkpoint=… must be given" in result.stderr


def test_a_program_leaves_nothing_in_the_users_folder(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mashnet.export", "checkpoint=a", "out=b"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert list(tmp_path.iterdir()) == []


def test_doctor_reports_everything_and_never_raises() -> None:
    result = run("-m", "mashnet.doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    for name in ("torch", "GPU", "Rubber Band", "madmom", "ffmpeg", "wandb"):
        assert name in result.stdout
    assert "Demucs weights" in result.stdout and "Spleeter weights" in result.stdout
