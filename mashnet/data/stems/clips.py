"""Which stretches of a clip can be drawn: at least two stems sound in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mashnet.data.mashupdb import MashupDB
from mashnet.data.stems.wave_store import WaveStore

BLOCK_S = 0.1  # chunks begin and end on this grid
LEAST_STEMS = 2  # a context and a target


@dataclass(frozen=True, eq=False)
class StemClip:
    """The stems of one clip and where each of them sounds.

    Attributes:
        clip_id: its id.
        song: number of its song within the split.
        stem_ids: its stems.
        labels: their instrument names, paths from coarse to fine.
        energy: running sums of squared samples per block, (stems, blocks + 1).
        block_samples: samples per block.
        silence_rms: a stem is silent in a chunk below this root mean square.
    """

    clip_id: str
    song: int
    stem_ids: tuple[str, ...]
    labels: tuple[str, ...]
    energy: np.ndarray
    block_samples: int
    silence_rms: float

    @property
    def num_blocks(self) -> int:
        """Return how many whole blocks the longest stem has."""
        return self.energy.shape[1] - 1

    def starts(self, blocks: int) -> np.ndarray:
        """Return the first blocks of all chunks of a length in which two stems sound.

        A clip that is shorter than the chunk has at most one, which ends in silence.
        """
        whole = min(blocks, self.num_blocks)
        energy = self.energy[:, whole:] - self.energy[:, : self.num_blocks + 1 - whole]
        return np.flatnonzero((energy >= self._least(blocks)).sum(0) >= LEAST_STEMS)

    def sounding(self, start: int, blocks: int) -> np.ndarray:
        """Return which stems sound in a chunk: their numbers."""
        end = min(start + blocks, self.num_blocks)
        return np.flatnonzero(self.energy[:, end] - self.energy[:, start] >= self._least(blocks))

    def _least(self, blocks: int) -> float:
        """Return the energy of a chunk below which a stem is silent in it."""
        return self.silence_rms**2 * blocks * self.block_samples


def stem_clips(
    database: MashupDB, waves: WaveStore, split: str, *, blocks: range, silence_db: float
) -> tuple[list[StemClip], list[str]]:
    """Return the clips of a split that have chunks in which two stems sound.

    Args:
        database: where they are.
        waves: their waveforms, all built; stems that it could not read do not take part.
        split: train, val or test.
        blocks: lengths of chunks that will be asked for; a clip needs some of each.
        silence_db: level in dB of full scale below which a chunk of a stem is silent.

    Returns:
        The clips, and a line for each that was left out, with the reason.
    """
    block = round(BLOCK_S * waves.sample_rate)
    readable = database.stems.filter(~pl.col("stem_id").is_in(list(waves.unreadable)))
    stems_of = readable.sort("stem_id").partition_by("clip_id", as_dict=True)
    clips = database.clips.sort("clip_id").iter_rows(named=True)
    rows = [row for row in clips if row["split"] == split]
    song_of = {song: i for i, song in enumerate(sorted({row["song_id"] for row in rows}))}
    usable: list[StemClip] = []
    left_out: list[str] = []
    for row in rows:
        stems = stems_of.get((row["clip_id"],), database.stems.clear())
        stem_ids = tuple(stems["stem_id"])
        if len(stem_ids) < LEAST_STEMS:
            left_out.append(f"{row['title']} ({row['clip_id']}): has {len(stem_ids)} stem(s) only")
            continue
        clip = StemClip(
            clip_id=row["clip_id"],
            song=song_of[row["song_id"]],
            stem_ids=stem_ids,
            labels=tuple(stems["label"].fill_null("")),
            energy=_energy(waves, stem_ids, block),
            block_samples=block,
            silence_rms=10 ** (silence_db / 20),
        )
        if all(len(clip.starts(length)) for length in blocks):
            usable.append(clip)
        else:
            left_out.append(f"{row['title']} ({row['clip_id']}): no two stems sound together")
    return usable, left_out


def _energy(waves: WaveStore, stem_ids: Sequence[str], block: int) -> np.ndarray:
    """Return running sums of squares per block, (stems, blocks + 1)."""
    lengths = [waves.num_samples(stem_id) for stem_id in stem_ids]
    blocks = max(lengths, default=0) // block
    energy = np.zeros((len(stem_ids), blocks + 1))
    for row, stem_id in zip(energy, stem_ids, strict=True):
        samples = waves.read(stem_id, 0, blocks * block).reshape(blocks, block)
        row[1:] = np.cumsum(np.einsum("bs,bs->b", samples, samples), dtype=np.float64)
    return energy
