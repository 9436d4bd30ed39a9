"""Mashups as AutoMashup renders them: a process of the rubberband program per stem and segment."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyloudnorm
from scipy.io import wavfile

from mashnet.audio.io import read_audio, write_sound
from mashnet.rendering.plan import plan_guest
from mashnet.rendering.songs import SongOfLibrary, without


def rubberband(audio: np.ndarray, sample_rate: int, *arguments: str) -> np.ndarray:
    """Pass a sound through the rubberband program as pyrubberband does: 16-bit files."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.wav", Path(folder) / "out.wav"
        wavfile.write(source, sample_rate, (np.clip(audio, -1, 1) * 32767).astype(np.int16).T)
        subprocess.run(
            ["rubberband", "-q", *arguments, str(source), str(target)],
            check=True,
            capture_output=True,
        )
        _, samples = wavfile.read(target)
    return (samples.reshape(len(samples), -1).T / 32768).astype(np.float32)


def rubberband_moved(
    audio: np.ndarray, sample_rate: int, rate: float, semitones: int
) -> np.ndarray:
    """Repitch, then stretch: two processes, as AutoMashup does it."""
    if semitones:
        audio = rubberband(audio, sample_rate, "--pitch", str(semitones))
    if rate != 1.0:
        audio = rubberband(audio, sample_rate, "--tempo", str(rate))
    return audio


def automashup_way(
    base: SongOfLibrary, guests: dict[str, SongOfLibrary], technique: str, out: Path
) -> None:
    """Render as AutoMashup does: stem by stem, segment by segment, one process each.

    What is compared is cost: sections are matched as here, keys are folded as here.
    """
    rate = base.sample_rate
    length = round(base.facts.duration_s * rate)
    own = base.stems
    layers = []
    for name, guest in guests.items():
        own = without(own, base.stems_named(name))
        semitones = plan_guest(base.facts, guest.facts, technique).semitones
        tempo = _tempo(base) / _tempo(guest)
        for stem in guest.stems_named(name):
            audio = read_audio(stem.path, sample_rate=rate)[0]
            if technique.startswith("tempo"):
                start = round(guest.facts.downbeats_s[0] * rate)
                layers.append(rubberband_moved(audio[:, start:], rate, tempo, semitones))
                continue
            seen: dict[str, int] = {}
            for section in base.facts.sections:
                same = [s for s in guest.facts.sections if s.label == section.label]
                if not same:
                    continue
                other = same[seen.get(section.label, 0) % len(same)]
                seen[section.label] = seen.get(section.label, 0) + 1
                cut = audio[:, round(other.start_s * rate) : round(other.end_s * rate)]
                moved = rubberband_moved(cut, rate, tempo, semitones)
                wanted = round((section.end_s - section.start_s) * rate)
                moved = np.tile(moved, (1, -(-wanted // max(1, moved.shape[1]))))[:, :wanted]
                layers.append(np.pad(moved, ((0, 0), (round(section.start_s * rate), 0))))
    layers += [read_audio(stem.path, sample_rate=rate)[0] for stem in own]
    channels = max((layer.shape[0] for layer in layers), default=1)
    mix = np.zeros((channels, length), np.float32)
    for layer in layers:
        end = min(length, layer.shape[1])
        mix[:, :end] += layer[:, :end]
    loudness = pyloudnorm.Meter(rate).integrated_loudness(mix.T)
    if np.isfinite(loudness):
        mix *= np.float32(10 ** ((-14.0 - loudness) / 20))
    write_sound(out, mix, rate)


def _tempo(song: SongOfLibrary) -> float:
    return 60 / float(np.median(np.diff(song.facts.beats_s)))
