"""MERT as a Scorer: the whole input, all layers, and no code that nobody allowed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from torch.nn import functional

from mashnet.data.parts import ArrayPart
from mashnet.errors import ConfigError
from mashnet.models.published.mert import MertScorer
from mashnet.models.scorer import EmbeddingScorer

RATE = 24_000
CODE = """
from transformers import HubertConfig, HubertModel

class OwnConfig(HubertConfig):
    model_type = "own_mert"

class OwnModel(HubertModel):
    config_class = OwnConfig
"""


def group(seed: int, duration_s: float = 2.0, level: float = 0.1) -> dict[str, ArrayPart]:
    random = np.random.default_rng(seed)
    samples = random.standard_normal(round(duration_s * RATE)).astype(np.float32)
    tone = np.sin(2 * np.pi * 200 * (seed + 1) * np.arange(len(samples)) / RATE)
    return {"vocal": ArrayPart((level * (samples + 5 * tone)).astype(np.float32), RATE)}


@pytest.fixture(scope="module")
def mert_folder(tmp_path_factory):
    """A HuBERT of a few weights, drawn at random: MERT's own kind of network."""
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    folder = tmp_path_factory.mktemp("mert")
    config = HubertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8, 8), conv_kernel=(10, 8), conv_stride=(5, 4), num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    torch.manual_seed(0)
    HubertModel(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True).save_pretrained(folder)
    return folder


def by_hand(folder, samples):
    """Hidden states of all layers, averaged over time, (layers + 1, d)."""
    from transformers import HubertModel

    model = HubertModel.from_pretrained(folder).eval()
    wave = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    with torch.inference_mode():
        out = model(torch.from_numpy(wave)[None], output_hidden_states=True)
    return torch.stack([state[0].mean(0) for state in out.hidden_states])


def test_the_cosine_of_mean_hidden_states(mert_folder):
    states = [by_hand(mert_folder, group(seed)["vocal"].samples) for seed in (0, 1)]
    for layer, vectors in (
        (None, [s.mean(0) for s in states]),
        (0, [s[0] for s in states]),
        (2, [s[2] for s in states]),
    ):
        scorer = MertScorer(weights=str(mert_folder), layer=layer)
        expected = functional.cosine_similarity(*vectors, dim=0)
        found = scorer.score(group(0), [group(1)])[0]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert isinstance(scorer, EmbeddingScorer)


def test_all_windows_count_and_nothing_is_drawn(mert_folder):
    scorer = MertScorer(weights=str(mert_folder))
    samples = group(2, 12.0)["vocal"].samples
    starts = range(0, len(samples), 5 * RATE)
    vectors = [by_hand(mert_folder, samples[s : s + 5 * RATE]).mean(0) for s in starts]
    total = sum(
        w * functional.normalize(v, dim=0) for w, v in zip((1, 1, 0.4), vectors, strict=True)
    )
    found = scorer.embed_query([{"vocal": ArrayPart(samples, RATE)}])[0]
    torch.testing.assert_close(found, functional.normalize(total, dim=0), atol=1e-5, rtol=0)
    again = MertScorer(weights=str(mert_folder)).embed_query([{"vocal": ArrayPart(samples, RATE)}])
    assert torch.equal(again[0], found)


def test_alone_and_among_others(mert_folder):
    scorer = MertScorer(weights=str(mert_folder))
    candidates = [group(seed, 1.0 + seed) for seed in range(3)]
    together = scorer.score(group(0), candidates)
    fresh = MertScorer(weights=str(mert_folder))
    torch.testing.assert_close(fresh.score(group(0), candidates[2:])[0], together[2])
    assert scorer.score(group(0), [group(1, level=0.0)]).tolist() == [0.0]
    assert torch.isfinite(scorer.score(group(0), [group(1, 0.001)])).all()
    assert scorer.score(group(0), []).shape == (0,)


def test_code_that_comes_with_weights_runs_only_when_the_user_says_so(
    mert_folder, tmp_path, monkeypatch
):
    import transformers.dynamic_module_utils as dynamic

    folder = tmp_path / "own"
    shutil.copytree(mert_folder, folder)
    (folder / "own.py").write_text(CODE)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "own_mert"
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(dynamic, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))

    with pytest.raises(ConfigError, match=r"scorer\.trust_remote_code=true") as error:
        MertScorer(weights=str(folder))
    assert "\n" not in str(error.value)
    trusting = MertScorer(weights=str(folder), trust_remote_code=True)
    plain = MertScorer(weights=str(mert_folder))
    torch.testing.assert_close(trusting.embed_query([group(0)]), plain.embed_query([group(0)]))


def test_what_cannot_be_had_is_one_line(mert_folder, clap_folder, tmp_path):
    with pytest.raises(ConfigError, match="cannot be loaded as MERT") as error:
        MertScorer(weights=str(tmp_path / "nowhere"))
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"scorer\.layer=3 is not allowed: expected 0 to 2"):
        MertScorer(weights=str(mert_folder), layer=3)
    with pytest.raises(ConfigError, match="no network that hears waves"):
        MertScorer(weights=str(clap_folder))
