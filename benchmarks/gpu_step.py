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
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.results import publish
from mashnet.audio.spectrogram import LogMel
from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import ROLES
from mashnet.errors import require_one_of
from mashnet.models.loading import build_scorer
from mashnet.models.stems.vit import Vit
from mashnet.tasks.compilation import compile_transformers
from mashnet.tasks.stem import BETAS

MODELS = ("premixnet", "contrastive", "jepa")

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


@dataclass(frozen=True)
class Measures:
    """How a step is taken."""

    name: str
    features: str = "cpu"  # cpu | device | kept: where log-mels come from
    bf16: bool = False
    channels_last: bool = False
    fused: bool = False
    compiled: bool = False


_CONVOLUTIONS = (
    Measures("32 bits"),
    Measures("+ features", "device"),
    Measures("kept features, 32 bits", "kept"),
    Measures("+ bf16", "kept", bf16=True),
    Measures("+ channels_last", "kept", bf16=True, channels_last=True),
    Measures("+ compiled", "kept", bf16=True, channels_last=True, compiled=True),
)
_TRANSFORMERS = (
    Measures("32 bits"),
    Measures("+ features", "device"),
    Measures("+ bf16", "device", bf16=True),
    Measures("+ fused", "device", bf16=True, fused=True),
    Measures("+ compiled", "device", bf16=True, fused=True, compiled=True),
)


def measures_of(model: str) -> tuple[Measures, ...]:
    """Return what is measured of a model, one measure after the other."""
    return _CONVOLUTIONS if model == "premixnet" else _TRANSFORMERS


class OnCpu(nn.Module):
    """Computes on the CPU what is wanted on a device, as a loader without one would."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return what the module makes of waves, on their device."""
        return self.inner.cpu()(waves.cpu()).to(waves.device)


class Training:
    """A network, its optimiser, and a batch that stays the same."""

    def __init__(
        self, model: str, config: Any, how: Measures, batch: int, seconds: float, device: str
    ) -> None:
        torch.manual_seed(0)
        self.model, self.how, self.device, self.batch_size = model, how, device, batch
        block = config.model.get("scale", config.model.view)
        scale: Any = OmegaConf.to_container(config.scale[block])
        settings = {"network": config.model.network, **{k: scale[k] for k in ("sizes", "frontend")}}
        scorer = build_scorer(settings, name=model)
        network: Any = scorer.network.train().to(device)
        self.network: Any = network
        if how.channels_last:
            network.to(memory_format=torch.channels_last)
        trained = [p for p in self.network.parameters() if p.requires_grad]
        rate = scale["learning_rate"]
        decay = config.model.get("weight_decay", 0.0)
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.Adam(trained, lr=rate)
            if model == "premixnet"
            else torch.optim.AdamW(trained, lr=rate, betas=BETAS, weight_decay=decay)
        )
        self.clip = config.trainer.gradient_clip
        self.features: nn.Module | None = None
        self.batch: dict[str, Any]
        if model == "premixnet":
            self._prepare_mixes(scorer.frontend.log_mel, batch, seconds)
        else:
            self._prepare_stems(batch, round(seconds * self.network.sample_rate))
        if how.compiled and model == "premixnet":
            self.network.compile()
        elif how.compiled:
            compile_transformers(self.network, lengths_vary=False)

    def _prepare_mixes(self, log_mel: LogMel, batch: int, seconds: float) -> None:
        waves = 0.1 * torch.randn(batch, round(seconds * log_mel.sample_rate), device=self.device)
        self.features = log_mel.to(self.device).eval()
        if self.how.features == "kept":
            kept = self.features(waves).clone()
            self.features, waves = None, kept
        elif self.how.features == "cpu":
            self.features = OnCpu(self.features)
        self.batch = {role: waves.clone() for role in ROLES}
        self.labels = torch.arange(batch, device=self.device) % 2

    def _prepare_stems(self, batch: int, samples: int) -> None:
        context, target = 0.1 * torch.randn(2, batch, samples, device=self.device)
        self.batch = {"context": context, "target": target, "label": ["bass"] * batch}
        self.ignore = torch.zeros(batch, batch, dtype=torch.bool, device=self.device)
        if self.how.features == "cpu":
            for module in self.network.modules():
                if isinstance(module, Vit):
                    module.patches = OnCpu(module.patches)  # type: ignore[assignment]

    def loss(self) -> torch.Tensor:
        """Return the loss of the batch."""
        if self.model == "premixnet":
            mels = self.batch
            if self.features is not None:
                with torch.no_grad(), torch.autocast(self.device, enabled=False):
                    mels = {role: self.features(waves) for role, waves in mels.items()}
            return cross_entropy(self.network(mels).float(), self.labels)
        one, other = self.network(self.batch)
        if self.model == "contrastive":
            return self.network.loss(one, other, self.ignore)
        return self.network.loss(one.float(), other.float())

    def step(self) -> None:
        """Take one step."""
        with self._attention(), torch.autocast(self.device, torch.bfloat16, enabled=self.how.bf16):
            loss = self.loss()
        self.optimizer.zero_grad()
        # The backward pass of attention is chosen by the forward pass.
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()
        if self.model == "jepa":
            self.network.update_target(1, 300_000)

    @contextmanager
    def _attention(self) -> Iterator[None]:
        with ExitStack() as stack:
            if not self.how.fused:
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            yield

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
