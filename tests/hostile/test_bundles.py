"""Bundles, runs and checkpoints from strangers: refused with a reason, and never executed."""

import shutil
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

from mashnet.errors import CheckpointError
from mashnet.models.loading import load_scorer
from mashnet.storage.bounded_yaml import plain_yaml
from tests.hostile.bundles import CHECK, CONFIG, pickled, signed, spoilers, yaml_payloads
from tests.hostile.reader import MOST_MORE_BYTES, Reader

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints" / "alignnet"


def copied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(BUNDLE, folder))


def test_94_spoiled_bundles_are_refused_with_a_reason(reader: Reader, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    honest = reader.warm("bundle", copied(tmp_path / "bundle"))
    for name, spoil in spoilers(canary):
        bundle = copied(tmp_path / "bundle")
        spoil(bundle)
        outcome = reader.read("bundle", bundle)
        assert outcome.memory < honest + MOST_MORE_BYTES, name
        assert not canary.exists(), name
        if outcome.kind == "read":
            # One bit of the self-check may fall into what its reading does not depend on, such as
            # a digit of the score far below the tolerance.
            assert name.startswith("bit-") and name.endswith(CHECK), name
            continue
        assert outcome.kind == "refused", (name, outcome.said)
        assert "\n" not in outcome.said and len(outcome.said) < 1000, (name, outcome.said)
        assert str(bundle) in outcome.said or "model." in outcome.said, (name, outcome.said)


@pytest.mark.parametrize("size", ["width", "depth"])
def test_a_network_is_not_built_larger_than_its_weights(tmp_path: Path, size: str) -> None:
    """64,000 wide it would have 200 GB of weights; 64,000 deep it would be built for hours."""
    bundle = Path(shutil.copytree(BUNDLE.with_name("contrastive"), tmp_path / "bundle"))
    config = yaml.safe_load((bundle / CONFIG).read_text())
    config["model"]["sizes"][size] = 64_000
    (bundle / CONFIG).write_text(yaml.safe_dump(config))
    signed(bundle)
    with pytest.raises(CheckpointError, match="on there are no weights for it"):
        load_scorer(bundle)


@pytest.mark.parametrize(
    ("network", "block", "change"),
    [
        ("cocola", "sizes", {"hop_length": 1, "n_fft": 60_000}),
        ("phalar", "sizes", {"hop_samples": 0}),
        ("phalar", "sizes", {"hop_samples": 1, "bins": 500}),
        ("phalar", "sizes", {"bins": 96, "bins_per_octave": 24, "f_min_hz": 1e-3}),
        ("alignnet", "sizes", {"window_s": 600.0, "sample_rate": 190_000}),
        ("jepa", "frontend", {"window_s": 600.0, "sample_rate": 190_000}),
        ("premixnet", "frontend", {"hop_length": 1, "n_fft": 60_000}),
        ("premixnet", "frontend", {"hop_length": -512}),
    ],
)
def test_a_spectrogram_is_not_made_larger_than_memory(
    tmp_path: Path, network: str, block: str, change: dict[str, float]
) -> None:
    bundle = Path(shutil.copytree(BUNDLE.with_name(network), tmp_path / "bundle"))
    config = yaml.safe_load((bundle / CONFIG).read_text())
    config["model"][block] |= change
    (bundle / CONFIG).write_text(yaml.safe_dump(config))
    signed(bundle)
    with pytest.raises(CheckpointError, match="spectrograms would be larger than any memory"):
        load_scorer(bundle)


def test_what_is_beside_a_bundle_does_not_matter(tmp_path: Path) -> None:
    bundle = copied(tmp_path / "bundle")
    (bundle / "README.md").write_bytes(b"\xff\x00 not a card")
    (bundle / "sitecustomize.py").write_text("raise SystemExit")
    assert load_scorer(bundle).name == load_scorer(BUNDLE).name


def test_a_checkpoint_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(BUNDLE / CONFIG, run)
    path = run / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": {"network.a": torch.zeros(1)}}, path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    for content in (b"\x80\x02" + pickled(canary), pickled(canary)):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in entries.items():
                archive.writestr(name, content if name.endswith("data.pkl") else data)
        with pytest.raises(CheckpointError, match="is not a readable checkpoint"):
            load_scorer(run)
    path.write_bytes(pickled(canary))
    with pytest.raises(CheckpointError, match="is not a readable checkpoint"):
        load_scorer(run)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    with pytest.raises(CheckpointError, match="compressed or overlap"):
        load_scorer(run)
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="does not hold the weights of alignnet"):
        load_scorer(run)
    assert not canary.exists()


@pytest.mark.parametrize("name", ["apply", "new", "module", "deep", "laughs"])
def test_yaml_is_plain_values(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"could not determine a constructor|too (deeply|many)"):
        plain_yaml(yaml_payloads(tmp_path / "canary")[name])
    assert not (tmp_path / "canary").exists()
