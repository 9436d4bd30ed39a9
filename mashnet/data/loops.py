"""Loops: one bar as sound, 2 s long, and how a negative changes one (Neural Loop Combiner, 2020).

Conventions: a loop is mono float32 at 44.1 kHz, shape (88200,), a bar of four beats that begins on
its downbeat; every beat is 0.5 s. A loop is heard as if it went on: what follows its end is its
beginning.

A row of pairs.parquet names two loops; its `params` say how the second is changed:

    {}                       not at all
    {"reverse": true}        played backwards
    {"shift": 1}             begins one beat (two, three) later; what is cut off comes at the end
    {"order": [2, 0, 1, 3]}  its beats in another order
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch

from mashnet.audio.io import read_audio
from mashnet.audio.spectrogram import LogMel
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import DatabaseError
from mashnet.files import content_id

SAMPLE_RATE = 44_100  # Hz
LOOP_S = 2.0
LOOP_SAMPLES = round(LOOP_S * SAMPLE_RATE)
BEATS = 4
BEAT_SAMPLES = LOOP_SAMPLES // BEATS
KINDS = ("drum", "bass", "harmonic")
POSITIVE = "together"
STRATEGIES = ("random", "selected", "reverse", "shift", "rearrange")
DUPLICATE_BITS = 5  # hashes that differ in fewer are of the same loop

_HASH_SIDE = 8
# At a joint what sounded before goes on for this long while what comes next fades in: a hard cut
# would click, and a network would hear clicks instead of music.
_CROSSFADE_S = 0.005


def changed(samples: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """Return a loop as the params of a pair change it, shape (88200,).

    Raises:
        ValueError: if the loop has another length, or the params make no sense.
    """
    if samples.shape != (LOOP_SAMPLES,):
        raise ValueError(f"a loop has {LOOP_SAMPLES} samples, got shape {samples.shape}")
    if len(params) > 1 or not set(params) <= {"reverse", "shift", "order"}:
        raise ValueError(f"{dict(params)} is no change of a loop")
    if params.get("reverse"):
        return np.ascontiguousarray(samples[::-1])
    if "shift" in params:
        beats = int(params["shift"])
        if not 1 <= beats < BEATS:
            raise ValueError(f"a loop is shifted by 1 to {BEATS - 1} beats, not by {beats}")
        return _in_order(samples, [(beat + beats) % BEATS for beat in range(BEATS)])
    if "order" in params:
        order = list(params["order"])
        if sorted(order) != list(range(BEATS)):
            raise ValueError(f"order={order} is no order of {BEATS} beats")
        return _in_order(samples, order)
    return samples


def _in_order(samples: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Put the beats of a loop into another order, crossfading where neighbours are new."""
    beats = samples.reshape(BEATS, BEAT_SAMPLES)
    out = beats[list(order)].copy()
    length = round(_CROSSFADE_S * SAMPLE_RATE)
    fade = (np.arange(length, dtype=np.float32) + 0.5) / length
    for place, beat in enumerate(order):
        before = order[place - 1]
        if (before + 1) % BEATS != beat:
            tail = beats[(before + 1) % BEATS, :length]  # how the beat before would have gone on
            out[place, :length] = tail * (1 - fade) + out[place, :length] * fade
    return out.reshape(-1)


def _ends_faded(samples: np.ndarray) -> np.ndarray:
    """Begin and end at zero, so that the joint of end and beginning does not click anywhere."""
    length = round(_CROSSFADE_S * SAMPLE_RATE)
    fade = (np.arange(length, dtype=np.float32) + 0.5) / length
    out = samples.copy()
    out[:length] *= fade
    out[-length:] *= fade[::-1]
    return out


def average_hash(spectrogram: np.ndarray) -> str:
    """Return 64 bits as 16 hexadecimal digits: which of 8 × 8 fields lie above the mean.

    Args:
        spectrogram: levels (dB or log-mel), any shape (rows, columns) of at least 8 × 8.
    """
    fields = np.asarray(spectrogram, dtype=np.float64)
    for axis in (0, 1):
        parts = np.array_split(fields, _HASH_SIDE, axis=axis)
        fields = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
    bits = (fields > fields.mean()).astype(np.uint8)
    return np.packbits(bits).tobytes().hex()


def hash_distance(one: str, other: str) -> int:
    """Return in how many of 64 bits two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def log_mel_of(samples: np.ndarray) -> np.ndarray:
    """Return the log-mel that loops are compared by, (173, 128), from 0 (silence) to 1.

    The loop is heard as it goes on: its first frames hear its end, and its last its beginning.
    """
    compared = _compared()
    around = 4 * compared.hop_length
    padded = np.pad(samples.astype(np.float32), around, mode="wrap")
    with torch.inference_mode():
        mel = compared(torch.from_numpy(padded))
    return mel[4 : 5 + len(samples) // compared.hop_length].numpy()


@functools.cache
def _compared() -> LogMel:
    return LogMel(sample_rate=SAMPLE_RATE, f_max_hz=16_000.0).eval()


@dataclass(frozen=True)
class LoopPart:
    """A loop of a database, changed or not, as a part that Scorers listen to."""

    path: Path
    loop_id: str
    params: str = "{}"  # JSON

    # Of a loop they are known; rules that need beats do not track them.
    beats_s = tuple(LOOP_S / BEATS * beat for beat in range(BEATS + 1))

    @cached_property
    def part_id(self) -> str:
        """Hash of the loop and its change."""
        return content_id("loop", self.loop_id, self.params)

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return mono float32 samples, 2 s at `sample_rate`.

        Raises:
            AudioError: if the file cannot be read.
            DatabaseError: if it is not 2 s long.
        """
        audio, rate = read_audio(self.path, sample_rate=SAMPLE_RATE, mono=True)
        try:
            samples = changed(_ends_faded(audio[0]), json.loads(self.params))
        except ValueError as error:
            raise DatabaseError(f"{self.path}: {error}") from error
        if sample_rate == rate:
            return samples
        return soxr.resample(samples, rate, sample_rate).astype(np.float32)


def part_of(database: MashupDB, loop: Mapping[str, Any], params: str = "{}") -> LoopPart:
    """Return a row of loops.parquet as a part.

    Raises:
        DatabaseError: if its path would leave the database's folder.
    """
    path = (database.root / loop["path"]).resolve()
    if not path.is_relative_to(database.root.resolve()):
        raise DatabaseError(f"{database.root}: the path of loop {loop['loop_id']} leaves it")
    return LoopPart(path, loop["loop_id"], params)
