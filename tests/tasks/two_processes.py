"""Trains runs in each of the processes that torchrun starts, and notes what each has seen.

torchrun … two_processes.py JOBS OUT: JOBS is a JSON of run folder → settings; OUT gets a JSON per
process of run folder → {"trained", "validated": examples in order, "weights": digest}.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from mashnet.data.loops.view import LoopData, LoopPairs
from mashnet.data.mixes.view import EvenWindows, RandomGroups
from mashnet.data.stems.view import Augmentation, StemChunks
from mashnet.tasks import fit as fitting
from mashnet.tasks.meeting import joined

trained: list[Any] = []
validated: list[Any] = []
tasks: list[Any] = []


def note() -> None:
    """Have data sets and `fit` tell what they give."""
    groups, windows = RandomGroups.__getitem__, EvenWindows.__getitem__
    dataset, pairs, draw = LoopData.dataset, LoopPairs.__getitems__, StemChunks._draw

    def noted_groups(self, key):
        trained.append(key)
        return groups(self, key)

    def noted_windows(self, index):
        validated.append(index)
        return windows(self, index)

    def noted_pairs(self, indices):
        (trained if self.split == "train" else validated).extend(indices)
        return pairs(self, indices)

    def noted_draw(self, key, *sides):
        (validated if self.augmentation == Augmentation() else trained).append(key)
        return draw(self, key, *sides)

    def named_split(self, split):
        found = dataset(self, split)
        found.split = split
        return found

    LoopData.dataset = named_split
    RandomGroups.__getitem__, EvenWindows.__getitem__ = noted_groups, noted_windows
    LoopPairs.__getitems__, StemChunks._draw = noted_pairs, noted_draw
    job_of = fitting.job_of

    def noted_job(*arguments, **settings):
        job = job_of(*arguments, **settings)
        tasks.append(job.task)
        return job

    fitting.job_of = noted_job


def digest(module) -> str:
    """Hash the weights and buffers."""
    found = hashlib.blake2b()
    for name, value in module.state_dict().items():
        found.update(name.encode() + value.contiguous().numpy().tobytes())
    return found.hexdigest()


def main(jobs: str, out: str) -> None:
    note()
    found = {}
    runs = json.loads(Path(jobs).read_text())
    with joined(next(iter(runs.values()))["trainer"]) as processes:
        for run, settings in runs.items():
            trained.clear()
            validated.clear()
            fitting.fit(Path(run), settings, processes)
            found[run] = {
                "trained": list(trained),
                "validated": list(validated),
                "weights": digest(tasks[-1]),
            }
        Path(out, f"{processes.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
