"""Bundles and checkpoints: what loads, and what is refused with a reason."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

import mashnet
from mashnet.errors import CheckpointError, ConfigError
from mashnet.export.bundle import export_bundle
from mashnet.models.loading import build_scorer, load_scorer
from mashnet.models.selfcheck import probe

MODEL = {
    "network": "premixnet",
    "unlabelled": "none",
    "learning_rate": 0.001,
    "sizes": {"n_mels": 32, "source_filters": [4, 8], "joint_filters": 8, "dense": 8},
    "frontend": {
        "window_s": 1.0,
        "sample_rate": 8000,
        "n_fft": 512,
        "hop_length": 160,
        "n_mels": 32,
        "f_min_hz": 40.0,
        "f_max_hz": 4000.0,
    },
}


def make_run(folder: Path, model: dict = MODEL) -> Path:
    torch.manual_seed(0)
    scorer = build_scorer(model, name="x")
    state = {f"network.{k}": v for k, v in scorer.network.state_dict().items()}
    (folder / "checkpoints").mkdir(parents=True)
    torch.save({"state_dict": state}, folder / "checkpoints" / "best.ckpt")
    config = {
        "name": "tiny",
        "seed": 0,
        "model": model,
        "data": {"name": "none", "root": "nowhere", "artefact_control": True},
        "made_with": {"torch": "2.11"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def bundle(run: Path, tmp_path: Path) -> Path:
    return export_bundle(run, tmp_path / "bundle")


def score(model: object, seed_hz: float = 300.0) -> float:
    group = dict(
        probe(
            {
                "sample_rate": 8000,
                "duration_s": 2.3,
                "beat_s": 0.4,
                "tones_hz": {"vocal": [seed_hz], "harmonic": [150.0], "percussion": [60.0]},
            }
        )
    )
    return float(model.score({"vocal": group.pop("vocal")}, [group])[0])


def test_a_bundle_scores_as_its_checkpoint_does(run: Path, bundle: Path) -> None:
    from_run, from_file, from_bundle = (
        score(load_scorer(path)) for path in (run, run / "checkpoints" / "best.ckpt", bundle)
    )
    assert from_run == from_file == from_bundle


def test_nothing_in_a_bundle_is_a_pickle(bundle: Path) -> None:
    assert {p.name for p in bundle.iterdir()} == {
        "model.safetensors",
        "config.yaml",
        "README.md",
        "selfcheck.json",
    }
    for path in bundle.iterdir():
        assert not path.read_bytes().startswith((b"\x80", b"PK")), path


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml"])
@pytest.mark.parametrize("position", [0.0, 0.3, 0.99])
def test_a_flipped_bit_is_refused(bundle: Path, name: str, position: float) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[int(position * (len(content) - 1))] ^= 4
    (bundle / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} is damaged"):
        load_scorer(bundle)


def test_the_self_check_notices_other_arithmetic(bundle: Path) -> None:
    check = json.loads((bundle / "selfcheck.json").read_text())
    check["score"] += 0.01
    (bundle / "selfcheck.json").write_text(json.dumps(check))
    with pytest.raises(CheckpointError, match="fails its self-check"):
        load_scorer(bundle)


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml", "selfcheck.json"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(CheckpointError):
        load_scorer(bundle)


def test_a_wrong_path_names_the_near_miss(run: Path) -> None:
    with pytest.raises(CheckpointError, match="Did you mean 'run'"):
        load_scorer(run.parent / "rum")
    with pytest.raises(CheckpointError, match="neither a run nor a bundle"):
        load_scorer(run.parent)


def test_a_checkpoint_of_another_model_is_refused(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", {**MODEL, "network": "postmixnet"})
    shutil.copy(other / "checkpoints" / "best.ckpt", run / "checkpoints" / "best.ckpt")
    with pytest.raises(CheckpointError, match="does not hold the weights of premixnet"):
        load_scorer(run)


def test_an_unknown_network_names_the_near_miss() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'premixnet'"):
        build_scorer({**MODEL, "network": "premixnt"}, name="x")


def test_a_run_without_a_checkpoint_says_what_to_do(run: Path) -> None:
    (run / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(CheckpointError, match="python train.py resume="):
        load_scorer(run)


def test_a_pickle_that_runs_code_is_not_run(run: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Malicious:
        def __reduce__(self):
            return (Path.touch, (canary,))

    torch.save({"state_dict": Malicious()}, run / "checkpoints" / "best.ckpt")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_scorer(run)
    assert not canary.exists()


def test_text_is_not_a_checkpoint(run: Path) -> None:
    (run / "checkpoints" / "best.ckpt").write_text("hello")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_scorer(run)


def test_a_folder_that_is_no_bundle_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("two years of work")
    with pytest.raises(ConfigError, match="not a bundle"):
        export_bundle(run, mine)
    assert [p.name for p in mine.iterdir()] == ["thesis.txt"]


def test_mashnet_load_scores_files(bundle: Path, tmp_path: Path) -> None:
    from mashnet.audio.io import write_flac

    recipe = json.loads((bundle / "selfcheck.json").read_text())["recipe"]
    paths = {}
    for role, part in probe(recipe).items():
        paths[role] = tmp_path / f"{role}.flac"
        write_flac(paths[role], part.waveform(8000)[None], 8000)
    model = mashnet.load(bundle)
    expected = json.loads((bundle / "selfcheck.json").read_text())["score"]
    assert model.score(**paths) == pytest.approx(expected, abs=1e-3)
