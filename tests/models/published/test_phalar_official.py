"""The published PHALAR in our network: same scores, and nothing else gets in.

How phalar_golden.json was made: at commit 4a33399 of gladia-research-group/phalar (torch 2.11,
nnAudio 0.3.4), `ContrastiveAudioModelPLWrapper` was built with the settings of
configs/train_phalar.yaml, its parameters were set to `weight(name, shape)` below, and
`encoder` was given each 5 s of `sound(kind)` by itself, since its spectrogram's floor depends on
what else is in a batch. Kept are the names and shapes of its parameters, its settings, the first
values of the embeddings, and `similarity` of all pairs, with `hermitian` on and off.
"""

from __future__ import annotations

import enum
import json
import os
import pickle
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mashnet.data.parts import ArrayPart
from mashnet.errors import CheckpointError, ConfigError
from mashnet.models.published.phalar_official import PhalarOfficialScorer, load_published
from mashnet.models.scorers import SCORERS, build

GOLDEN = json.loads((Path(__file__).parent / "phalar_golden.json").read_text("utf-8"))
RATE = 16_000
TOLERANCE = 1e-4


def uniform(count: int, seed: int) -> np.ndarray:
    """Return numbers in [−1, 1) by a hash, the same with every version of every library."""
    x = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return (x ^ (x >> np.uint64(31))).astype(np.float64) / 2.0**63 - 1.0


def weight(name: str, shape: list[int]) -> torch.Tensor:
    """Return a published parameter by its name: nothing zero, nothing alike."""
    values = uniform(int(np.prod(shape)), zlib.crc32(name.encode())).reshape(shape)
    if len(shape) > 1:
        values *= 2.0 / np.prod(shape[1:]) ** 0.5
    elif name.endswith("weight"):
        values = 1.0 + 0.3 * values
    else:
        values *= 0.2
    return torch.from_numpy(values).float()


def sound(kind: int) -> np.ndarray:
    """Return 10 s: struck chords, bursts of noise, or a swaying tone."""
    time_s = np.arange(10 * RATE) / RATE
    if kind == 0:
        wave = sum(np.sin(2 * np.pi * hz * time_s) for hz in (110.0, 277.2, 659.3))
        return (0.1 * wave * np.exp(-6 * (time_s % 0.5))).astype(np.float32)
    if kind == 1:
        noise = uniform(len(time_s), 1)
        return (0.3 * noise * np.exp(-20 * ((time_s + 0.1) % 0.4))).astype(np.float32)
    sway = 440 * time_s + 40 * np.sin(2 * np.pi * 0.7 * time_s)
    return (0.2 * np.sin(2 * np.pi * sway) * (1 + np.sin(2 * np.pi * 1.3 * time_s))).astype(
        np.float32
    )


def parts(first: int, last: int) -> list[dict[str, ArrayPart]]:
    return [{"stem": ArrayPart(sound(kind)[first:last], RATE)} for kind in range(3)]


@pytest.fixture
def enumerations(monkeypatch):
    """The authors' module of enumerations, as far as a checkpoint mentions it."""
    package = types.ModuleType("contrastive_model")
    constants = types.ModuleType("contrastive_model.constants")
    for name, value in (setting for setting in GOLDEN["settings"].values() if is_enum(setting)):
        chosen = enum.Enum(name, {"CHOSEN": value}, module=constants.__name__)
        setattr(constants, name, chosen)
    monkeypatch.setitem(sys.modules, "contrastive_model", package)
    monkeypatch.setitem(sys.modules, "contrastive_model.constants", constants)
    return constants


def is_enum(setting) -> bool:
    return isinstance(setting, list)


@pytest.fixture
def published(enumerations, monkeypatch):
    """What a published checkpoint holds; whoever saves it must still have the enumerations."""
    settings = {
        name: getattr(enumerations, value[0]).CHOSEN if is_enum(value) else value
        for name, value in GOLDEN["settings"].items()
    }
    state = {name: weight(name, shape) for name, shape in GOLDEN["parameters"].items()}
    lengths = [np.ceil(RATE / (16.35 * 2 ** (k / 12) * (2 ** (1 / 12) - 1))) for k in range(96)]
    # The filters of its transform take 25 MB; they are not learned, and nobody reads them.
    filters = torch.zeros(1).expand(96, 1, 32768)
    state["encoder.cqt_extractor.0.lenghts"] = torch.tensor(np.array(lengths)).float()
    state["encoder.cqt_extractor.0.cqt_kernels_real"] = filters
    state["encoder.cqt_extractor.0.cqt_kernels_imag"] = filters
    return {"hyper_parameters": settings, "state_dict": state, "epoch": 3, "optimizer_states": [{}]}


@pytest.fixture
def weights(published, tmp_path, monkeypatch):
    path = tmp_path / "PHALAR_best.ckpt"
    torch.save(published, path)
    monkeypatch.delitem(sys.modules, "contrastive_model.constants")  # users do not have it
    return path


def test_the_checkpoint_has_the_published_size(weights):
    network = load_published(weights)
    assert sum(p.numel() for p in network.parameters()) == GOLDEN["parameter_count"] == 2_293_104
    assert not network.training


