"""How long a step of contrastive training takes, and how much of the chip that uses.

python -m benchmarks.vit_step [scale=paper] [batch=256] [chunk_s=8] [steps=20] [warmup=5]
    [compile=[False,True]] [peak_tflops=null] [out=results/vit_step]

A step is forward, backward, clipping of gradients and AdamW for `batch` pairs of a context and a
target (two sounds each through the encoder), as training does it: on the GPU in bf16 where there is
one, else on the CPU in 32 bits. The waves lie on the device already: loading is measured by
benchmarks.stems. The median of `steps` counts, after `warmup` steps, in which compilation happens.

Floating point operations are those of matrix products and attention, forward and backward, counted
once in a step that is not compiled; a compiled step is held to the same number. Their share is of
the chip's dense bf16 peak, which is known for some chips; `peak_tflops` names that of others.

Prints one JSON line and a table, and writes both to `out`.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.results import publish
from mashnet.cli import compose
from mashnet.models.contrastive import Contrastive
from mashnet.tasks.compilation import compile_transformers
from mashnet.tasks.fit import choose_accelerator
from mashnet.tasks.stem import BETAS

# Dense bf16 with 32-bit sums, TFLOP/s, from NVIDIA's data sheets. The first whose words are in the
# device's name counts.
PEAK_TFLOPS = {
    "A100": 312.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "H200 NVL": 835.0,
    "H200": 989.0,
    "L4": 121.0,
    "RTX 4090": 165.0,
}
TOTAL_STEPS = 300_000  # of the published run


class Training:
    """The network, its optimiser, and a batch that stays the same."""

    def __init__(self, config: Any, batch: int, chunk_s: float, device: str, *, bf16: bool) -> None:
        torch.manual_seed(0)
        scale = config.scale.contrastive
        self.network = Contrastive(**scale.sizes).to(device)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=scale.learning_rate,
            betas=BETAS,
            weight_decay=config.model.weight_decay,
        )
        self.clip = config.trainer.gradient_clip
        shape = (2, batch, round(chunk_s * self.network.sample_rate))
        context, target = 0.1 * torch.randn(shape, device=device)
        self.batch = {"context": context, "target": target}
        self.ignore = torch.zeros(batch, batch, dtype=torch.bool, device=device)
        self.device, self.bf16 = device, bf16

    def step(self) -> None:
        """Take one step."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            contexts, targets = self.network(self.batch)
            loss = self.network.loss(contexts, targets, self.ignore)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()

    def timed_step_s(self) -> float:
        """Take one step and wait until the device is done; return the seconds."""
        began_s = time.perf_counter()
        self.step()
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began_s

    def count_tflop(self) -> float:
        """Return the 10^12 floating point operations of a step."""
        # The counter knows the fused attention of GPUs, and not that of CPUs.
        plain = sdpa_kernel(SDPBackend.MATH) if self.device == "cpu" else nullcontext()
        with plain, FlopCounterMode(display=False) as counter:
            self.step()
        return counter.get_total_flops() / 1e12


def peak_tflops_of(name: str) -> float | None:
    """Return the dense bf16 peak of a GPU by its name, None where it is not known."""
    fitting = (
        peak for chip, peak in PEAK_TFLOPS.items() if re.search(rf"\b{chip}\b(?! Laptop)", name)
    )
    return next(fitting, None)


def measure(
    begin: Callable[[], Training], tflop: float, peak_tflops: float | None, options: Any
) -> dict[str, Any]:
    """Time the steps of a training that is begun for this."""
    training = begin()
    if training.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    warmup_s = sum(training.timed_step_s() for _ in range(options.warmup))
    step_s = statistics.median(training.timed_step_s() for _ in range(options.steps))
    tflops = tflop / step_s
    memory = torch.cuda.max_memory_allocated() if training.device == "cuda" else None
    return {
        "step_ms": round(1e3 * step_s, 1),
        "warmup_s": round(warmup_s, 1),
        "tflops": round(tflops, 3),
        "share_of_peak": round(tflops / peak_tflops, 3) if peak_tflops else "unknown",
        "peak_memory_gib": round(memory / 2**30, 1) if memory else "unknown",
        "hours_for_300k_steps": round(step_s * TOTAL_STEPS / 3600, 1),
    }


def markdown(results: dict[str, Any]) -> str:
    """Return the results as tables."""
    lines = ["# A step of contrastive training", "", "| fact | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in results.items() if name != "steps"]
    names = list(results["steps"][0])
    lines += ["", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    lines += [f"| {' | '.join(str(row[n]) for n in names)} |" for row in results["steps"]]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    defaults = {
        "scale": "paper",
        "batch": 256,
        "chunk_s": 8.0,
        "steps": 20,
        "warmup": 5,
        "compile": [False, True],
        "peak_tflops": None,
        "out": "results/vit_step",
    }
    options: Any = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    torch.set_float32_matmul_precision("high")  # as training does
    accelerator, precision = choose_accelerator("auto", "auto")
    device = "cuda" if accelerator == "gpu" else "cpu"
    config = compose("train", ["model=contrastive", f"scale={options.scale}"])
    bf16 = precision == "bf16-mixed"

    def training(*, compiled: bool) -> Training:
        made = Training(config, options.batch, options.chunk_s, device, bf16=bf16)
        if compiled:
            compile_transformers(made.network, lengths_vary=False)
        return made

    tflop = training(compiled=False).count_tflop()
    chip = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "CPU"
    peak_tflops = options.peak_tflops or (peak_tflops_of(chip) if device == "cuda" else None)
    steps = []
    for compiled in options.compile:
        begin = partial(training, compiled=compiled)
        steps.append({"compiled": compiled, **measure(begin, tflop, peak_tflops, options)})
    results = {
        "chip": chip,
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "precision": precision,
        "scale": options.scale,
        "sizes": OmegaConf.to_container(config.scale.contrastive.sizes),
        "batch": options.batch,
        "chunk_s": options.chunk_s,
        "tflop_per_step": round(tflop, 4),
        "peak_tflops": peak_tflops or "unknown",
        "steps": steps,
    }
    out = Path(options.out)
    publish(out, "vit_step", results, markdown(results))


if __name__ == "__main__":
    main(sys.argv[1:])
