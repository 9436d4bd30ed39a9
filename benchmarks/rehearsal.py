"""What every model takes on a GPU at the published sizes, computed without one.

python -m benchmarks.rehearsal [models=all] [scale=paper] [chip=H200] [share=0.4]
    [overrides=[]] [out=results/rehearsal]

A training step of the published batch is rehearsed with tensors that have no numbers
(mashnet/rehearsals/steps.py). From it come, exactly, the parameters and the operations of matrix
products, convolutions and attention, forward and backward; and what tensors take at most, as
PyTorch counts allocated memory. CUDA itself, workspaces of kernels and gaps between pieces come on
top. Where lengths of chunks are drawn, the batch has the longest.

Hours are operations × steps ÷ (share × the chip's dense bf16 peak): nothing is timed, and a network
of small layers, or one that waits for its spectrograms, has a smaller share.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from benchmarks.gpu_peaks import PEAK_TFLOPS
from benchmarks.results import publish
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.errors import require_one_of
from mashnet.rehearsals.steps import rehearse
from mashnet.tasks.settings import settings_of

# Where the batch of configs/scale/paper.yaml comes from, and how many steps were published. Others
# name no steps, or count epochs of data that is not to be had.
_CODE = "the published code"
BATCH_OF = {
    "alignnet": "ours",
    "cocola": f"{_CODE}; up to 500 epochs",
    "contrastive": f"{_CODE} of Stem-JEPA; steps are those of phase 2",
    "jepa": "Riou et al., ICASSP 2025",
    "loop_cnn": "Chen et al., ISMIR 2020",
    "loop_siamese": "Chen et al., ISMIR 2020",
    "phalar": f"{_CODE}, where each of two GPUs has as many; up to 500 epochs",
    "stem_jepa": "Riou et al., ISMIR 2024",
}
OURS = "ours, mixes of each label; the paper names none"
STEPS = {"contrastive": 300_000, "jepa": 300_000, "stem_jepa": 300_000}


def row_of(model: str, options: Any, peak_tflops: float) -> dict[str, Any]:
    """Rehearse a model and return its row."""
    overrides = [f"model={model}", f"scale={options.scale}", *options.overrides]
    config = settings_of(compose("train", overrides))
    figures = rehearse(config)
    steps, hours = STEPS.get(model), None
    if steps is not None:
        hours = round(figures.flop * steps / (options.share * peak_tflops * 1e12) / 3600, 1)
    return {
        "model": model,
        "batch": config["data"]["batch_size"],
        "parameters": figures.parameters,
        "trained": figures.trained,
        "tflop_per_step": round(figures.flop / 1e12, 3),
        "peak_memory_gb": round(figures.peak_bytes / 1e9, 2),
        "of_it_state_gb": round(figures.of_state_bytes / 1e9, 2),
        "published_steps": steps,
        "hours": hours,
        "batch_from": BATCH_OF.get(model, OURS),
    }


def markdown(results: dict[str, Any]) -> str:
    """Return the results as a table."""
    rows = results["models"]
    names = list(rows[0])
    lines = [
        f"Computed, not measured: scale={results['scale']}, bf16, hours at {results['share']:.0%} "
        f"of the {results['peak_tflops']:g} TFLOP/s of an {results['chip']}.",
        "",
        f"| {' | '.join(names)} |",
        "|---" + "|---:" * (len(names) - 1) + "|",
    ]
    for row in rows:
        lines.append(f"| {' | '.join(_shown(row[name]) for name in names)} |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main(arguments: list[str]) -> None:
    """Rehearse, print, write."""
    known = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))
    defaults = {
        "models": "all",
        "scale": "paper",
        "chip": "H200",
        "share": 0.4,
        "overrides": [],
        "out": "results/rehearsal",
    }
    options: Any = OmegaConf.merge(OmegaConf.create(defaults), OmegaConf.from_cli(arguments))
    peak = PEAK_TFLOPS[require_one_of("chip", options.chip, PEAK_TFLOPS)]
    models = known if options.models == "all" else list(options.models)
    for model in models:
        require_one_of("models", model, known)
    results: dict[str, Any] = {
        "torch": torch.__version__,
        "scale": options.scale,
        "chip": options.chip,
        "peak_tflops": peak,
        "share": options.share,
        "models": [],
    }
    for model in models:
        print(model, file=sys.stderr, flush=True)
        results["models"].append(row_of(model, options, peak))
    publish(Path(options.out), "rehearsal", results, markdown(results))


if __name__ == "__main__":
    main(sys.argv[1:])
