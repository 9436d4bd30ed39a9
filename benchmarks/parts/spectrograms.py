"""Clips per second of what networks hear: log-mels, CQT, harmonic and percussive mels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from benchmarks import hpss
from benchmarks.measuring import Row, measure, repeated_s, row
from mashnet.audio.cqt import ConstantQ
from mashnet.audio.spectrogram import LogMel
from mashnet.commands.hydra_program import CONFIGS

CLIP_S = 5.0
BATCH = 16


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure every transform in a process of its own."""
    rounds = 1 if scale == "quick" else 5
    rows = []
    for size in ("small", "paper"):
        sizes: Any = OmegaConf.load(CONFIGS / "scale" / f"{size}.yaml")
        for view in ("mixes", "loops"):
            settings = dict(sizes[view].frontend)
            settings.pop("window_s", None)
            work = partial(_log_mel, f"log-mel of {view}, scale={size}", settings, rounds)
            rows += measure(work, f"log-mel {view} {size}")
    rows += measure(partial(_cqt, rounds), "CQT")
    rows += measure(partial(_hpss, rounds), "HPSS")
    rows += measure(partial(_librosa_hpss, rounds), "HPSS of librosa")
    return rows


def _log_mel(what: str, settings: dict[str, Any], rounds: int) -> list[Row]:
    return [_clips_per_s(what, LogMel(**settings).eval(), settings["sample_rate"], rounds)]


def _cqt(rounds: int) -> list[Row]:
    return [_clips_per_s("CQT of 96 bins (phalar)", ConstantQ().eval(), 16_000, rounds)]


@torch.inference_mode()
def _clips_per_s(what: str, transform: Any, rate: int, rounds: int) -> Row:
    waves = 0.1 * torch.randn(BATCH, round(CLIP_S * rate))
    seconds = repeated_s(lambda: transform(waves), rounds=rounds)
    return row(what, BATCH / seconds, "clips/s", f"{CLIP_S:g} s at {rate} Hz, {BATCH} at a time")


@torch.inference_mode()
def _hpss(rounds: int) -> list[Row]:
    mel = hpss.HarmonicPercussiveMel()
    waves = torch.from_numpy(hpss.clips(BATCH))
    seconds = repeated_s(lambda: mel(waves), rounds=rounds)
    note = f"5 s at 16000 Hz, {BATCH} at a time (cocola)"
    return [row("harmonic and percussive mels", BATCH / seconds, "clips/s", note)]


def _librosa_hpss(rounds: int) -> list[Row]:
    clip = hpss.clips(1)[0]
    seconds = repeated_s(lambda: hpss.librosa_features(clip), rounds=rounds)
    return [row("the same by librosa", 1 / seconds, "clips/s", "one after the other")]
