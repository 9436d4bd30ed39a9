"""One song → its usable stems, brought to one rate and length and, if too loud, down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_pipelines.mashupdb.clocks import say_what_is_unsure
from data_pipelines.mashupdb.lengths import UnusableError, begun_together
from data_pipelines.rejects import reject_row
from data_pipelines.sources.song import MAX_SONG_S, RawSong, RawStem
from mashnet.audio.channels import mono_or_stereo
from mashnet.audio.io import read_audio
from mashnet.audio.levels import ACTIVE_ABOVE_DB, active_ratio
from mashnet.errors import AudioError

SAMPLE_RATE_HZ = 44100
_PEAK = 0.99  # what too loud a song is brought down to


def read_stems(
    song: RawSong, digests: Sequence[str], rejects: list[dict[str, str]]
) -> tuple[list[tuple[RawStem, str]], list[np.ndarray]]:
    """Read a song's usable stems, brought to one rate and length and, if too loud, down.

    All begin together; one that ends early is silent from there on.

    Args:
        song: the song.
        digests: one per stem, handed through.
        rejects: rows for what cannot be used, or not as it is, are added here.

    Returns:
        The stems with their digests, and their audio, each (1 or 2, samples) at 44.1 kHz.

    Raises:
        UnusableError: if too few stems are usable, or their lengths do not tell which belong
            together.
    """
    found: list[tuple[RawStem, str, np.ndarray]] = []
    for stem, digest in zip(song.stems, digests, strict=True):
        try:
            audio, _ = read_audio(stem.path, sample_rate=SAMPLE_RATE_HZ, stream=stem.stream)
        except AudioError as error:
            reason = str(error).removeprefix(f"{stem.path}: ")
            rejects.append(reject_row(stem.origin, "read", reason))
            continue
        length_s = audio.shape[1] / SAMPLE_RATE_HZ
        if length_s > MAX_SONG_S:
            reason = f"lasts {length_s / 60:.0f} min; cut it into songs of at most 30 min"
            rejects.append(reject_row(stem.origin, "read", reason))
        elif active_ratio(audio, SAMPLE_RATE_HZ) == 0.0:
            reason = f"silent: never above {ACTIVE_ABOVE_DB:g} dBFS"
            rejects.append(reject_row(stem.origin, "stems", reason))
        else:
            found.append((stem, digest, mono_or_stereo(audio) * np.float32(song.gain)))
    if not found:
        raise UnusableError("stems", "has no usable stem")
    lengths = [audio.shape[1] / SAMPLE_RATE_HZ for _, _, audio in found]
    kept = begun_together(song, [stem for stem, _, _ in found], lengths, rejects)
    samples = max(found[index][2].shape[1] for index in kept)
    stems, parts = [], []
    for stem, digest, audio in (found[index] for index in kept):
        stems.append((stem, digest))
        parts.append(np.pad(audio, ((0, 0), (0, samples - audio.shape[1]))))
    say_what_is_unsure(song, [stem for stem, _ in stems], rejects)
    if len(stems) < song.min_stems:
        labels = ", ".join(stem.label for stem, _ in stems)
        raise UnusableError(
            "stems", f"has {len(stems)} usable stem ({labels}), source.min_stems={song.min_stems}"
        )
    peak = max(np.abs(part).max() for part in [*parts, _sum(parts)])
    if peak > 1.0:
        parts = [part * np.float32(_PEAK / peak) for part in parts]
    return stems, parts


def mono_mix(stems: list[np.ndarray]) -> np.ndarray:
    """Return the sum of stems of shape (channels, samples) as (1, samples): what is analysed."""
    mix = np.zeros((1, stems[0].shape[1]), np.float32)
    for stem in stems:
        mix += stem.mean(axis=0, keepdims=True)
    return mix


def _sum(parts: list[np.ndarray]) -> np.ndarray:
    """Add stems up; mono ones sound on both sides of stereo ones."""
    total = np.zeros((max(part.shape[0] for part in parts), parts[0].shape[1]), np.float32)
    for part in parts:
        total += part
    return total
