"""Every bundle under checkpoints/ loads, scores and says where it comes from."""

import math
from pathlib import Path

import numpy as np
import pytest

import mashnet
from mashnet.audio.io import write_flac
from mashnet.data.parts import ArrayPart

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
BUNDLES = sorted(path.parent for path in CHECKPOINTS.glob("*/config.yaml"))


OF_STEMS = {"alignnet", "cocola", "contrastive", "jepa", "phalar", "stem_jepa"}


def test_bundles_are_shipped() -> None:
    assert {"premixnet", "premixnet_lsro"} | OF_STEMS <= {bundle.name for bundle in BUNDLES}


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_a_shipped_bundle_works_and_its_card_is_whole(bundle: Path, tmp_path: Path) -> None:
    size_mb = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6
    assert size_mb < 10
    model = mashnet.load(bundle)
    files = {}
    roles = (
        ("context", "target") if bundle.name in OF_STEMS else ("vocal", "harmonic", "percussion")
    )
    for seed, role in enumerate(roles):
        noise = np.random.default_rng(seed).standard_normal(22050 * 8) * 0.1
        files[role] = tmp_path / f"{role}.flac"
        write_flac(files[role], noise[None].astype(np.float32), 22050)
    score = model.score(**files)
    assert math.isfinite(score)
    card = (bundle / "README.md").read_text("utf-8")
    for part in ("## Data", "Licences of the songs", "## Figures", "95 % interval", "## Limits"):
        assert part in card
    if bundle.name in (*OF_STEMS, "placenet"):
        assert "| top_1_of_64 |" in card
    else:
        assert 0 <= score <= 1
        assert "| auc |" in card and "| average_rank |" in card


def test_the_shipped_alignnet_prefers_a_sound_to_another() -> None:
    one, other = (np.random.default_rng(seed).standard_normal(16000 * 8) for seed in (0, 1))
    model = mashnet.load(CHECKPOINTS / "alignnet")
    query, *candidates = (
        {"stem": ArrayPart(wave.astype(np.float32), 16000)} for wave in (one, one, other)
    )
    itself, another = model.scorer.score(query, candidates).tolist()
    assert itself > another + 0.5  # cosines: all of its terms agree with themselves
