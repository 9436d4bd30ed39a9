"""Bars of a mix → loops as sound, by non-negative Tucker decomposition (Smith and Goto, 2018).

The bars of a clip make a cube of magnitudes: bands × places in the bar × bars. It is decomposed
into sounds × rhythms × loops; a loop is what comes back in some of the bars. Within a bar the loops
share every band and place among them by soft masks, so that together they are the bar again.

Decided here: bands are about as wide as mels and overlap by half; place p of 96 is one STFT frame
centred at (p + 1/2) / 96 of its own bar, so bars of different length line up; what a factor has in
scale is moved into the activations, so that those of different loops can be compared.

Conventions: mono float32 at 44.1 kHz; a bar is (first sample, sample after its last).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorly
import torch
from tensorly.decomposition import non_negative_tucker_hals

from mashnet.audio.levels import ACTIVE_ABOVE_DB, FLOOR_DB, rms_db
from mashnet.data.loops.loops import BEATS, SAMPLE_RATE

N_FFT = 2048
HOP = 512
PLACES = 96  # frames of a bar in the cube; 21 ms apart at 120 bpm, half the STFT's window
MAX_BANDS = 128
RANK_EXPONENT = 0.6  # a mode of n has rank n to this power (Neural Loop Combiner, 2020)
TOLERANCE = 1e-4  # change of the relative error at which the decomposition ends
# Weight of the core's L1 norm. Without it loops are as often sums and differences of what really
# comes back: on songs of three known loops layouts correlated with the truth by 0.92, not 0.87.
SPARSITY = 0.03

Bar = tuple[int, int]
_BAR_S = (0.5, 8.0)  # stretching to 2 s by more than four is no music any more
_TEMPO_SPREAD = 0.1  # of the median


@dataclass(frozen=True)
class ExtractedLoop:
    """What one component of the decomposition sounds like in the bar where it is strongest."""

    bar: int  # index among the bars given
    samples: np.ndarray  # (length of the bar,)
    mask: np.ndarray  # (1025, STFT frames of the bar), 0..1
    snr_db: float  # of the loop as an estimate of the whole bar
    activation: np.ndarray  # (bars,), in units of the cube's magnitude


class UnusableError(Exception):
    """The clip cannot be used, for a reason that lies in it."""


def downbeats_of(clip: Mapping[str, Any]) -> list[float]:
    """Return the downbeats of a row of clips.parquet in seconds, each once, in order."""
    return sorted({float(time_s) for time_s in clip["downbeats"] or () if np.isfinite(time_s)})


def find_bars(clip: Mapping[str, Any], min_bars: int) -> dict[int, Bar]:
    """Return the bars of a clip that have the usual length, as samples, by their number.

    A clip changes its tempo where the middle 80 % of its bars' lengths spread by more than 10 % of
    their median. Of other clips, bars more than 10 % off are left out: a downbeat was missed.

    Args:
        clip: a row of clips.parquet.
        min_bars: fewer are too few.

    Raises:
        UnusableError: if it has too few, another metre or a changing tempo.
    """
    downbeats = downbeats_of(clip)
    if not downbeats:
        raise UnusableError("has no downbeats")
    if clip["beats_per_bar"] != BEATS:
        raise UnusableError(f"has {clip['beats_per_bar']} beats in a bar; loops have {BEATS}")
    lengths_s = np.diff(downbeats)
    if len(lengths_s) < min_bars:
        raise UnusableError(f"has {len(lengths_s)} bars, less than loops.min_bars={min_bars}")
    short_s, median_s, long_s = np.quantile(lengths_s, [0.1, 0.5, 0.9])
    if long_s - short_s > _TEMPO_SPREAD * median_s:
        raise UnusableError(f"changes its tempo: bars last from {short_s:.2f} to {long_s:.2f} s")
    if not _BAR_S[0] <= median_s <= _BAR_S[1]:
        reason = f"its bars last {median_s:.2f} s; loops are made of {_BAR_S[0]} to {_BAR_S[1]} s"
        raise UnusableError(reason)
    samples = [round(time_s * SAMPLE_RATE) for time_s in downbeats]
    return {
        index: bar
        for index, bar in enumerate(itertools.pairwise(samples))
        if abs(lengths_s[index] - median_s) <= _TEMPO_SPREAD * median_s
    }


def sounds(samples: np.ndarray, bar: Bar) -> bool:
    """Return whether there is all of a bar in samples of shape (n,), and it is not silent."""
    return bar[1] <= len(samples) and rms_db(samples[slice(*bar)]) >= ACTIVE_ABOVE_DB


def extract_loops(
    mix: np.ndarray, bars: Sequence[Bar], *, max_iterations: int, seed: int = 0
) -> list[ExtractedLoop]:
    """Return one loop per component that sounds, strongest bar and phase of the mix.

    Args:
        mix: shape (samples,).
        bars: those that sound; at least two.
        max_iterations: of the decomposition.
        seed: of where it begins; the same seed gives the same loops.
    """
    spectra, activations = decompose(
        spectral_cube(mix, bars), max_iterations=max_iterations, seed=seed
    )
    loops = []
    for index, bar in enumerate(activations.argmax(axis=0)):
        mask = expanded(bar_masks(spectra, activations[bar])[index], bars[bar])
        whole = mix[slice(*bars[bar])]
        samples = bar_signal(mask * bar_spectrum(mix, bars[bar]), len(whole))
        if rms_db(samples) >= ACTIVE_ABOVE_DB:
            ratio_db = snr_db(whole, samples)
            loops.append(ExtractedLoop(int(bar), samples, mask, ratio_db, activations[:, index]))
    return loops


def spectral_cube(mix: np.ndarray, bars: Sequence[Bar]) -> np.ndarray:
    """Return the magnitudes of the bars, shape (bands, 96, bars), float32."""
    padded = np.pad(mix, N_FFT)
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    bands = _band_weights().astype(np.float32)
    cube = np.empty((len(bands), PLACES, len(bars)), np.float32)
    for index, (first, end) in enumerate(bars):
        centres = np.round(first + (np.arange(PLACES) + 0.5) / PLACES * (end - first)).astype(int)
        starts = centres + N_FFT - N_FFT // 2
        frames = padded[starts[:, None] + np.arange(N_FFT)] * window
        # Powers add up whatever the phases, so a wide band of noise counts for all it holds.
        power = np.square(np.abs(np.fft.rfft(frames, axis=1))).astype(np.float32)
        cube[:, :, index] = np.sqrt(bands @ power.T)
    return cube


def ranks_of(shape: Sequence[int]) -> list[int]:
    """Return the numbers of sounds, rhythms and loops for a cube of this shape."""
    return [max(1, round(size**RANK_EXPONENT)) for size in shape]


def decompose(
    cube: np.ndarray, *, max_iterations: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Decompose a cube (bands, places, bars) into loops.

    Returns:
        The loops' spectra (bands, places, loops), each of norm 1 or silent, and how strong each is
        in each bar, (bars, loops); their product is near the cube.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    scale = float(np.abs(cube).max()) or 1.0
    with tensorly.backend_context("pytorch", local_threadsafe=True), torch.inference_mode():
        tensor = torch.from_numpy(cube / np.float32(scale)).to(device)
        core, (sounds, rhythms, loops) = non_negative_tucker_hals(
            tensor,
            rank=ranks_of(cube.shape),
            n_iter_max=max_iterations,
            init="random",
            tol=TOLERANCE,
            core_sparsity_coefficient=SPARSITY,
            random_state=seed,
        )
        spectra = torch.einsum("sri,fs,tr->fti", core, sounds, rhythms)
        norms = spectra.square().sum((0, 1)).sqrt()
        spectra = spectra / norms.clamp_min(1e-12)
        activations = loops * norms * scale
    return spectra.cpu().numpy(), activations.cpu().numpy()


def bar_masks(spectra: np.ndarray, activations: np.ndarray) -> np.ndarray:
    """Return each loop's share of one bar, shape (loops, bands, places); they sum to one.

    Args:
        spectra: shape (bands, places, loops).
        activations: of the bar, shape (loops,).
    """
    strength = np.moveaxis(spectra * activations, -1, 0).astype(np.float64)
    total = strength.sum(axis=0)
    equal = np.full_like(strength, 1 / len(strength))
    return np.divide(strength, total, out=equal, where=total > 0)


def expanded(mask: np.ndarray, bar: Bar) -> np.ndarray:
    """Spread a mask (bands, places) over the STFT of a bar, shape (1025, frames).

    Between the centres of two bands or places it goes in a straight line, so masks that sum to
    one still do.
    """
    length = bar[1] - bar[0]
    centres = -N_FFT / 2 + HOP * np.arange(_frames(length))  # from the bar's first sample
    place = np.clip(centres / length * PLACES - 0.5, 0, PLACES - 1)
    over_time = _straight_lines(place, np.arange(PLACES))
    over_bins = _straight_lines(np.arange(N_FFT // 2 + 1), _band_centres())
    return (over_bins @ mask @ over_time.T).astype(np.float32)


def bar_spectrum(samples: np.ndarray, bar: Bar) -> np.ndarray:
    """Return the STFT of a bar and of what its windows hear on both sides, (1025, frames)."""
    first, end = bar
    frames = _frames(end - first)
    # Every sample of the bar lies in four windows, as in the middle of a long STFT.
    begin, stop = first - N_FFT, first - N_FFT + HOP * (frames - 1) + N_FFT
    inside = samples[max(0, begin) : max(0, stop)]
    around = np.zeros(stop - begin, np.float32)
    around[max(0, -begin) : max(0, -begin) + len(inside)] = inside
    return torch.stft(torch.from_numpy(around), **_stft(), return_complex=True).numpy()


def bar_signal(spectrum: np.ndarray, length: int) -> np.ndarray:
    """Return the samples of a bar from its STFT (1025, frames), shape (length,)."""
    spectra = torch.from_numpy(np.ascontiguousarray(spectrum))
    window = _stft()["window"]
    frames = torch.fft.irfft(spectra, n=N_FFT, dim=0) * window[:, None]
    samples = (frames.shape[1] - 1) * HOP + N_FFT
    both = torch.stack([frames, (window**2)[:, None].expand_as(frames)])
    total, weight = torch.nn.functional.fold(both, (1, samples), (1, N_FFT), stride=(1, HOP))[
        :, 0, 0
    ]
    return (total / weight.clamp_min(1e-6))[N_FFT : N_FFT + length].numpy()


def snr_db(whole: np.ndarray, part: np.ndarray) -> float:
    """Return how much stronger a sound is than what a part of it lacks, in dB, from -120 to 120."""
    signal = float(np.square(whole, dtype=np.float64).sum())
    noise = float(np.square(whole.astype(np.float64) - part).sum())
    if noise == 0:
        return -FLOOR_DB
    return float(np.clip(10 * np.log10(max(signal / noise, 1e-12)), FLOOR_DB, -FLOOR_DB))


@functools.cache
def _stft() -> dict:
    window = torch.hann_window(N_FFT)
    return {"n_fft": N_FFT, "hop_length": HOP, "window": window, "center": False}


def _frames(length: int) -> int:
    """Return how many windows touch a bar of some samples: from one before it to one after."""
    return (length + N_FFT) // HOP + 2


@functools.cache
def _band_centres() -> np.ndarray:
    """Return the bins at which bands have their centres: mel-spaced, each another bin."""
    highest_mel = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, highest_mel, MAX_BANDS) / 2595) - 1)
    return np.unique(np.round(hertz / SAMPLE_RATE * N_FFT))


@functools.cache
def _band_weights() -> np.ndarray:
    return _straight_lines(np.arange(N_FFT // 2 + 1), _band_centres()).T


def _straight_lines(at: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return weights (at, points) that interpolate between points; each row sums to one."""
    rows = np.eye(len(points))
    return np.stack([np.interp(at, points, row) for row in rows], axis=1)
