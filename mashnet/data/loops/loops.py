"""Loops: one bar as sound, 2 s long, and how a negative changes one (Neural Loop Combiner, 2020).

Conventions: a loop is mono float32 at 44.1 kHz, shape (88200,), a bar of four beats that begins on
its downbeat; every beat is 0.5 s. A loop is heard as if it went on: what follows its end is its
beginning.

A row of pairs.parquet names two loops; its `params` say how the second is changed
(`mashnet.data.loop_changes`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import soxr
import torch

from mashnet.audio.io import read_audio
from mashnet.audio.spectrogram import LogMel
from mashnet.data import loop_changes
from mashnet.data.loop_changes import change_of, require_change
from mashnet.errors import AudioError, DatabaseError
from mashnet.files import content_id, file_digest
from mashnet.music.song_facts import SongFacts
from mashnet.storage.contained_paths import inside, shown

if TYPE_CHECKING:
    from mashnet.data.mashupdb import MashupDB

SAMPLE_RATE = 44_100  # Hz
LOOP_S = 2.0
LOOP_SAMPLES = round(LOOP_S * SAMPLE_RATE)
BEATS = loop_changes.BEATS
BEAT_SAMPLES = LOOP_SAMPLES // BEATS
KINDS = ("drum", "bass", "harmonic")
POSITIVE = "together"
STRATEGIES = ("random", "selected", "reverse", "shift", "rearrange")
TOLERANCE_S = 0.02  # a file that is shorter or longer by less is filled up or cut
DUPLICATE_BITS = 5  # hashes that differ in fewer are of the same loop

_HASH_SIDE = 8
_FADE_S = 0.003
# Part of the ids: another number makes everything that is computed from loops be computed anew.
_SOUND_VERSION = 2


def changed(samples: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """Return a loop as the params of a pair change it, shape (88200,).

    Raises:
        ValueError: if the loop has another length, or the params make no sense.
    """
    if samples.shape != (LOOP_SAMPLES,):
        raise ValueError(f"a loop has {LOOP_SAMPLES} samples, got shape {samples.shape}")
    require_change(params)
    if params.get("reverse"):
        return np.ascontiguousarray(samples[::-1])
    if "shift" in params:
        return _in_order(samples, [(beat + params["shift"]) % BEATS for beat in range(BEATS)])
    if "order" in params:
        return _in_order(samples, params["order"])
    return samples


def _in_order(samples: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Put the beats of a loop into another order."""
    return samples.reshape(BEATS, BEAT_SAMPLES)[list(order)].reshape(-1)


def beats_faded(samples: np.ndarray) -> np.ndarray:
    """Let every beat of a loop begin and end at zero, within 3 ms; shape (88200,).

    Where beats meet that did not, a hard cut clicks, and a network hears clicks instead of music.
    Crossfading only those joints would be a mark, too: so all beats of all loops, changed or not,
    get the same envelope, which is the same whatever the order and the direction of the beats.
    """
    length = round(_FADE_S * SAMPLE_RATE)
    fade = (np.arange(length, dtype=np.float32) + 0.5) / length
    beats = samples.reshape(BEATS, BEAT_SAMPLES).copy()
    beats[:, :length] *= fade
    beats[:, -length:] *= fade[::-1]
    return beats.reshape(-1)


def read_loop(path: Path) -> np.ndarray:
    """Return a loop from a sound file, beats faded, shape (88200,).

    Raises:
        AudioError: if the file cannot be read, or is not 2 s long.
    """
    audio, _ = read_audio(path, sample_rate=SAMPLE_RATE, mono=True)
    missing = LOOP_SAMPLES - audio.shape[1]
    if abs(missing) > TOLERANCE_S * SAMPLE_RATE:
        raise AudioError(
            f"{path} lasts {audio.shape[1] / SAMPLE_RATE:.2f} s; a loop is one bar of four beats "
            f"stretched to {LOOP_S:g} s (python -m data_pipelines.loops makes such loops)"
        )
    return beats_faded(np.pad(audio[0, :LOOP_SAMPLES], (0, max(0, missing))))


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
    """A loop in a sound file, changed or not, as a part that Scorers listen to."""

    path: Path
    loop_id: str
    params: str = "{}"  # JSON

    # A loop is a bar, whatever is in it, and its end is its downbeat again.
    facts: ClassVar[SongFacts] = SongFacts(
        "a loop",
        LOOP_S,
        beats_s=tuple(LOOP_S / BEATS * beat for beat in range(BEATS + 1)),
        downbeats_s=(0.0, LOOP_S),
        beats_per_bar=BEATS,
        tempo_bpm=60 * BEATS / LOOP_S,
    )

    @cached_property
    def part_id(self) -> str:
        """Hash of the loop, its change, and how changes are made."""
        return content_id("loop", self.loop_id, self.params, _SOUND_VERSION)

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return mono float32 samples, 2 s at `sample_rate`.

        Raises:
            AudioError: if the file cannot be read, or is not 2 s long.
            DatabaseError: if its params are no change of a loop.
        """
        try:
            params = change_of(self.params)
        except ValueError as error:
            raise DatabaseError(f"loop {self.loop_id}: {shown(error)}") from error
        samples = changed(read_loop(self.path), params)
        if sample_rate == SAMPLE_RATE:
            return samples
        return soxr.resample(samples, SAMPLE_RATE, sample_rate).astype(np.float32)


def file_part(path: Path) -> LoopPart:
    """Return a loop that is in no database as a part.

    Raises:
        AudioError: if there is no such file.
    """
    try:
        return LoopPart(path, file_digest(path))
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror or error}") from error


def part_of(database: MashupDB, loop: Mapping[str, Any], params: str = "{}") -> LoopPart:
    """Return a row of loops.parquet as a part.

    Raises:
        DatabaseError: if its path would leave the database's folder.
    """
    path = inside(database.root, loop["path"], f"loop {loop['loop_id']}")
    return LoopPart(path, loop["loop_id"], params)