def test_embeddings_are_those_of_the_published_program(weights):
    network = load_published(weights)
    with torch.inference_mode():
        for window, expected in enumerate(GOLDEN["embeddings"]):
            first = window * 5 * RATE
            waves = np.stack([sound(kind)[first : first + 5 * RATE] for kind in range(3)])
            found = network.encode(torch.from_numpy(waves)).unflatten(1, (2, -1))
            assert torch.allclose(found[:, :, :8], torch.tensor(expected), atol=TOLERANCE / 10)


@pytest.mark.parametrize("hermitian", [True, False])
def test_scores_are_those_of_the_published_program(weights, hermitian):
    scorer = PhalarOfficialScorer(weights=str(weights), hermitian=hermitian)
    kept = GOLDEN["hermitian" if hermitian else "as_trained"]
    for window, expected in enumerate(kept):
        groups = parts(window * 5 * RATE, (window + 1) * 5 * RATE)
        found = scorer.similarity(scorer.embed_query(groups), scorer.embed_candidate(groups))
        assert torch.allclose(found, torch.tensor(expected), atol=TOLERANCE)
        for i, group in enumerate(groups):
            alone = scorer.score(group, groups)
            assert torch.allclose(alone, torch.tensor(expected[i]), atol=TOLERANCE)
    # The fixed weights tell these sounds apart, or the comparison would mean little.
    assert np.std(kept) > 100 * TOLERANCE


def test_longer_sounds_score_the_mean_of_their_windows(weights):
    scorer = PhalarOfficialScorer(weights=str(weights))
    groups = parts(0, 10 * RATE)
    expected = torch.tensor(GOLDEN["hermitian"]).mean(0)
    assert torch.allclose(scorer.score(groups[0], groups), expected[0], atol=TOLERANCE)


def test_it_is_found_by_name(weights):
    assert "phalar_official" in SCORERS.names()
    scorer = build("phalar_official", {"weights": str(weights), "window_s": 4.0})
    assert scorer.name == "phalar_official"
    assert scorer.frontend.window_samples == 4 * RATE


def test_without_weights_it_says_where_they_are(tmp_path):
    for given in (None, str(tmp_path / "absent.ckpt")):
        with pytest.raises(ConfigError, match=r"ckpts/PHALAR_best\.ckpt.*phalar") as error:
            PhalarOfficialScorer(weights=given)
        assert "\n" not in str(error.value)


def refused(checkpoint, tmp_path):
    path = tmp_path / "other.ckpt"
    torch.save(checkpoint, path)
    with pytest.raises(CheckpointError) as error:
        load_published(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


def test_foreign_and_missing_parameters_are_refused(published, tmp_path):
    state = published["state_dict"]
    state["encoder.backbone.layers.10.freq_conv.0.weight"] = torch.ones(60)
    assert "foreign: encoder.backbone.layers.10" in refused(published, tmp_path)
    del state["encoder.backbone.layers.10.freq_conv.0.weight"]
    del state["similarity.W.W.weight"]
    assert "missing: similarity.W.W.weight" in refused(published, tmp_path)


def test_other_shapes_and_another_transform_are_refused(published, tmp_path):
    state = published["state_dict"]
    kept = state["encoder.mlp.2.b"]
    state["encoder.mlp.2.b"] = torch.zeros(511)
    assert "PHALAR's weights" in refused(published, tmp_path)
    state["encoder.mlp.2.b"] = kept
    state["encoder.cqt_extractor.0.lenghts"] = torch.ones(96)
    assert "filters of other lengths" in refused(published, tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("complex_use_silu", True), ("pool_type", "avg"), ("spec_pool_norm", None), ("do_cqt", False)],
)
def test_other_settings_are_refused(published, tmp_path, setting, value):
    published["hyper_parameters"][setting] = value
    assert f"{setting}={value}" in refused(published, tmp_path)


def test_an_absent_setting_is_what_the_published_program_takes(published, tmp_path):
    # Its classes pad behind and use a mean pooling of magnitudes unless they are told otherwise.
    del published["hyper_parameters"]["spec_pool_center_padding"]
    path = tmp_path / "older.ckpt"
    torch.save(published, path)
    assert not load_published(path).pooling.centred
    del published["hyper_parameters"]["spec_pool_complex_output"]
    assert "spec_pool_complex_output=False" in refused(published, tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"hyper_parameters": {}}])
def test_what_is_no_lightning_checkpoint_is_refused(content, tmp_path):
    assert "lacks hyper_parameters or state_dict" in refused(content, tmp_path)


def test_damaged_files_are_refused(weights):
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_published(weights)
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_published(weights)


class Command:
    """What a hostile file would have run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_hostile_file_runs_nothing(published, tmp_path):
    made = tmp_path / "made"
    published["hyper_parameters"]["extra"] = Command(made)
    assert "not a readable checkpoint" in refused(published, tmp_path)
    assert not made.exists()
    assert pickle.loads(pickle.dumps(Command(made))) is None  # so it would have worked
    assert made.exists()
