"""How fast a GPU trains, how much of its peak that uses, and what each measure gives.

python -m benchmarks.gpu_step [models=[premixnet,contrastive,jepa]] [scale=paper] [batch=null]
    [seconds=null] [steps=20] [warmup=5] [device=auto] [peak_tflops=null] [out=results/gpu_step]

A step is forward, backward, clipping of gradients and the optimiser, as training does it, on a
batch that lies on the device already: loading is measured by benchmarks.stems. The measures are put
on top of each other, in this order, and each row of the table has one more:

    32 bits        sums of products in TF32, attention as three products, log-mels on the CPU
    features       log-mels on the device (for premixnet, which caches them, both are given; then
                   as it is trained, from kept log-mels)
    bf16           mixed precision
    channels_last  of convolutions (premixnet)
    fused          attention in one kernel (contrastive, jepa)
    compiled       torch.compile: of the transformers as training does it; of all of premixnet

The median of `steps` counts, after `warmup` steps, in which compilation happens. Operations are
those of matrix products, convolutions and attention, forward and backward, counted once in a plain
step. Their share is of the chip's dense bf16 peak, known for some chips; `peak_tflops` names that
of others. Memory is what tensors take on the device at most.

Without a GPU nothing is measured; device=cpu takes the same steps there, to see that they run. Each
model's result is written when it is done. Weights are random; the speed does not depend on them.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from benchmarks.gpu_peaks import peak_tflops_of
from benchmarks.measured_training import Measures, Training, measures_of
from benchmarks.results import publish
from mashnet.commands.hydra_program import compose
from mashnet.errors import require_one_of

MODELS = ("premixnet", "contrastive", "jepa")


def measure(
    begin: Callable[[Measures], Training],
    how: Measures,
    tflop: float,
    peak_tflops: float | None,
    options: Any,
) -> dict[str, Any]:
    """Time the steps of a training that is begun for this; what cannot run says why."""
    torch.compiler.reset()
    try:
        training = begin(how)
        if training.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        warmup_s = sum(training.timed_step_s() for _ in range(options.warmup))
        step_s = statistics.median(training.timed_step_s() for _ in range(options.steps))
    except RuntimeError as error:  # out of memory, or no compiler
        reason = " ".join(str(error).split())[:120]
        return {"measures": how.name, "examples_per_s": f"failed: {reason}"}
    tflops = tflop / step_s
    memory = torch.cuda.max_memory_allocated() if training.device == "cuda" else None
    return {
        "measures": how.name,
        "examples_per_s": round(training.batch_size / step_s, 1),
        "step_ms": round(1e3 * step_s, 1),
        "warmup_s": round(warmup_s, 1),
        "tflops": round(tflops, 3),
        "share_of_peak": round(tflops / peak_tflops, 3) if peak_tflops else "unknown",
        "peak_memory_gib": round(memory / 2**30, 1) if memory else "unknown",
    }


def measure_model(model: str, device: str, peak: float | None, options: Any) -> dict[str, Any]:
    """Measure a model with one measure after the other."""
    config = compose("train", [f"model={model}", f"scale={options.scale}"])
    block = config.scale[config.model.get("scale", config.model.view)]
    # Of premixnet, a batch has so many mixes of each label: originals, unmatched and matched ones.
    batch = options.batch or block.batch_size * (3 if model == "premixnet" else 1)
    seconds = options.seconds or block.frontend.window_s

    def begin(how: Measures) -> Training:
        return Training(model, config, how, batch, seconds, device)

    plain = measures_of(model)[0]
    tflop = begin(Measures(plain.name, "kept" if model == "premixnet" else "device")).count_tflop()
    rows = []
    for how in measures_of(model):
        print(f"{model}: {how.name}", file=sys.stderr, flush=True)
        rows.append(measure(begin, how, tflop, peak, options))
    return {
        "batch": batch,
        "seconds": seconds,
        "sizes": OmegaConf.to_container(block.sizes),
        "tflop_per_step": round(tflop, 4),
        "steps": rows,
    }


def markdown(results: dict[str, Any]) -> str:
    """Return the results as tables."""
    lines = ["# Steps of training", "", "| fact | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in results.items() if name != "models"]
    for model, found in results["models"].items():
        facts = ", ".join(f"{key} {value}" for key, value in found.items() if key != "steps")
        names = list(found["steps"][0])
        lines += ["", f"## {model}", "", facts, "", f"| {' | '.join(names)} |"]
        lines.append("|---" * len(names) + "|")
        for row in found["steps"]:
            lines.append(f"| {' | '.join(str(row.get(name, '')) for name in names)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    defaults = {
        "models": list(MODELS),
        "scale": "paper",
        "batch": None,
        "seconds": None,
        "steps": 20,
        "warmup": 5,
        "device": "auto",
        "peak_tflops": None,
        "out": "results/gpu_step",
    }
    options: Any = OmegaConf.merge(OmegaConf.create(defaults), OmegaConf.from_cli(arguments))
    require_one_of("device", options.device, ("auto", "cuda", "cpu"))
    for model in options.models:
        require_one_of("models", model, MODELS)
    if options.device != "cpu" and not torch.cuda.is_available():
        print("there is no GPU: nothing is measured (device=cpu takes the same steps there)")
        return
    torch.set_float32_matmul_precision("high")  # as training does
    device = "cpu" if options.device == "cpu" else "cuda"
    chip = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "CPU"
    peak = options.peak_tflops or (peak_tflops_of(chip) if device == "cuda" else None)
    results: dict[str, Any] = {
        "chip": chip,
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "scale": options.scale,
        "peak_tflops": peak or "unknown",
        "models": {},
    }
    for model in options.models:
        results["models"][model] = measure_model(model, device, peak, options)
        publish(Path(options.out), "gpu_step", results, markdown(results))


if __name__ == "__main__":
    main(sys.argv[1:])
