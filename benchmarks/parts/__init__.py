"""The parts of `python -m benchmarks`: each module measures one thing and says how long it takes.

A part has `measure(scale, folder)`, which returns rows for its table (`benchmarks.measuring.Row`);
scale is quick (does it run?) or full (figures), folder is for what it wants to keep meanwhile.
"""

from __future__ import annotations

# Name → what its table is called, and minutes that it takes at scale=full on two idle cores.
PARTS = {
    "spectrograms": "Spectrograms, harmonic and percussive parts",
    "stretching": "Time-stretching and pitch-shifting",
    "separation": "Separation and analysis of songs",
    "pipeline": "Pipeline stages by workers",
    "loading": "Reading training data",
    "training": "Training",
    "ranking": "Ranking n × n pairs against the plain loop",
    "index": "Index of embeddings",
    "mashups": "Rendering mashups",
    "growth": "Growth with the size of a library",
}
