"""What is measured on GPUs takes the same steps on a CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.gpu_peaks import peak_tflops_of
from benchmarks.gpu_step import main
from benchmarks.measured_training import Measures, Training, measures_of
from mashnet.commands.hydra_program import compose


@pytest.mark.parametrize("model", ["premixnet", "contrastive", "jepa"])
def test_measures_do_not_change_what_is_learned(model: str) -> None:
    config = compose("train", [f"model={model}", "scale=small"])
    losses = []
    for how in measures_of(model):
        if how.compiled or how.name == "kept features, 32 bits":
            continue
        training = Training(model, config, how, 2, 3.0, "cpu")
        losses.append(float(training.loss().detach()))
    assert losses == pytest.approx([losses[0]] * len(losses), rel=0.02, abs=0.02)


def test_steps_are_taken_and_operations_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compilation takes longer than all the rest, and is tested with training.
    plain = [Measures("32 bits"), Measures("+ bf16", "device", bf16=True, fused=True)]
    monkeypatch.setattr("benchmarks.gpu_step.measures_of", lambda model: plain)
    arguments = ["models=[jepa]", "scale=small", "batch=2", "seconds=2", "steps=1", "warmup=0"]
    main([*arguments, "device=cpu", "peak_tflops=1", f"out={tmp_path}"])
    found = json.loads((tmp_path / "gpu_step.json").read_text())["models"]["jepa"]
    assert [row["measures"] for row in found["steps"]] == ["32 bits", "+ bf16"]
    assert all(row["examples_per_s"] > 0 for row in found["steps"])
    # 65 tokens (2 s: 13 patches of 5 bands) of width 128 in 4 blocks, of 2 sounds: an encoder's
    # forward pass has 12 · tokens · width² products per block; twice that in the backward pass of
    # one of the two encoders, and a predictor.
    encoder = 2 * 12 * 65 * 2 * 4 * 128**2 / 1e12
    assert 4 * encoder < found["tflop_per_step"] < 8 * encoder
    assert "+ bf16" in (tmp_path / "gpu_step.md").read_text()


def test_without_a_gpu_nothing_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    main([f"out={tmp_path}"])
    assert "there is no GPU: nothing is measured" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_peaks_are_those_of_the_chip_itself() -> None:
    assert peak_tflops_of("NVIDIA H200") == 989.0
    assert peak_tflops_of("NVIDIA H100 PCIe") == 756.0
    assert peak_tflops_of("NVIDIA GeForce RTX 4090 Laptop GPU") is None
    assert peak_tflops_of("GTX 1080") is None
