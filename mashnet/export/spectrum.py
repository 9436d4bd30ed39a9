"""The power spectrum as two products with small matrices, for graphs that run without torch.

A transform of n1 · n2 points is n2 transforms of n1 points, a turn of each outcome, and n1
transforms of n2 points (Bailey's four steps). One of 2048 points then takes matrices of 32 and 64
where a plain product with sines and cosines takes 17 MB of them, and ONNX's own operator STFT takes
twice as long in onnxruntime and, at 400 points, is wrong in the fifth digit: docs/onnx.md.
"""

from __future__ import annotations

import math

import torch
from torch import nn


class PowerSpectrum(nn.Module):
    """What `torch.stft(…, center=True).abs() ** 2` gives, its bins in an order of its own.

    `order` has the place of each bin. A sum over bins, as a mel filter is, takes its weights in
    that order (`in_own_order`) instead of the bins being sorted.
    """

    window: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    turn_cos: torch.Tensor
    turn_sin: torch.Tensor
    order: torch.Tensor

    def __init__(
        self,
        window: torch.Tensor,
        *,
        n_fft: int,
        hop_length: int,
        pad_mode: str,
        last_bin: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Compute the matrices.

        Args:
            window: (length,), at most n_fft; it lies in the middle of a frame.
            n_fft: samples of a frame.
            hop_length: samples between two frames.
            pad_mode: what lies beyond either end: reflect, or constant for silence.
            last_bin: the highest that is needed; n_fft // 2 if not given.
            dtype: in which to compute.
        """
        super().__init__()
        self.n_fft, self.hop_length, self.pad_mode, self.dtype = n_fft, hop_length, pad_mode, dtype
        short = max(n for n in range(1, math.isqrt(n_fft) + 1) if n_fft % n == 0)
        self.short, self.long = short, n_fft // short
        bins = torch.arange((n_fft // 2 if last_bin is None else last_bin) + 1)
        # Bin k has the power of bin n_fft - k: of the short transforms, half the outcomes do.
        self.halved = short // 2 + 1
        bins = torch.where(bins % short < self.halved, bins, n_fft - bins)
        columns = (bins // short).unique()
        self.columns = len(columns)
        before = (n_fft - len(window)) // 2
        padded = nn.functional.pad(window.double(), (before, n_fft - len(window) - before))
        first = _angles(torch.arange(self.halved), torch.arange(short), short)
        turn = _angles(torch.arange(self.halved), torch.arange(self.long), n_fft)
        second = _angles(torch.arange(self.long), columns, self.long)
        cos, sin = second.cos(), second.sin()
        # Real parts before imaginary ones, in rows and in columns.
        self._keep("window", padded)
        self._keep("first", torch.cat([first.cos(), first.sin()]))
        self._keep("turn_cos", turn.cos())
        self._keep("turn_sin", turn.sin())
        self._keep("second", torch.cat([torch.cat([cos, sin], 1), torch.cat([-sin, cos], 1)]))
        place = torch.searchsorted(columns, bins // short) + bins % short * self.columns
        self.register_buffer("order", place, persistent=False)

    def _keep(self, name: str, values: torch.Tensor) -> None:
        self.register_buffer(name, values.to(self.dtype), persistent=False)

    def in_own_order(self, weights: torch.Tensor) -> torch.Tensor:
        """Return weights of bins (bins, …) as weights of what `forward` returns, (places, …).

        Bins beyond the last one that was asked for are left out; places of no bin weigh nothing.
        """
        ordered = weights.new_zeros(self.halved * self.columns, *weights.shape[1:])
        ordered[self.order] = weights[: len(self.order)]
        return ordered

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return power, (batch, samples // hop_length + 1, places), of waves (batch, samples)."""
        frames = self._frames(waves.to(self.dtype)) * self.window
        short = self.first @ frames.unflatten(-1, (self.short, self.long))
        real, imaginary = short.split(self.halved, dim=-2)
        turned = [
            real * self.turn_cos - imaginary * self.turn_sin,
            real * self.turn_sin + imaginary * self.turn_cos,
        ]
        real, imaginary = (torch.cat(turned, -1) @ self.second).split(self.columns, dim=-1)
        return (real * real + imaginary * imaginary).flatten(-2)

    def _frames(self, waves: torch.Tensor) -> torch.Tensor:
        """Cut waves (batch, samples) into overlapping frames, (batch, frames, n_fft)."""
        hop, reach = self.hop_length, self.n_fft // 2
        frames, hops = waves.shape[-1] // hop + 1, -(-self.n_fft // hop)
        padded = nn.functional.pad(waves, (reach, reach), mode=self.pad_mode)
        padded = nn.functional.pad(padded, (0, (hops + 1) * hop - self.n_fft))
        blocks = padded.narrow(-1, 0, (frames + hops - 1) * hop).unflatten(-1, (-1, hop))
        # Whole blocks laid side by side: copying, where picking samples one by one is slow.
        return torch.cat([blocks.narrow(-2, i, frames) for i in range(hops)], -1)[..., : self.n_fft]


def _angles(rows: torch.Tensor, columns: torch.Tensor, points: int) -> torch.Tensor:
    return -2 * math.pi * (rows[:, None] * columns % points).double() / points
