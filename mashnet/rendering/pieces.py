"""A stem laid into a mix, piece by piece, as a plan says.

Only what is heard is read and stretched: the stretches of the stem that are not silent. Equal ones
(a section that comes back, in steady songs) are stretched once. At a splice the old piece has
faded out, and the new one in, shortly before the beat, so that the beat's attack is whole.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mashnet.audio.channels import mono_or_stereo
from mashnet.audio.io import read_audio, read_blocks
from mashnet.audio.stretch import stretch
from mashnet.rendering.keyframes import Piece

_FADE_S = 0.020
_FADED_S = 0.010  # before the beat: trackers and players are early by as much
_CONTEXT_S = 0.1  # given to the engine on either side, so that it never starts cold
_SILENT = 1e-4  # -80 dB of full scale
_LEAST_SILENCE_S = 0.5  # shorter silences are stretched along
_GRID_SAMPLES = (
    256  # stretches begin and end on multiples of it, so that equal ones are seen as such
)
_BLOCK_S = 30.0
_LEAST_S = 0.05  # less than this is not read: a stem may be shorter than its clip by as much
_KEPT_SAMPLES = 1 << 24  # of stretched sound, in case it comes back: about 65 MB


class Mix:
    """A sum of stems; mono until something in stereo is added.

    Attributes:
        audio: float32, shape (channels, samples).
        sample_rate: in Hz.
    """

    def __init__(self, samples: int, sample_rate: int) -> None:
        """Begin with silence."""
        self.audio = np.zeros((1, samples), np.float32)
        self.sample_rate = sample_rate

    def add(self, audio: np.ndarray, start: int) -> None:
        """Add (channels, samples) from a sample on, which may lie before 0; the rest is cut."""
        if audio.shape[0] == 2 and self.audio.shape[0] == 1:
            self.audio = np.repeat(self.audio, 2, axis=0)
        heard = audio[:, max(0, -start) : max(0, self.audio.shape[1] - start)]
        begin = max(0, start)
        self.audio[:, begin : begin + heard.shape[1]] += heard


class Pending:
    """Sounds that are being stretched; they are added to a mix in the order in which they came."""

    def __init__(self, mix: Mix, executor: Executor, at_once: int) -> None:
        """Nothing is pending yet.

        Args:
            mix: is added to.
            executor: where stretching is done.
            at_once: how many sounds it stretches at once; hardly more are held.
        """
        self.mix = mix
        self.executor = executor
        self._ahead = at_once + 1
        self._waiting: deque[tuple[Piece, int, float, Future[np.ndarray]]] = deque()

    def put(self, piece: Piece, start: int, gain: float, stretched: Future[np.ndarray]) -> None:
        """Wait for a sound, to be added with a gain from a sample on; add what is in the way."""
        self._waiting.append((piece, start, gain, stretched))
        if len(self._waiting) > self._ahead:
            self._place()

    def finish(self) -> None:
        """Add all that is left."""
        while self._waiting:
            self._place()

    def _place(self) -> None:
        piece, start, gain, stretched = self._waiting.popleft()
        sound = stretched.result() * np.float32(gain)
        self.mix.add(*_faded(sound, start, piece, self.mix.sample_rate))


@dataclass(frozen=True)
class _Sound:
    """Part of a stem that is not silent, and where it goes.

    Attributes:
        audio: shape (channels, samples).
        keyframes: (input sample, output sample) from (0, 0) to its end.
        start: sample of the mix at which the output begins.
        first: number of its first sample in the stem; only to know it again.
    """

    audio: np.ndarray
    keyframes: tuple[tuple[float, float], ...]
    start: int
    first: int

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for sounds that come out equal, within a fraction of a millisecond."""
        frames = tuple((round(before), round(after / 8)) for before, after in self.keyframes)
        return self.first, self.audio.shape, frames

    @property
    def size(self) -> int:
        """Samples over all channels, stretched."""
        return self.audio.shape[0] * round(self.keyframes[-1][1])


def add_untouched(mix: Mix, path: Path, gain: float) -> None:
    """Add a stem of the base as it is.

    Raises:
        AudioError: if it cannot be read.
    """
    start = 0
    for block in read_blocks(path, sample_rate=mix.sample_rate, block_s=_BLOCK_S):
        mix.add(mono_or_stereo(block) * np.float32(gain), start)
        start += block.shape[1]


