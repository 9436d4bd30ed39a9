"""Runs of tiny networks with fresh weights, and their ONNX files, written once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mashnet.export.bundle import export_bundle
from mashnet.models.loading import build_scorer

_MIX = {
    "sizes": {"n_mels": 32, "source_filters": [4, 8], "joint_filters": 8, "dense": 8},
    "frontend": {"window_s": 1.0, "sample_rate": 8000, "n_fft": 512, "hop_length": 160}
    | {"n_mels": 32, "f_min_hz": 40.0, "f_max_hz": 3000.0},
}
_LOOP = {
    "sizes": {"frames": 51, "n_mels": 16, "filters": [4, 2], "dense": [8, 8, 4]},
    "frontend": {"sample_rate": 8000, "n_fft": 512, "hop_length": 320, "n_mels": 16}
    | {"f_max_hz": 4000.0, "window": "hamming"},
}
_JEPA = {"width": 64, "depth": 1, "hidden": 16, "layers": 2}
_COCOLA = {"n_fft": 256, "win_length": 200, "hop_length": 320, "kernel": 3} | {
    "width": 0.25,
    "depth": 0.25,
    "embedding": 16,
}
MODELS: dict[str, dict[str, Any]] = {
    "premixnet": _MIX,
    "postmixnet": _MIX,
    "loop_cnn": _LOOP,
    "loop_siamese": _LOOP,
    "jepa": {"sizes": _JEPA, "frontend": {"window_s": 3.0}},
    "cocola": {"sizes": _COCOLA, "frontend": {"window_s": 3.0}},
    "alignnet": {"sizes": {"window_s": 5.0}, "frontend": {"window_s": 5.0}},
}


def _settle(network: torch.nn.Module) -> None:
    """Fit the batch normalisations to some input; with fresh ones everything scores alike."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = None

    def levels(*shape: int) -> torch.Tensor:
        return torch.rand(8, *(1 for _ in shape)) * torch.rand(8, *shape)

    network.train()
    with torch.no_grad():
        if hasattr(network, "encoder"):
            network.encoder(levels(2, 64, 150))
        else:
            shape = (51, 16) if hasattr(network, "skeleton") else (50, 32)
            network({name: levels(*shape) for name in network.inputs})
    network.eval()


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what makes a run of a network, with weights that are not all alike."""

    def make(network: str) -> Path:
        run = tmp_path_factory.mktemp(network)
        torch.manual_seed(0)
        model = {"network": network, "unlabelled": "none", "learning_rate": 0.001}
        model |= MODELS[network]
        model |= {"chunk_s": [3.0, 3.0], "target": "stem"}
        scorer = build_scorer(model, name=network)
        for name, value in scorer.network.named_parameters():
            if "films" in name:  # which begin as zeros, so that no instrument would be heard
                torch.nn.init.normal_(value, std=0.3)
        if network not in ("jepa", "alignnet"):
            _settle(scorer.network)
        state = {f"network.{key}": value for key, value in scorer.network.state_dict().items()}
        (run / "checkpoints").mkdir()
        torch.save({"state_dict": state}, run / "checkpoints" / "best.ckpt")
        data = {"name": "none", "root": "nowhere", "artefact_control": True}
        data |= {"chunks": {}} if network in ("jepa", "cocola", "alignnet") else {}
        data |= {"negatives": "random"} if network.startswith("loop") else {}
        config = {"name": f"tiny_{network}", "seed": 0, "model": model, "data": data}
        config["made_with"] = {"torch": "2.11"}
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        return run

    return make


@pytest.fixture(scope="session")
def bundle_of(
    run_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return what writes a network's bundle with its ONNX files, the first time it is asked."""
    made: dict[str, Path] = {}

    def bundle(network: str) -> Path:
        if network not in made:
            out = tmp_path_factory.mktemp("bundles") / network
            made[network] = export_bundle(run_of(network), out, format="onnx")
        return made[network]

    return bundle
