"""Every bundle under checkpoints/ loads, scores and says where it comes from."""

from pathlib import Path

import numpy as np
import pytest

import mashnet
from mashnet.audio.io import write_flac

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
BUNDLES = sorted(path.parent for path in CHECKPOINTS.glob("*/config.yaml"))


def test_bundles_are_shipped() -> None:
    assert {"premixnet", "premixnet_lsro"} <= {bundle.name for bundle in BUNDLES}


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_a_shipped_bundle_works_and_its_card_is_whole(bundle: Path, tmp_path: Path) -> None:
    size_mb = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6
    assert size_mb < 10
    files = {}
    for seed, role in enumerate(("vocal", "harmonic", "percussion")):
        noise = np.random.default_rng(seed).standard_normal(22050 * 8) * 0.1
        files[role] = tmp_path / f"{role}.flac"
        write_flac(files[role], noise[None].astype(np.float32), 22050)
    score = mashnet.load(bundle).score(**files)
    assert 0 <= score <= 1
    card = (bundle / "README.md").read_text("utf-8")
    for part in ("## Data", "Licences of the songs", "## Figures", "95 % interval", "## Limits"):
        assert part in card
    assert "| auc |" in card and "| average_rank |" in card
