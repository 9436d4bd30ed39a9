"""What each bar of a clip sounds like: harmony beat by beat, timbre, and who plays how loud.

The stems are read block by block, so that memory does not grow with the clip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.audio.io import read_blocks
from mashnet.audio.levels import FLOOR_DB
from mashnet.audio.numba_imports import compiling_alone
from mashnet.data.roles import ACCOMPANIMENT, HARMONIC, ROLES

with compiling_alone():
    import librosa.core.spectrum
    import librosa.feature.spectral
    import librosa.util.utils


RATE_HZ = 22050
HOP_SAMPLES = 1050  # 21 frames a second, and a whole number of them in a block
FRAMES_PER_S = RATE_HZ / HOP_SAMPLES
_BLOCK_S = 60
_FFT_SAMPLES = 4096  # semitones are told apart down to about 90 Hz
_MELS = 64
_MFCCS = 13
_MIN_BAR_SHARE = 0.4  # of a bar: what is shorter at the ends of a clip is not a bar
BEATS = 4  # moments of a bar at which harmony is read


@dataclass(frozen=True)
class Bars:
    """The bars of a clip or a song.

    Attributes:
        start_s: when each begins, (bars,).
        end_s: when each ends, (bars,).
        on_downbeat: whether it begins on a known downbeat, (bars,); the others lie before the
            first or after the last one, at the usual distance.
        chroma: pitch classes at four moments, each of unit norm or zero, (bars, 4, 12).
        timbre: cepstral coefficients without the loudness, (bars, 13).
        level_db: level of each role in dBFS, in the order of `ROLES`, (bars, 3).
        mix_db: level of the sum of all stems in dBFS, (bars,).
    """

    start_s: np.ndarray
    end_s: np.ndarray
    on_downbeat: np.ndarray
    chroma: np.ndarray
    timbre: np.ndarray
    level_db: np.ndarray
    mix_db: np.ndarray

    def __len__(self) -> int:
        """Return how many bars there are."""
        return len(self.start_s)


def bars_of(clip: Mapping[str, Any], stems: Sequence[tuple[str, Path]]) -> Bars:
    """Return the bars of a clip.

    Args:
        clip: a row of clips.parquet with two beats or more.
        stems: role and file of each of its stems.

    Raises:
        AudioError: if a stem cannot be read.
    """
    edges_s, on_downbeat = bar_lines(clip)
    frames = np.concatenate(list(_frames(stems)))
    sums = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, axis=0)])

    def means(times_s: np.ndarray) -> np.ndarray:
        """Return the mean frame between each two times, (len(times_s) - 1, features)."""
        first = np.clip(np.round(times_s[:-1] * FRAMES_PER_S).astype(int), 0, len(frames) - 1)
        last = np.round(times_s[1:] * FRAMES_PER_S).astype(int)
        last = np.clip(np.maximum(last, first + 1), 1, len(frames))
        return (sums[last] - sums[first]) / (last - first)[:, None]

    whole = means(edges_s)
    moments = np.linspace(edges_s[:-1], edges_s[1:], BEATS, endpoint=False, axis=1).ravel()
    beats = means(np.append(moments, edges_s[-1]))
    chroma = beats[:, _CHROMA].reshape(-1, BEATS, 12)
    norms = np.linalg.norm(chroma, axis=2, keepdims=True)
    power_db = 10 * np.log10(np.maximum(whole[:, _POWER], 10 ** (FLOOR_DB / 10)))
    return Bars(
        start_s=edges_s[:-1],
        end_s=edges_s[1:],
        on_downbeat=on_downbeat,
        chroma=np.divide(chroma, norms, out=np.zeros_like(chroma), where=norms > 1e-9),
        timbre=whole[:, _TIMBRE],
        level_db=power_db[:, : len(ROLES)],
        mix_db=power_db[:, len(ROLES)],
    )


def bar_lines(clip: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return where a clip's bars begin and, last, where the last one ends.

    Before the first downbeat and after the last one, bars go on at the usual distance: a tracker
    may not hear the beats of a quiet intro. A clip with beats only has bars of four.

    Args:
        clip: a row of clips.parquet with two beats or more.

    Returns:
        Times in seconds, (bars + 1,), and whether each bar begins on a known downbeat, (bars,).
    """
    duration_s = float(clip["duration_s"])
    downbeats = clip["downbeats"] if len(clip["downbeats"]) > 1 else clip["beats"][::4]
    if len(downbeats) < 2:
        downbeats = [clip["beats"][0], clip["beats"][-1]]
    known = np.asarray(downbeats, float)
    bar_s = float(np.median(np.diff(known)))
    before = known[0] - bar_s * np.arange(int(known[0] / bar_s + 1 - _MIN_BAR_SHARE), 0, -1)
    left_s = duration_s - known[-1]
    after = known[-1] + bar_s * np.arange(1, int(left_s / bar_s + 1 - _MIN_BAR_SHARE) + 1)
    edges_s = np.clip(np.concatenate([before, known, after]), 0.0, duration_s)
    on_downbeat = np.zeros(len(edges_s), bool)
    on_downbeat[len(before) : len(before) + len(known)] = True
    return edges_s, on_downbeat[:-1]


