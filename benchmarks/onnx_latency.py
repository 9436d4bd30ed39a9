"""How long a score takes in onnxruntime and in torch, on a CPU.

python -m benchmarks.onnx_latency [seconds=30] [batch=[1,32]] [rounds=5] [threads=1]
    [networks=[premixnet,…]] [spectra=false] [models=FOLDER] [out=results/onnx_latency]

Each network is exported (shipped bundles, and networks of the same scale with fresh weights where
none is shipped), and model.onnx scores pairs or mixes of `seconds` of noise, loops of 2 s. Torch
does the same through the Scorer, on sounds that it has not heard before. Both sides take turns, so
that other work on the machine is fair to both; the least of `rounds` counts, of wall clock and of
processor time, which with one thread is what a core that does nothing else would take. `threads`
are those of one operator. Memory is how far the peak of a new process grows that loads the model
and scores once (Linux). Exporting takes longer than measuring: a folder named by `models` keeps the
files for the next time, and weights that have changed meanwhile are then not seen.

spectra=true measures instead how the spectrogram itself is computed: ONNX's STFT, products with the
whole matrix of sines and cosines, and the two small products that are used.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file

from benchmarks.onnx_spectra import spectra
from benchmarks.results import publish
from mashnet.commands.hydra_program import compose
from mashnet.data.parts import ArrayPart
from mashnet.export.instruments import condition_of
from mashnet.export.onnx_files import onnx_files
from mashnet.models.loading import build_scorer, load_scorer
from mashnet.models.selfcheck import make_selfcheck
from mashnet.models.trained import TrainedScorer

NETWORKS = ("premixnet", "postmixnet", "loop_cnn", "loop_siamese", "jepa", "cocola")
CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
# What getrusage says of a new process begins at the peak of the one that started it.
_PEAK = """
import sys, numpy, onnxruntime
def peak_kib():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0])
path, feed, threads = sys.argv[1:]
before = peak_kib()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
session.run(None, dict(numpy.load(feed)))
print((peak_kib() - before) / 1024)
"""


def scorer_of(network: str) -> TrainedScorer:
    """Return the shipped network, or one of the same scale with fresh weights."""
    if (CHECKPOINTS / network).is_dir():
        return load_scorer(CHECKPOINTS / network)
    config = compose("train", [f"model={network}", "scale=small"])
    sizes = config.scale[config.model.get("scale", config.model.view)]
    settings = {"network": network, **OmegaConf.to_container(sizes, resolve=True)}  # type: ignore[dict-item]
    torch.manual_seed(0)
    return build_scorer(settings, name=network)


def model_of(scorer: TrainedScorer, folder: Path) -> Path:
    """Write a network's model.onnx, or take the one that is there."""
    if (folder / "model.onnx").is_file():
        return folder / "model.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(scorer.network.state_dict(), folder / "model.safetensors")
    (folder / "config.yaml").write_text("{}")
    check = make_selfcheck(scorer, folder)
    path = folder / "model.onnx"
    path.write_bytes(onnx_files(scorer, check, {"torch": torch.__version__})["model.onnx"])
    return path


def by_torch(scorer: TrainedScorer, waves: dict[str, np.ndarray]) -> None:
    """Score every item of a batch."""
    rate, first = scorer.frontend.sample_rate, scorer.roles[0]
    for i in range(len(waves[first])):
        parts = {role: ArrayPart(wave[i], rate) for role, wave in waves.items()}
        scorer.score({first: parts.pop(first)}, [parts])


def seconds_of(work: Callable[[], Any]) -> tuple[float, float]:
    wall_s, processor_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall_s, time.process_time() - processor_s


def measure(scorer: TrainedScorer, model: Path, batch: int, options: Any) -> dict[str, Any]:
    """Time a network on a batch."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    length_s = 2.0 if scorer.view == "loops" else options.seconds
    samples = round(length_s * scorer.frontend.sample_rate)
    random = np.random.default_rng(0)
    times: dict[str, list[tuple[float, float]]] = {"onnxruntime": [], "torch": []}
    for _ in range(options.rounds):
        # New sounds every time: a Scorer remembers what it has encoded.
        waves = {
            role: (0.1 * random.standard_normal((batch, samples))).astype(np.float32)
            for role in scorer.roles
        }
        told = condition_of(scorer.network, [""] * batch)
        feed = waves if told is None else {**waves, "instrument": told}
        times["onnxruntime"].append(seconds_of(partial(session.run, None, feed)))
        times["torch"].append(seconds_of(partial(by_torch, scorer, waves)))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "feed.npz", **feed)
        program = [sys.executable, "-c", _PEAK, str(model), f"{folder}/feed.npz"]
        peak = subprocess.run(
            [*program, str(options.threads)], capture_output=True, text=True, check=True
        )
    return {
        "network": scorer.name,
        "seconds": length_s,
        "batch": batch,
        **{
            f"{name}_{clock}_ms": round(1e3 * min(pair[i] for pair in pairs), 1)
            for i, clock in enumerate(("wall", "cpu"))
            for name, pairs in times.items()
        },
        "peak_mib": round(float(peak.stdout)),
        "file_mb": round(model.stat().st_size / 1e6, 1),
    }


def markdown(results: dict[str, Any]) -> str:
    """Return the results as tables."""
    lines = ["# Latency of ONNX files", "", "| fact | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in results.items() if name != "rows"]
    names = list(results["rows"][0])
    lines += ["", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    lines += [f"| {' | '.join(str(row[n]) for n in names)} |" for row in results["rows"]]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    defaults = {
        "seconds": 30.0,
        "batch": [1, 32],
        "rounds": 5,
        "threads": 1,
        "networks": list(NETWORKS),
        "spectra": False,
        "models": None,
        "out": "results/onnx_latency",
    }
    options: Any = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    if options.spectra:
        rows = spectra(options.seconds, options.rounds, options.threads)
    else:
        for network in options.networks:
            scorer = scorer_of(network)
            with tempfile.TemporaryDirectory() as folder:
                model = model_of(scorer, Path(options.models or folder) / network)
                for batch in options.batch:
                    rows.append(measure(scorer, model, batch, options))
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    results = {
        "machine": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "threads": options.threads,
        "rounds": options.rounds,
        **{name: version(name) for name in ("onnxruntime", "torch")},
        "rows": rows,
    }
    name = "onnx_spectra" if options.spectra else "onnx_latency"
    publish(Path(options.out), name, results, markdown(results))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


if __name__ == "__main__":
    main(sys.argv[1:])
