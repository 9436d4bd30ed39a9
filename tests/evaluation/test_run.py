"""evaluate.py as a user meets it, on a tiny database and without a trained model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from omegaconf import OmegaConf

from data_pipelines.negatives import stage as negatives
from mashnet.commands.hydra_program import CONFIGS, check_overrides, compose
from mashnet.data.mixes.recipes import Recipe
from mashnet.errors import CheckpointError, ConfigError, DatabaseError
from mashnet.evaluation import protocols
from mashnet.evaluation.run import _folder, evaluate
from mashnet.models.scorers import SCORERS, build
from mashnet.scoring import Scorer
from tests.loops import loop_database, songs

ROOT = Path(__file__).resolve().parents[2]


def recipes_of(database):
    """For each song: the original, two accompaniments of the next song, and three that clash."""
    stems = database.stems.join(database.clips.select("clip_id", "split"), on="clip_id")
    clips = stems["clip_id"].unique(maintain_order=True).to_list()
    of = {(row["clip_id"], row["role"]): row["stem_id"] for row in stems.iter_rows(named=True)}
    split = dict(zip(stems["clip_id"], stems["split"], strict=True))
    for index, clip in enumerate(clips):
        own = {"harmonic": (of[clip, "harmonic"],), "percussion": (of[clip, "percussion"],)}
        other = next(c for c in clips[index + 1 :] + clips if split[c] == split[clip])
        borrowed = {
            "harmonic": (of[other, "harmonic"],),
            "percussion": (of[other, "percussion"],),
        }
        for condition, accompaniment, change in (
            ("original", own, {}),
            ("matched", borrowed, {}),
            ("unmatched_key", own, {"semitones": 1}),
            ("unmatched_tempo", own, {"ratio_h": 1.15, "offset_s": 0.3, "offset_role": "harmonic"}),
            ("unmatched_key_tempo", borrowed, {"semitones": 1, "ratio_p": 0.85}),
        ):
            yield Recipe(
                mix_id=f"{clip}-{condition}",
                condition=condition,
                vocal=(of[clip, "vocal"],),
                duration_s=8.0,
                split=split[clip],
                **accompaniment,
                **change,
            ).row()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Parts are named by what they sound like, so the databases here can share them."""
    return tmp_path_factory.mktemp("mixes")


def linked(source, target):
    """Give a file a second name, unless there is one of that name."""
    if not Path(target).exists():
        os.link(source, target)


@pytest.fixture
def database(tiny_database, rendered):
    mixes = tiny_database.root / "audio" / "mixes"
    shutil.copytree(rendered, mixes, copy_function=linked)
    tiny_database.write_table("mixes", list(recipes_of(tiny_database)))
    tiny_database.update_manifest(mixes={"sample_rate": 22050})
    yield tiny_database
    shutil.copytree(mixes, rendered, copy_function=linked, dirs_exist_ok=True)


def settings(*overrides):
    return OmegaConf.to_container(compose("evaluate", list(overrides)), resolve=True)


def common(database, out):
    return (f"data.root={database.root}", "data.artefact_control=false", f"out={out}",
            "bootstrap.num_resamples=20")  # fmt: skip


