"""A library of songs in beat time: tones that change every bar, at any tempo and in any key."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB

RATE = 16_000
ROLES = ("vocal", "harmonic", "percussion")


def progression(seed: int, bars: int) -> np.ndarray:
    """Return a pitch class for each bar, drawn for the song."""
    return np.random.default_rng([7, seed]).integers(0, 12, bars)


def played(
    classes: np.ndarray,
    bar_s: float,
    *,
    octave_hz: float,
    tonic: int,
    rhythm: np.ndarray,
    lead_in_s: float = 0.0,
) -> np.ndarray:
    """Play a pitch class per bar, struck at the sixteenths of a rhythm, (samples,)."""
    samples = round((len(classes) * bar_s + lead_in_s) * RATE)
    time_s = np.arange(samples) / RATE - lead_in_s
    bar = np.clip((time_s / bar_s).astype(int), 0, len(classes) - 1)
    hertz = octave_hz * 2 ** (((classes[bar] + tonic) % 12) / 12)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    sixteenth = time_s / bar_s * 16 % 16
    struck = rhythm[np.clip(sixteenth.astype(int), 0, 15)]
    decay = np.exp(-3 * (sixteenth % 1))
    return (0.2 * np.sin(phase) * (0.3 + struck * decay) * (time_s >= 0)).astype(np.float32)


def phrase_library(
    root: Path,
    songs: int = 6,
    *,
    bars: int = 12,
    splits: tuple[str, ...] = ("train",),
    first: int = 0,
    metre: int = 4,
) -> MashupDB:
    """Write songs whose vocal and music share a progression; tempo and key are each its own."""
    database = MashupDB(root)
    clips, stems = [], []
    for song in range(first, first + songs):
        beat_s, tonic, lead_in_s = 0.3 + 0.02 * (song % 5), (5 * song) % 12, 0.1 * (song % 3)
        bar_s = metre * beat_s
        classes = progression(song, bars)
        random = np.random.default_rng([11, song])
        rhythm = (random.random(16) < 0.4).astype(float)
        sounds = {
            "vocal": played(
                classes, bar_s, octave_hz=523.25, tonic=tonic, rhythm=rhythm, lead_in_s=lead_in_s
            ),
            "harmonic": played(
                classes, bar_s, octave_hz=261.63, tonic=tonic, rhythm=rhythm, lead_in_s=lead_in_s
            ),
            "percussion": 0.05
            * np.random.default_rng(song)
            .standard_normal(round((bars * bar_s + lead_in_s) * RATE))
            .astype(np.float32),
        }
        clip_id = f"{song:03d}"
        beats = [round(lead_in_s + beat_s * beat, 6) for beat in range(metre * bars)]
        clips.append(
            {
                "clip_id": clip_id,
                "song_id": f"song {song}",
                "title": f"Song {song}",
                "artist": f"Artist {song}",
                "source": "test",
                "license": "CC0-1.0",
                "duration_s": len(sounds["vocal"]) / RATE,
                "sample_rate": RATE,
                "tempo_bpm": 60 / beat_s,
                "beats": beats,
                "downbeats": beats[::metre],
                "beats_per_bar": metre,
                "key_tonic": tonic,
                "key_mode": "major",
                "key_confidence": 1.0,
                "split": splits[(song - first) % len(splits)],
                "group": f"Artist {song}",
            }
        )
        for role in ROLES:
            path = f"audio/{clip_id}-{role}.flac"
            write_flac(root / path, sounds[role][None], RATE)
            stems.append(
                {
                    "clip_id": clip_id,
                    "stem_id": f"{clip_id}-{role}",
                    "role": role,
                    "label": role,
                    "path": path,
                    "rms_db": -20.0,
                    "active_ratio": 1.0,
                }
            )
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.update_manifest(counts={"clips": len(clips), "stems": len(stems)})
    return MashupDB.open(root)
