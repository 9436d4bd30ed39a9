"""Renders mashups of real songs: is it right, how fast beside AutoMashup's way, how much memory?

python -m benchmarks.rendering [library=data/stems] [songs=20] [speed_pairs=6] [every=4]
                               [parts=[pairs,speed,memory]] [out=results/rendering]

Three parts, each with a progress bar, into rendering.json and rendering.md:

pairs:  all ordered pairs of `songs` songs, technique structure+key. Counts failures, and measures
        loudness, true peak and length of each; of every `every`-th pair also where the guest's
        beats lie in the sound, and the largest jump between two samples near a splice.
speed:  CPU seconds of whole mashups (read, move, mix, loudness, write), for all four techniques,
        beside AutoMashup's way on the same material: one process of the rubberband program per
        stem and segment, and one more where the key changes, through 16-bit files.
memory: the peak of the program python -m mashnet.render, three minutes, four stereo stems of the
        base and two of guests.

A run that is killed goes on with the pairs that pairs.jsonl lacks; delete it after a change.
Where the library has no sections, eight bars are a section, verses and choruses in turn.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks.rendered_songs import songs_of
from benchmarks.rendering_checks import check_pairs
from benchmarks.rendering_memory import measure_memory
from benchmarks.rendering_speed import compare_speed
from benchmarks.results import publish
from mashnet.data.mashupdb import MashupDB


def markdown(results: dict[str, Any]) -> str:
    """Return the results as tables."""
    lines = ["# Rendering", ""]
    for part in ("pairs", "memory"):
        if part in results:
            lines += [f"## {part}", "", "| figure | value |", "|---|---|"]
            lines += [f"| {name} | {value} |" for name, value in results[part].items()]
            lines.append("")
    if "speed" in results:
        names = list(results["speed"][0])
        lines += ["## speed", "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(str(row[n]) for n in names)} |" for row in results["speed"]]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    defaults = {
        "library": "data/stems",
        "songs": 20,
        "every": 4,
        "speed_pairs": 6,
        "parts": ["pairs", "speed", "memory"],
        "out": "results/rendering",
    }
    options = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    songs = songs_of(MashupDB.open(options.library), options.songs)
    out = Path(options.out)
    results: dict[str, Any] = {"library": options.library, "songs": [s.title for s in songs]}
    if "speed" in options.parts:
        results["speed"] = compare_speed(songs, options.speed_pairs)
    if "memory" in options.parts:
        results["memory"] = measure_memory(songs)
    if "pairs" in options.parts:
        results["pairs"] = check_pairs(songs, options.every, out / "pairs.jsonl")
    publish(out, "rendering", results, markdown(results))


if __name__ == "__main__":
    main(sys.argv[1:])