# beat_probe asks encoders, which rules do not have; its own test has one.
@pytest.mark.parametrize("protocol", sorted(set(protocols.PROTOCOLS.names()) - {"beat_probe"}))
def test_every_protocol_writes_what_the_contract_says(protocol, database, tmp_path, capsys):
    small = (
        ["protocol.semitones=[-1,0,1]", "protocol.tempo_percent=[-10,0,10]",
         "protocol.beats=[-0.5,0,0.5]", "protocol.num_songs=1", "protocol.duration_s=5.0"]
        if protocol == "sensitivity"
        else []
    )  # fmt: skip
    if protocols.view_of(protocol) == "loops":
        loop_database(database.root, [*songs("test", 6), *songs("val", 3, first=50)])
        negatives.make(compose("negatives", [f"db={database.root}"], negatives.CONFIG_DIR))
    # Of placement those have answers that judge what has not been moved.
    scorer = "automashupper" if protocol == "placement" else "alignment"
    overrides = [
        f"scorer={scorer}",
        f"protocol={protocol}",
        *common(database, tmp_path / "out"),
        *small,
    ]
    folder = evaluate(settings(*overrides), command="python evaluate.py …")
    result = json.loads((folder / "metrics.json").read_text())
    assert (result["protocol"], result["scorer"]) == (protocol, scorer)
    assert (result["data"], result["split"]) == (str(database.root), "test")
    assert all(set(m) == {"value", "low", "high", "n"} for m in result["metrics"].values())
    scores = pl.read_parquet(folder / "scores.parquet")
    assert scores["score"].is_finite().all()
    assert (folder / "report.html").is_file()
    assert list(folder.glob("*.png"))
    printed = capsys.readouterr().out
    assert "(chance)" in printed
    for path in folder.iterdir():
        assert f"written: {path}" in printed


def test_baselines_that_a_protocol_cannot_ask_are_left_out(database, tmp_path):
    given = ["protocol=placement", *common(database, tmp_path / "out")]
    # What was named is refused; alignment and keytempo, which nobody named, are not spoken of.
    with pytest.raises(ConfigError, match=r"^alignnet: hears only parts that have been moved"):
        evaluate(settings("checkpoint=checkpoints/alignnet", *given), command="")
    with pytest.raises(ConfigError, match=r"^keytempo: hears only"):
        evaluate(settings("scorer=[random,keytempo]", *given), command="")


def test_a_list_of_scorers_and_a_judge(database, tmp_path):
    overrides = (
        "scorer=[keytempo,random]",
        "judge=random",
        "protocol=song_selection",
        *common(database, tmp_path),
    )
    folder = evaluate(settings(*overrides, "data.split=all"), command="")
    results = json.loads((folder / "metrics.json").read_text())
    assert [r["scorer"] for r in results] == ["keytempo", "random"]
    assert [r["judge"] for r in results] == ["random", "random"]
    assert "pearson" in results[0]["metrics"]
    assert "pearson" not in results[1]["metrics"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["scorer=[randm]"], "'randm' is no Scorer here. Did you mean 'random'"),
        (["scorer=[random]", "judge=nobody"], "'nobody' is no Scorer here"),
        (["scorer=[random]", "judge=keytempo"], "judge=keytempo: name one of random"),
        (["scorer=random", "protocol=mashup_retrieval", "judge=random"], "has no judge"),
        (["scorer=random", "top=3"], "top=3: protocol=song_selection renders no best and worst"),
    ],
)
def test_who_is_unknown_is_named(overrides, message, database, tmp_path):
    given = ["protocol=song_selection", *common(database, tmp_path), *overrides]
    with pytest.raises(ConfigError, match=message):
        evaluate(settings(*given), command="")


def test_the_same_command_gives_the_same_figures(database, tmp_path):
    written = []
    for name in ("one", "two"):
        overrides = (
            "scorer=random",
            "protocol=mashup_retrieval",
            *common(database, tmp_path / name),
        )
        folder = evaluate(settings(*overrides), command="")
        written.append((folder / "metrics.json").read_text())
    assert written[0] == written[1]


def test_the_default_folder_of_many_runs_has_a_name_that_can_be_written():
    paths = [Path(f"runs/20261121-13011{i}-loop_siamese+rearrange") for i in range(10)]
    with pytest.raises(CheckpointError, match="matches nothing"):
        evaluate(settings("checkpoint=runs/*-no-such"), command="")
    folder = _folder(paths, [], "loop_ranking")
    assert all(len(part) < 255 for part in folder.parts)
    assert folder.name == "loop_ranking"
    assert folder != _folder(paths[1:], [], "loop_ranking")


def test_split_all_takes_every_recipe(database, tmp_path):
    overrides = ("scorer=random", "data.split=all", *common(database, tmp_path))
    folder = evaluate(settings(*overrides), command="")
    assert pl.read_parquet(folder / "scores.parquet").height == database.mixes.height


