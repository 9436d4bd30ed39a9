"""Harmonic and percussive mels of 5 s clips: librosa clip by clip against ours in batches.

python -m benchmarks.hpss [batch=16] [rounds=3] [device=cpu]

Both sides take turns in one process, so that other work on the machine is fair to both; the best
round of each counts. Prints one JSON line: milliseconds per clip, wall and (on a CPU) processor
time, the peak of memory that ours adds, and the largest difference of the features in decibels.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import torch
from omegaconf import OmegaConf

from mashnet.audio.hpss import HarmonicPercussiveMel
from mashnet.audio.numba_imports import compiling_alone

with compiling_alone():
    import librosa.decompose
    import librosa.feature.spectral
    import librosa.util.utils


RATE = 16_000


def clips(count: int) -> np.ndarray:
    """Return plucked tones with clicks and noise, (count, 5 s)."""
    random = np.random.default_rng(0)
    t = np.arange(5 * RATE) / RATE
    tones = np.sin(2 * np.pi * random.uniform(80, 2000, (count, 1)) * t) * np.exp(-4 * (t % 0.5))
    noise = random.standard_normal((count, len(t)))
    return (0.3 * tones + noise * (0.2 * (t % 0.25 < 0.01) + 0.001)).astype(np.float32)


def librosa_features(samples: np.ndarray) -> np.ndarray:
    spectrum = librosa.stft(samples, n_fft=1024, win_length=400, hop_length=160)
    mels = [
        librosa.feature.melspectrogram(
            S=np.abs(part) ** 2, sr=RATE, n_mels=64, fmin=60.0, fmax=7800.0
        )
        for part in librosa.decompose.hpss(spectrum)
    ]
    return np.stack([librosa.power_to_db(mel, ref=np.max) for mel in mels])


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge(
        {"batch": 16, "rounds": 3, "device": "cpu"}, OmegaConf.from_cli(arguments)
    )
    samples = clips(options.batch)
    waves = torch.from_numpy(samples).to(options.device)
    mel = HarmonicPercussiveMel().to(options.device)
    expected = np.stack([librosa_features(clip) for clip in samples[:2]])
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    features = mel(waves)
    after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall_s: dict[str, list[float]] = {"librosa": [], "ours": []}
    cpu_s: dict[str, list[float]] = {"librosa": [], "ours": []}
    for _ in range(options.rounds):
        for name in wall_s:
            count = min(4, options.batch) if name == "librosa" else options.batch
            wall, cpu = time.perf_counter(), time.process_time()
            if name == "librosa":
                for clip in samples[:count]:
                    librosa_features(clip)
            else:
                mel(waves)[:, :, 0, 0].cpu()
            wall_s[name].append((time.perf_counter() - wall) / count)
            cpu_s[name].append((time.process_time() - cpu) / count)
    result = {
        "device": options.device,
        "threads": torch.get_num_threads(),
        "batch": options.batch,
        "wall_ms_per_clip": {name: round(min(times) * 1e3, 2) for name, times in wall_s.items()},
        "cpu_ms_per_clip": {name: round(min(times) * 1e3, 2) for name, times in cpu_s.items()},
        "times_as_fast": round(min(wall_s["librosa"]) / min(wall_s["ours"]), 1),
        "peak_mib": round((after_kib - before_kib) / 1024),
        "largest_difference_db": float(np.abs(features[:2].cpu().numpy() - expected).max()),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