def joined(bars: Sequence[Bars], offsets_s: Sequence[float]) -> Bars:
    """Return the bars of several clips as those of one song.

    Args:
        bars: of each clip.
        offsets_s: when each clip begins in the song.
    """
    return Bars(
        start_s=np.concatenate([b.start_s + at for b, at in zip(bars, offsets_s, strict=True)]),
        end_s=np.concatenate([b.end_s + at for b, at in zip(bars, offsets_s, strict=True)]),
        on_downbeat=np.concatenate([b.on_downbeat for b in bars]),
        chroma=np.concatenate([b.chroma for b in bars]),
        timbre=np.concatenate([b.timbre for b in bars]),
        level_db=np.concatenate([b.level_db for b in bars]),
        mix_db=np.concatenate([b.mix_db for b in bars]),
    )


_CHROMA = slice(0, 12)
_TIMBRE = slice(12, 12 + _MFCCS)
_POWER = slice(_TIMBRE.stop, _TIMBRE.stop + len(ROLES) + 1)  # of the roles and of the mix


def _frames(stems: Sequence[tuple[str, Path]]) -> Iterator[np.ndarray]:
    """Yield the frames of each block, (frames, features)."""
    streams = [read_blocks(path, sample_rate=RATE_HZ, block_s=_BLOCK_S) for _, path in stems]
    for blocks in itertools.zip_longest(*streams):
        samples = max(block.shape[1] for block in blocks if block is not None)
        parts = {role: np.zeros(samples, np.float32) for role in (*ROLES, "", ACCOMPANIMENT)}
        for (role, _), block in zip(stems, blocks, strict=True):
            if block is not None:
                heard = parts[role if role in parts else ""]
                heard[: block.shape[1]] += block.mean(axis=0)
        yield _block_frames(parts)


def _block_frames(parts: Mapping[str, np.ndarray]) -> np.ndarray:
    mix = np.sum(list(parts.values()), axis=0)
    pitched = mix - parts["percussion"]
    count = -(-len(mix) // HOP_SAMPLES)

    def spectrum(wave: np.ndarray) -> np.ndarray:
        stft = librosa.stft(wave, n_fft=_FFT_SAMPLES, hop_length=HOP_SAMPLES)
        return np.abs(stft[:, :count])

    # The root evens out how loud notes are; the tuning is left as it is, for all bars alike.
    notes = np.sqrt(spectrum(pitched))
    chroma = librosa.feature.chroma_stft(S=notes, sr=RATE_HZ, tuning=0.0, norm=None)
    power = spectrum(mix) ** 2
    mels = librosa.feature.melspectrogram(S=power, sr=RATE_HZ, n_mels=_MELS)
    timbre = librosa.feature.mfcc(S=librosa.power_to_db(mels, top_db=None), n_mfcc=_MFCCS + 1)[1:]
    # Music in one stem is what harmony is read from.
    levelled = {**parts, HARMONIC: parts[HARMONIC] + parts[ACCOMPANIMENT]}
    waves = np.stack([*(levelled[role] for role in ROLES), mix])
    padded = np.pad(waves, ((0, 0), (0, count * HOP_SAMPLES - len(mix))))
    levels = np.square(padded).reshape(len(waves), count, HOP_SAMPLES).mean(axis=2)
    return np.concatenate([chroma, timbre, levels]).T.astype(np.float64)
