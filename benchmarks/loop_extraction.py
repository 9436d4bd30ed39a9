"""What loops cost: seconds of one core and memory per minute of music.

python -m benchmarks.loop_extraction db=data/real [clips=12]

Finds the loops of some clips of a MashupDB, evenly spread over its table, in this process and on
one thread, into a folder that is deleted afterwards. Prints one JSON line.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
from omegaconf import OmegaConf

from data_pipelines.loops.clip_loops import Task, make_loops
from data_pipelines.loops.stage import CONFIG_DIR, settings_of
from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import MashupDB


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge({"db": "data/real", "clips": 12}, OmegaConf.from_cli(arguments))
    torch.set_num_threads(1)
    database = MashupDB.open(options.db)
    settings = settings_of(compose("loops", [f"db={options.db}"], CONFIG_DIR))
    step = max(1, len(database.clips) // options.clips)
    clips = database.clips.to_dicts()[::step][: options.clips]
    began_s, found, used, minutes = time.process_time(), 0, 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            rows = database.stems.filter(clip_id=clip["clip_id"]).to_dicts()
            stems = tuple((row, database.audio_path(row["stem_id"])) for row in rows)
            loops = make_loops(Task(Path(folder), clip, stems, settings))["loops"]
            found, used = found + len(loops), used + bool(loops)
            minutes += clip["duration_s"] / 60
    result = {
        "clips": len(clips),
        "clips_with_loops": used,
        "loops": found,
        "minutes_of_music": round(minutes, 1),
        "cpu_s_per_minute": round((time.process_time() - began_s) / minutes, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
