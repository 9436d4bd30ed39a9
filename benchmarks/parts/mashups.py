"""Seconds of mashup that are rendered per minute, from files to a file."""

from __future__ import annotations

import itertools
import time
from functools import partial
from pathlib import Path

from benchmarks.measuring import Row, measure, row
from benchmarks.music import library
from benchmarks.rendered_songs import songs_of, stem_to_give
from mashnet.audio.io import write_sound
from mashnet.rendering.mashup import render_mashup
from mashnet.rendering.plan import TECHNIQUES

PAIRS = {"quick": 1, "full": 3}


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure every technique in a process of its own, with one worker and with all cores."""
    rows: list[Row] = []
    for technique in TECHNIQUES if scale == "full" else TECHNIQUES[:1]:
        rows += measure(partial(_render, folder, technique, scale, 1), technique)
    rows += measure(partial(_render, folder, TECHNIQUES[-1], scale, None), "all cores")
    return rows


def _render(folder: Path, technique: str, scale: str, workers: int | None) -> list[Row]:
    songs = songs_of(library(folder), PAIRS[scale] + 1)
    rendered_s, began_s = 0.0, time.perf_counter()
    for base, guest in itertools.pairwise(songs):
        guests = {stem_to_give(guest): guest}
        made = render_mashup(base, guests, technique=technique, workers=workers)
        write_sound(folder / "mashup.wav", made.audio, made.sample_rate)
        rendered_s += made.audio.shape[1] / made.sample_rate
    minutes = (time.perf_counter() - began_s) / 60
    (folder / "mashup.wav").unlink()
    cores = "one core" if workers == 1 else "all cores"
    note = f"{len(songs) - 1} mashups, {rendered_s:.0f} s; one guest's stem each"
    return [row(f"{technique}, {cores}", rendered_s / minutes, "s of mashup/minute", note)]
