"""How alike two groups are at every offset in beats, and at every shift in key, by one FFT.

Correlations are over the beats that both share. What is quieter there than all through the group
is measured against the whole: else a part that is silent but for one note would fit whatever has
that note somewhere, and better than anything else.
"""

from __future__ import annotations

import torch

from mashnet.models.rules.beat_encoding import CHROMA, POWER, THERE


class Correlations:
    """Sums over the beats that two groups share, at every offset: an FFT instead of a loop.

    Offset t lays beat j + t of the second group onto beat j of the first.
    """

    def __init__(self, first: torch.Tensor, seconds: torch.Tensor) -> None:
        """Take the encoding of one group, (beats, 29), and those of m others, (m, beats, 29)."""
        self.length = 1 << (len(first) + seconds.shape[1] - 1).bit_length()
        self.first, self.seconds = first, seconds
        self._beats = torch.stack(  # of the first and of each other, (2, m)
            torch.broadcast_tensors(first[:, 0].sum(), seconds[..., 0].sum(-1))
        )
        # A number of beats that both share at each offset; an FFT is off by a hair.
        self.overlap = self._sum(first[:, THERE], seconds[..., THERE]).round()

    @property
    def shorter(self) -> torch.Tensor:
        """How many beats the shorter of each two groups has, (m,)."""
        return self._beats.amin(dim=0)

    def _sum(self, first: torch.Tensor, seconds: torch.Tensor) -> torch.Tensor:
        """Correlate (beats, f) with (m, beats, f) and add over f: (m, length)."""
        one = torch.fft.rfft(first, n=self.length, dim=0)
        other = torch.fft.rfft(seconds, n=self.length, dim=1)
        return torch.fft.irfft((one.conj() * other).sum(-1), n=self.length, dim=1)

    def of(self, part: slice) -> torch.Tensor:
        """Return the sums of products of one of the vectors at each offset, (m, length)."""
        return self._sum(self.first[:, part], self.seconds[..., part])

    def _energies(self, part: slice) -> torch.Tensor:
        first = self.first[:, part].square().sum(-1, keepdim=True)
        seconds = self.seconds[..., part].square().sum(-1, keepdim=True)
        one = self._sum(first, self.seconds[..., THERE])
        other = self._sum(self.first[:, THERE], seconds)
        share = self.shorter / self._beats.clamp_min(1)
        one = torch.maximum(one, (first.sum() * share[0])[:, None])
        other = torch.maximum(other, (seconds.sum((1, 2)) * share[1])[:, None])
        return (one * other).sqrt()

    def normalised(self, part: slice) -> torch.Tensor:
        """Return the correlation coefficient at each offset, (m, length)."""
        return _ratio(self.of(part), self._energies(part))

    def normalised_chroma(self) -> torch.Tensor:
        """Return the correlation coefficient at each shift and offset, (m, 12, length)."""
        size = (self.length, 12)
        one = torch.fft.rfft2(self.first[:, CHROMA], s=size)
        other = torch.fft.rfft2(self.seconds[..., CHROMA], s=size)
        products = torch.fft.irfft2(one.conj() * other, s=size).transpose(-1, -2)
        return _ratio(products, self._energies(CHROMA)[:, None])

    def flatness(self) -> torch.Tensor:
        """Return the flatness over the bands of what both have where they overlap, (m, length)."""
        power = torch.stack(
            [
                self._sum(self.first[:, [band]], self.seconds[..., THERE])
                + self._sum(self.first[:, THERE], self.seconds[..., [band]])
                for band in range(POWER.start, POWER.stop)
            ]
        ).clamp_min(1e-9)
        return power.log().mean(0).exp() / power.mean(0)


def _ratio(products: torch.Tensor, energies: torch.Tensor) -> torch.Tensor:
    # An FFT leaves rounding errors where there is nothing.
    return torch.where(energies > 1e-6, products / energies.clamp_min(1e-6), 0.0).clamp(-1, 1)
