"""How long until the first word: loading a bundle, and what programs say before they work.

python -m benchmarks.startup [runs=5] [out=results/startup]

Every figure is the median over new processes, after one that warms the disk's cache. Commands take
turns, so that other work on the machine is fair to all. Loading is set against `import torch`
alone, in the same rounds: the ratio is what a user of a bundle waits beyond torch.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from omegaconf import OmegaConf

from benchmarks.results import publish

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = "checkpoints/premixnet_lsro"
_LOAD = f"import mashnet; mashnet.load('{BUNDLE}')"
TORCH = "import torch"
COMMANDS = {
    TORCH: ("-c", "import torch"),
    "load a bundle": ("-c", _LOAD),
    "mashnet": ("-m", "mashnet"),
    "mashnet.score, nothing typed": ("-m", "mashnet.score"),
    "train.py --help": ("train.py", "--help"),
    "train.py, mistyped": ("train.py", "modle=premixnet"),
    "evaluate.py --help": ("evaluate.py", "--help"),
    "evaluate.py, mistyped": ("evaluate.py", "protcol=renderer"),
    "data_pipelines.mixes, mistyped": ("-m", "data_pipelines.mixes", "bd=data"),
    "data_pipelines.demo, mistyped": ("-m", "data_pipelines.demo", "cuont=3"),
    "mashnet.export, mistyped": ("-m", "mashnet.export", "chekpoint=x"),
    "mashnet.mashup, mistyped": ("-m", "mashnet.mashup", "libary=x"),
    "mashnet.render, mistyped": ("-m", "mashnet.render", "base"),
    "mashnet.retrieve, nothing typed": ("-m", "mashnet.retrieve"),
    "mashnet.studio, mistyped": ("-m", "mashnet.studio", "libary=x"),
    "mashnet.listening, nothing typed": ("-m", "mashnet.listening"),
}


def first_word_s(arguments: tuple[str, ...]) -> float:
    """Return the seconds until a new process of Python has said something, or has ended."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-u", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.perf_counter() - began
        process.stdout.read()
    return seconds


def measure(runs: int) -> list[dict[str, object]]:
    """Return a row per command: median, least and largest time in seconds, and against torch."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(runs + 1):
        for name, arguments in COMMANDS.items():
            seconds = first_word_s(arguments)
            if number:  # the first round warms the disk's cache
                taken[name].append(seconds)
    torch_s = statistics.median(taken[TORCH])
    return [
        {
            "command": name,
            "median_s": round(statistics.median(times), 2),
            "least_s": round(min(times), 2),
            "largest_s": round(max(times), 2),
            "of_import_torch": round(statistics.median(times) / torch_s, 2),
        }
        for name, times in taken.items()
    ]


def markdown(rows: list[dict[str, object]]) -> str:
    """Return the rows as a table."""
    lines = ["| first word of | seconds (least–largest) | of `import torch` |", "|---|---|---|"]
    lines += [
        f"| {r['command']} | {r['median_s']} ({r['least_s']}–{r['largest_s']}) | "
        f"{r['of_import_torch']} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, write and print."""
    options = OmegaConf.merge({"runs": 5, "out": "results/startup"}, OmegaConf.from_cli())
    rows = measure(options.runs)
    results = {
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "torch": version("torch"),
        "runs": options.runs,
        "rows": rows,
    }
    publish(Path(options.out), "startup", results, markdown(rows))


if __name__ == "__main__":
    main()
