"""Songs whose vocal follows the chords of its own music, bar by bar, and no other song's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB
from tests.metronome import RATE, MetronomeDB

_DEGREES = np.array([0, 2, 4, 5, 7, 9])  # of the scale, that chords stand on
BARS = 13


def phrase_database(root: Path, *, songs: int = 6, bars: int = BARS, **changed: object) -> MashupDB:
    """Write it: song i is in its own key, at its own tempo, with its own row of chords.

    Args:
        root: of the database.
        songs: how many, of one clip each.
        bars: of each, of four beats.
        changed: columns of clips.parquet.
    """
    collected = MetronomeDB(root)
    for number in range(songs):
        add_song(collected, number, bars=bars, **changed)
    return collected.write()


def add_song(
    collected: MetronomeDB,
    number: int,
    *,
    bars: int = BARS,
    beats_per_bar: int = 4,
    silent_bars: tuple[int, ...] = (),
    **changed: object,
) -> str:
    """Add a song whose vocal is silent in some bars; return its clip."""
    tempo_bpm, tonic = 150.0 + 9 * number, 5 * number % 12
    first_s, beat_s = 0.1, 60 / tempo_bpm
    duration_s = first_s + bars * beats_per_bar * beat_s
    clip_id = collected.add(
        tempo_bpm=tempo_bpm,
        tonic=tonic,
        first_s=first_s,
        duration_s=duration_s,
        beats_per_bar=beats_per_bar,
        **changed,
    )
    random = np.random.default_rng(number)
    roots = tonic + random.choice(_DEGREES, size=bars)
    time_s = np.arange(round(duration_s * RATE)) / RATE
    beat = np.floor((time_s - first_s) / beat_s).clip(0).astype(int)
    bar = (beat // beats_per_bar).clip(0, bars - 1)
    since_s = np.clip(time_s - first_s - beat * beat_s, 0, None)
    sounding = (time_s >= first_s) & ~np.isin(bar, silent_bars)
    semitones = roots[bar]
    vocal = np.sin(2 * np.pi * 440 * 2 ** ((semitones - 9) / 12) * time_s)
    music = sum(
        share * np.sin(2 * np.pi * 220 * 2 ** ((semitones + step - 9) / 12) * time_s)
        for step, share in ((0, 1.0), (7, 0.5), (12, 0.5))  # the root is the loudest
    )
    decay = np.exp(-3 * since_s)
    for role, wave in (
        ("vocal", 0.3 * vocal * decay * sounding),
        ("harmonic", 0.1 * music * decay),
    ):
        path = collected.database.root / f"audio/{clip_id}/{role}.flac"
        write_flac(path, wave[None].astype(np.float32), RATE)
    return clip_id