def add_moved(
    pending: Pending,
    path: Path,
    pieces: Sequence[Piece],
    *,
    duration_s: float,
    semitones: float,
    pitched: bool,
    gain: float,
    engine: str,
) -> None:
    """Add a stem of a guest; the last of it when `pending` is finished.

    Args:
        pending: of the mix.
        path: of the stem.
        pieces: of the plan, in order of time.
        duration_s: of the stem's clip.
        semitones: shift of the stem.
        pitched: False for drums.
        gain: amplitude.
        engine: of `mashnet.audio.stretch`; must follow key frames.

    Raises:
        AudioError: if the stem cannot be read.
    """
    sample_rate = pending.mix.sample_rate
    done: OrderedDict[tuple[object, ...], tuple[int, Future[np.ndarray]]] = OrderedDict()

    @lru_cache(maxsize=1)  # a section that is repeated is read once
    def read(first: int, samples: int) -> np.ndarray:
        start_s, length_s = first / sample_rate, samples / sample_rate
        audio, _ = read_audio(path, sample_rate=sample_rate, start_s=start_s, duration_s=length_s)
        return mono_or_stereo(audio)

    for piece in pieces:
        for sound in _sounds(read, piece, sample_rate, duration_s):
            if sound.identity not in done:
                stretched = pending.executor.submit(
                    stretch,
                    sound.audio,
                    sample_rate,
                    keyframes=sound.keyframes,
                    semitones=semitones,
                    engine=engine,
                    pitched=pitched,
                )
                done[sound.identity] = sound.size, stretched
            pending.put(piece, sound.start, gain, done[sound.identity][1])
            while len(done) > 1 and sum(size for size, _ in done.values()) > _KEPT_SAMPLES:
                done.popitem(last=False)


def _faded(audio: np.ndarray, start: int, piece: Piece, sample_rate: int) -> tuple[np.ndarray, int]:
    """Cut a sound to a piece and its fades; return it with the sample of the mix it begins at."""
    fade = round(_FADE_S * sample_rate)
    begin = round((piece.start_s - _FADED_S) * sample_rate) - fade
    end = round((piece.end_s - _FADED_S) * sample_rate)
    cut = audio[:, max(0, begin - start) : max(0, end - start)]
    start = max(start, begin)
    # Equal powers: what meets at a splice is not the same sound.
    rising = np.sin(0.5 * np.pi * np.arange(fade) / fade).astype(np.float32)
    heard = rising[start - begin :][: cut.shape[1]]
    cut[:, : len(heard)] *= heard
    heard = rising[max(0, end - start - cut.shape[1]) :][: cut.shape[1]]
    cut[:, cut.shape[1] - len(heard) :] *= heard[::-1]
    return cut, start


def _sounds(
    read: Callable[[int, int], np.ndarray], piece: Piece, sample_rate: int, duration_s: float
) -> Iterator[_Sound]:
    """Read what of a stem is heard in a piece, and say where it goes."""
    guest_s, base_s = np.asarray(piece.keyframes_s, dtype=np.float64).T
    reach_s = _FADE_S + _FADED_S + _CONTEXT_S
    ends_s = _follow(np.array([base_s[0] - reach_s, base_s[-1] + _CONTEXT_S]), base_s, guest_s)
    # Nothing is heard before the mix begins.
    begins_s = float(_follow(np.array([-_CONTEXT_S]), base_s, guest_s)[0])
    first_s = max(0.0, ends_s[0], begins_s)
    last_s = min(duration_s, ends_s[1])
    first = int(first_s * sample_rate) // _GRID_SAMPLES * _GRID_SAMPLES
    samples = -(-round(last_s * sample_rate - first) // _GRID_SAMPLES) * _GRID_SAMPLES
    if last_s - first_s < _LEAST_S:
        return
    stem = read(first, samples)
    for begin, end in _heard(stem, sample_rate):
        inner = [g for g in guest_s * sample_rate if first + begin + 16 < g < first + end - 16]
        source = np.array([first + begin, *inner, first + end])
        target = _follow(source / sample_rate, guest_s, base_s) * sample_rate
        start = round(target[0])
        source, target = source - source[0], target - target[0]
        target[-1] = max(round(target[-1]), 1)
        # Rounded, so that a song laid on itself is seen to be one that nothing happens to.
        frames = tuple(zip(source.round(3).tolist(), target.round(3).tolist(), strict=True))
        yield _Sound(stem[:, begin:end], frames, start, first + begin)


def _heard(stem: np.ndarray, sample_rate: int) -> Iterator[tuple[int, int]]:
    """Yield the samples between which a stem is not silent, with what the engine needs around."""
    samples = stem.shape[1]
    starts = np.arange(0, samples, _GRID_SAMPLES)
    loud = np.maximum.reduceat(np.abs(stem).max(axis=0), starts) > _SILENT
    positions = np.flatnonzero(loud)
    if not positions.size:
        return
    gap = int(_LEAST_SILENCE_S * sample_rate) // _GRID_SAMPLES
    margin = int(_CONTEXT_S * sample_rate) // _GRID_SAMPLES
    breaks = np.flatnonzero(np.diff(positions) > gap)
    for one, other in zip(
        np.append(0, breaks + 1), np.append(breaks, len(positions) - 1), strict=True
    ):
        begin = max(0, positions[one] - margin) * _GRID_SAMPLES
        yield int(begin), int(min(samples, (positions[other] + 1 + margin) * _GRID_SAMPLES))


def _follow(times: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Map times piecewise linearly; beyond the ends the outermost pieces go on."""
    slopes = np.diff(after) / np.diff(before)
    piece = np.clip(np.searchsorted(before, times, side="right") - 1, 0, len(slopes) - 1)
    return after[piece] + (times - before[piece]) * slopes[piece]
