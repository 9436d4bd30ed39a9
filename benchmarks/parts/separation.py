"""What a song costs before it is in a library: Demucs, and madmom's beats and key.

The published weights are not needed to time Demucs: HTDemucs is built as `htdemucs` was published
(the package's defaults, 512 channels in the transformer, segments of 7.8 s; 41.5 M parameters) with
random weights, and run as `data_pipelines.separation.separate` runs it.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring import Row, measure, row
from benchmarks.music import library
from mashnet.audio.annotate import annotate
from mashnet.audio.io import read_audio

SECONDS = {"quick": (8.0, 8.0), "full": (24.0, 40.0)}  # of sound, for Demucs and for madmom
STEMS = ["drums", "bass", "other", "vocals"]
SEGMENT_S = 7.8  # of htdemucs, as published


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure Demucs and madmom in a process each."""
    demucs_s, madmom_s = SECONDS[scale]
    rows = measure(partial(_demucs, demucs_s), "Demucs")
    return rows + measure(partial(_madmom, folder, madmom_s), "madmom")


def _demucs(sound_s: float) -> list[Row]:
    from demucs.apply import apply_model
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    model = HTDemucs(STEMS, segment=SEGMENT_S, bottom_channels=512).eval()
    mix = 0.1 * torch.randn(1, 2, round(sound_s * 44_100))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    began_s = time.perf_counter()
    apply_model(model, mix, shifts=0, split=True, device=device)
    seconds = time.perf_counter() - began_s
    count = sum(p.numel() for p in model.parameters()) / 1e6
    note = f"{sound_s:g} s of sound, {count:.1f} M parameters, random weights, on {device}"
    return [row("htdemucs", sound_s / seconds, "s of sound/s", note)]


def _madmom(folder: Path, sound_s: float) -> list[Row]:
    database = library(folder)
    clips = database.clips.sort("duration_s", descending=True)
    stems = database.stems.filter(database.stems["clip_id"] == clips["clip_id"][0])
    sounds = []
    for stem_id in stems["stem_id"]:
        audio, rate = read_audio(database.audio_path(stem_id), mono=True, duration_s=sound_s)
        sounds.append(audio[0])
    length = min(map(len, sounds))
    mix = np.stack([sound[:length] for sound in sounds]).sum(0, keepdims=True)
    annotate(mix[:, : 4 * rate], rate)  # networks are loaded
    began_s = time.perf_counter()
    annotate(mix, rate)
    seconds = time.perf_counter() - began_s
    note = f"beats, downbeats and key of {length / rate:.0f} s"
    return [row("madmom", length / rate / seconds, "s of sound/s", note)]