def test_recipes_of_the_other_artefact_control_are_not_taken(database, tmp_path):
    overrides = [*common(database, tmp_path), "scorer=random", "data.artefact_control=true"]
    with pytest.raises(DatabaseError, match="artefact_control=true"):
        evaluate(settings(*overrides), command="")


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ([], ConfigError, "checkpoint=runs/<run>"),
        (["scorer=random", "checkpoint=runs/x"], ConfigError, "either"),
        (["scorer=random"], ConfigError, "data.root=… must be given"),
        (["scorer=random", "data.root=nowhere"], DatabaseError, "nowhere is not a MashupDB"),
        (["checkpoint=runs/no_such_run"], CheckpointError, "no_such_run"),
    ],
)
def test_what_is_missing_is_named(overrides, error, message):
    with pytest.raises(error, match=message):
        evaluate(settings(*overrides), command="")


@pytest.mark.parametrize(
    ("override", "message"), [("data.split=tets", "Did you mean 'test'"),
                              ("data.artefact_control=maybe", "expected true or false")]
)  # fmt: skip
def test_wrong_data_settings_name_what_is_allowed(database, tmp_path, override, message):
    overrides = [*common(database, tmp_path), "scorer=random", override]
    with pytest.raises(ConfigError, match=message):
        evaluate(settings(*overrides), command="")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("protocol=mashup_retrival", "Did you mean 'mashup_retrieval'"),
        ("scorer=aligment", "Did you mean 'alignment'"),
        ("baselines.alignment.windows_s=5", "Did you mean 'window_s'"),
        ("bootstrap.num_resamples=many", "whole number"),
    ],
)
def test_mistyped_settings_name_the_near_miss(override, message):
    with pytest.raises(ConfigError, match=message):
        check_overrides("evaluate", [override])


def test_every_scorer_config_builds_the_scorer_of_its_name():
    found = {path.stem for path in (CONFIGS / "scorer").glob("*.yaml")}
    assert found == set(SCORERS.names())
    for name in found:
        config = settings(f"scorer={name}")["scorer"]
        if isinstance(config.get("weights", {}), str | None):  # a file, which nobody has here
            with pytest.raises(ConfigError, match=r"scorer\.weights="):
                build(config.pop("name"), config)
            continue
        scorer = build(config.pop("name"), config)
        assert isinstance(scorer, Scorer)
        assert scorer.name == name


def test_the_config_of_the_rule_holds_its_published_weights():
    from mashnet.models.rules.alignment import AlignmentScorer

    config = settings("scorer=alignment")["scorer"]
    config.pop("name")
    assert vars(AlignmentScorer(**config)).items() >= {
        "window_s": AlignmentScorer().window_s, "weights": AlignmentScorer().weights
    }.items()  # fmt: skip


def test_every_protocol_has_a_config_of_its_name():
    found = {path.stem: path for path in (CONFIGS / "protocol").glob("*.yaml")}
    assert set(found) == set(protocols.PROTOCOLS.names())
    for name in found:
        assert settings(f"protocol={name}")["protocol"]["name"] == name


def test_a_rule_refuses_wrong_settings_in_words():
    with pytest.raises(ConfigError, match="window_s=1"):
        build("alignment", {"window_s": 1.0})


def test_from_the_command_line(database, tmp_path):
    """The program prints its table, leaves the user's folder alone and keeps the command."""
    out = tmp_path / "results"
    command = [sys.executable, str(ROOT / "evaluate.py"), "scorer=random", *common(database, out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "balanced_accuracy_calibrated" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"results", "tiny"}
    html = (out / "report.html").read_text("utf-8")
    assert "python evaluate.py scorer=random" in html
    assert "hydra" not in html
    refused = subprocess.run(
        [*command, "protocol=sensitivty"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
    assert "Did you mean 'sensitivity'?" in refused.stderr
