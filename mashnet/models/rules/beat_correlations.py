"""How alike two parts are at every offset in beats, and at every shift in key, by one FFT."""

from __future__ import annotations

import torch

from mashnet.models.rules.beat_encoding import CHROMA, POWER, THERE


class Correlations:
    """Sums over the beats that two parts share, at every offset: an FFT instead of a loop.

    Offset t lays beat j + t of the second part onto beat j of the first.
    """

    def __init__(self, first: torch.Tensor, seconds: torch.Tensor) -> None:
        """Take the encoding of one part, (beats, 28), and those of m others, (m, beats, 28)."""
        self.length = 1 << (len(first) + seconds.shape[1] - 1).bit_length()
        self.first, self.seconds = first, seconds

    def _sum(self, first: torch.Tensor, seconds: torch.Tensor) -> torch.Tensor:
        """Correlate (beats, f) with (m, beats, f) and add over f: (m, length)."""
        one = torch.fft.rfft(first, n=self.length, dim=0)
        other = torch.fft.rfft(seconds, n=self.length, dim=1)
        return torch.fft.irfft((one.conj() * other).sum(-1), n=self.length, dim=1)

    def of(self, part: slice) -> torch.Tensor:
        """Return the sums of products of one of the vectors at each offset, (m, length)."""
        return self._sum(self.first[:, part], self.seconds[..., part])

    def _energies(self, part: slice) -> torch.Tensor:
        there_first, there_seconds = self.first[:, THERE], self.seconds[..., THERE]
        one = self._sum(self.first[:, part].square().sum(-1, keepdim=True), there_seconds)
        other = self._sum(there_first, self.seconds[..., part].square().sum(-1, keepdim=True))
        return (one.clamp_min(0) * other.clamp_min(0)).sqrt()

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
