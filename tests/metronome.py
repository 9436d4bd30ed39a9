"""Songs of clicks and tones whose beats and keys are known exactly, for tests of mixes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mashnet.audio.annotate import Annotation
from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.files import content_id
from mashnet.music.keys import Key

RATE = 16000
_TONE_HZ = {"vocal": 440.0, "harmonic": 220.0}  # of a song in C


def click_song(
    beats_s: np.ndarray, tonic: int, duration_s: float, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return a click per beat in every role, and the tonic in the pitched ones; each (samples,)."""
    samples = round(duration_s * RATE)
    length = round(0.02 * RATE)
    decay = np.exp(-np.arange(length) / (0.003 * RATE))
    click = 0.5 * np.random.default_rng(seed).standard_normal(length) * decay
    clicks = np.zeros(samples + length)
    for start in np.round(beats_s * RATE).astype(int):
        clicks[start : start + length] += click
    time_s = np.arange(samples) / RATE
    stems = {}
    for role in ROLES:
        tone = 0.05 * np.sin(2 * np.pi * _TONE_HZ.get(role, 0.0) * 2 ** (tonic / 12) * time_s)
        stems[role] = (clicks[:samples] + tone).astype(np.float32)
    return stems


def steady_beats(audio: np.ndarray, sample_rate: int) -> Annotation:
    """Answer 120 bpm in C major at once, in the place of the tracker of beats."""
    beats = tuple(np.arange(0.25, audio.shape[1] / sample_rate, 0.5).tolist())
    return Annotation(
        tempo_bpm=120.0,
        beats=beats,
        downbeats=beats[::4],
        beats_per_bar=4,
        key=Key(0, "major"),
        key_confidence=0.5,
    )


class MetronomeDB:
    """Collects songs, then writes them as a MashupDB."""

    def __init__(self, root: Path) -> None:
        self.database = MashupDB(root)
        self.clips: list[dict] = []
        self.stems: list[dict] = []

    def add(
        self,
        *,
        tempo_bpm: float = 120.0,
        tonic: int = 0,
        mode: str = "major",
        first_s: float = 0.1,
        duration_s: float = 10.0,
        jitter_s: float = 0.0,
        beats_per_bar: int = 4,
        split: str = "train",
        roles: tuple[str, ...] = ROLES,
        gain: float = 1.0,
        **changed: object,
    ) -> str:
        """Add a song of one clip; return the clip's id."""
        index = len(self.clips)
        clip_id = content_id("metronome", index)
        beats = np.arange(first_s, duration_s - 0.05, 60 / tempo_bpm)
        beats += np.random.default_rng(index).uniform(-jitter_s, jitter_s, len(beats))
        self.clips.append(
            {
                "clip_id": clip_id,
                "song_id": content_id("metronome song", index),
                "title": f"Song {index}",
                "artist": "Metronome",
                "source": "test",
                "license": "CC0-1.0",
                "duration_s": duration_s,
                "sample_rate": RATE,
                "tempo_bpm": tempo_bpm,
                "beats": beats.tolist(),
                "downbeats": beats[::beats_per_bar].tolist(),
                "beats_per_bar": beats_per_bar,
                "key_tonic": tonic,
                "key_mode": mode,
                "key_confidence": 1.0,
                "section": "",
                "split": split,
                **changed,
            }
        )
        for role, wave in click_song(beats, tonic, duration_s, index).items():
            if role in roles:
                path = f"audio/{clip_id}/{role}.flac"
                write_flac(self.database.root / path, gain * wave[None], RATE)
                self.stems.append(
                    {
                        "clip_id": clip_id,
                        "stem_id": stem_id(clip_id, role),
                        "role": role,
                        "label": role,
                        "path": path,
                        "rms_db": -20.0,
                        "active_ratio": 1.0,
                    }
                )
        return clip_id

    def write(self) -> MashupDB:
        """Write the tables."""
        self.database.write_table("clips", self.clips)
        self.database.write_table("stems", self.stems)
        self.database.update_manifest(counts={"clips": len(self.clips)})
        return self.database


def stem_id(clip_id: str, role: str) -> str:
    """Return the id of the one stem that a clip has in a role."""
    return content_id("metronome stem", clip_id, role)


def click_near(wave: np.ndarray, time_s: float, reach_s: float = 0.08) -> float:
    """Return how far the click nearest to a time is from it, in seconds; inf where there is none.

    A click begins where the slope of the signal first exceeds half of what it reaches nearby.
    """
    at, reach = round(time_s * RATE), round(reach_s * RATE)
    padded = np.pad(wave, reach)
    around = np.abs(np.diff(padded[at : at + 2 * reach + 1]))
    smooth = np.convolve(around, np.ones(16) / 16, "same")
    if smooth.max(initial=0.0) < 0.01:
        return float("inf")
    return abs(int(np.argmax(smooth > 0.5 * smooth.max())) - reach) / RATE


def tone_hz(wave: np.ndarray) -> float:
    """Return the frequency of the strongest partial between 100 and 1000 Hz."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), n=8 * RATE))
    hertz = np.fft.rfftfreq(8 * RATE, 1 / RATE)
    return float(hertz[np.argmax(spectrum * ((hertz > 100) & (hertz < 1000)))])


def pitch_class(wave: np.ndarray) -> float:
    """Return the pitch class of the tone, 0 where a song in C has its tonic, in [0, 12)."""
    return float(12 * np.log2(tone_hz(wave) / 440.0) % 12)
