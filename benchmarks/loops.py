"""How fast loops are read from the cache, and how long an epoch of the loop networks takes.

python -m benchmarks.loops [scale=paper] [pairs=12000] [steps=8]

Loader: pairs per second of `LoopPairs` through a DataLoader, read from a packed file that is as
large as all pairs need. Epoch: seconds per step of batch 128 (forward, loss, backward, SGD), the
mean of `steps` after two to warm up, times the steps of an epoch; in 32 bits and in bf16. Prints
one JSON line per network.
Sounds are random numbers: cost does not depend on them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.epoch_order import Shuffled
from mashnet.data.loops.view import LoopPairs, no_collation
from mashnet.models.loading import build_scorer
from mashnet.tasks.allocator import keep_freed_memory


def pairs_per_s(dataset: LoopPairs, batch_size: int) -> float:
    """Read every pair once, shuffled."""
    sampler = Shuffled(len(dataset), seed=0)
    loader = DataLoader(dataset, batch_size, sampler=sampler, collate_fn=no_collation)
    began_s = time.perf_counter()
    read = sum(len(batch["label"]) for batch in loader)
    return read / (time.perf_counter() - began_s)


def step_s(network: Any, dataset: LoopPairs, batch_size: int, steps: int, bf16: bool) -> float:
    """Train on batches of the dataset; return the mean time of a step, without reading."""
    network = network.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    times = []
    for step in range(steps + 2):
        batch = dataset.__getitems__(range(step * batch_size, (step + 1) * batch_size))
        began_s = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            out = network(batch)
        optimizer.zero_grad()
        network.loss(out.float(), batch["label"]).backward()
        optimizer.step()
        times.append(time.perf_counter() - began_s)
    return float(np.mean(times[2:]))


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge(
        {"scale": "paper", "pairs": 12_000, "steps": 8}, OmegaConf.from_cli(arguments)
    )
    keep_freed_memory()  # as training does
    settings: Any = OmegaConf.to_container(
        OmegaConf.load(CONFIGS / "scale" / f"{options.scale}.yaml").loops
    )
    batch_size = settings["batch_size"]
    for name in ("loop_cnn", "loop_siamese"):
        torch.manual_seed(0)
        network: Any = build_scorer({"network": name, **settings}, name=name).network
        sizes = settings["sizes"]
        # A mix per pair, or every loop by itself: two thirds of a pair's loops are its own.
        count = options.pairs if name == "loop_cnn" else options.pairs * 4 // 3
        shape = (count, sizes["frames"], sizes["n_mels"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mels.npy"
            written = np.lib.format.open_memmap(path, "w+", np.float16, shape)
            random = np.random.default_rng(0)
            for start in range(0, count, 1000):
                rows = written[start : start + 1000]
                rows[:] = random.random(rows.shape, dtype=np.float32)
            written.flush()
            mels = np.load(path, mmap_mode="r", allow_pickle=False)
            rows_of = {i: random.integers(count, size=options.pairs) for i in network.inputs}
            dataset = LoopPairs(mels, rows_of, random.integers(2, size=options.pairs))
            read = pairs_per_s(dataset, batch_size)
            steps_s = {
                precision: step_s(network, dataset, batch_size, options.steps, bf16)
                for precision, bf16 in (("32-true", False), ("bf16-mixed", True))
            }
        steps = -(-options.pairs // batch_size)
        result = {
            "network": name,
            "scale": options.scale,
            "threads": torch.get_num_threads(),
            "parameters": sum(p.numel() for p in network.parameters()),
            "loader_pairs_per_s": round(read),
            "step_s": {name: round(step, 3) for name, step in steps_s.items()},
            "epoch_s": {
                name: round(steps * step + options.pairs / read, 1)
                for name, step in steps_s.items()
            },
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
