"""Harmonic and percussive log-mels, COCOLA's input, batched and on any device.

Tones are level along time, clicks along frequency: a median along time keeps the former, one
along frequency the latter, and each bin's power is shared out by the two (Fitzgerald, DAFx 2010;
soft masks with exponent 2, as librosa.decompose.hpss).

A median of 31 by sorting costs a scalar program a branch per comparison; here whole blocks of the
spectrogram go through one fixed network of minima and maxima, and what neighbouring windows
share is sorted once: 70 operations a number. All results are exact.
"""

from __future__ import annotations

import torch
from torch import nn
from torchaudio.functional import melscale_fbanks

FLOOR_DB = -80.0  # below a channel's maximum, as the published features
AMIN = 1e-10  # smallest mel power that is told from zero, as the published features

# Numbers per block of a median, of which some thirty are alive at once: a CPU's stay in its cache
# and are just too small for torch to share out among threads, which would mostly wait for each
# other; a GPU's take half a gigabyte. Spectra of so many clips lie in memory at once.
_BLOCK = {"cpu": 2**15}
_BLOCK_GPU = 2**22
_CLIPS = {"cpu": 4}
_CLIPS_GPU = 32


class HarmonicPercussiveMel(nn.Module):
    """Two mel spectrograms of a waveform: of its harmonic and of its percussive part."""

    mel_basis: torch.Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_fft: int = 1024,
        win_length: int = 400,
        hop_length: int = 160,
        n_mels: int = 64,
        f_min_hz: float = 60.0,
        f_max_hz: float = 7800.0,
        kernel: int = 31,
    ) -> None:
        """Fix the transform; the defaults are the published ones (Ciranni et al., ICASSP 2025).

        Args:
            sample_rate: Hz.
            n_fft: length of a frame in samples, zeros included.
            win_length: length of the Hann window in samples.
            hop_length: samples between two frames.
            n_mels: bands.
            f_min_hz: lower edge of the lowest band.
            f_max_hz: upper edge of the highest band.
            kernel: length of both medians, in frames and in bins.

        Raises:
            ValueError: if no median of that length is available.
        """
        super().__init__()
        _check_kernel(kernel)
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.kernel = kernel
        with torch.device("cpu"):  # a network may be laid out without numbers, a filter bank not
            basis = melscale_fbanks(
                n_fft // 2 + 1, f_min_hz, f_max_hz, n_mels, sample_rate, "slaney", "slaney"
            )
        self.register_buffer("mel_basis", basis.T.contiguous(), persistent=False)

    @torch.no_grad()
    def power(self, waves: torch.Tensor) -> torch.Tensor:
        """Return mel powers, (batch, 2, n_mels, frames), harmonic first.

        Args:
            waves: (batch, samples) at `sample_rate`; they stay as they are. A frame is centred on
                each multiple of the hop, with silence beyond either end.
        """
        at_once = _CLIPS.get(waves.device.type, _CLIPS_GPU)
        return torch.cat([self._power(clips) for clips in waves.split(at_once)])

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return the published features in decibels, (batch, 2, n_mels, frames), in [-80, 0].

        Each channel of each clip is relative to its own maximum. Two traps follow: which channel
        is louder is lost, and digital silence, being its own maximum, reads 0 dB everywhere, as
        loud as can be.
        """
        power = self.power(waves)
        loudest = power.amax(dim=(-2, -1), keepdim=True)
        level_db = 10 * (power.clamp_min(AMIN).log10() - loudest.clamp_min(AMIN).log10())
        return level_db.clamp_min(FLOOR_DB)

    def _power(self, waves: torch.Tensor) -> torch.Tensor:
        # Mixed precision has no say here: half the digits of a decibel would be gone.
        with torch.autocast(waves.device.type, enabled=False):
            magnitude = self._magnitude(waves)
            along_time = self._median(magnitude, dim=1)
            along_frequency = self._median(magnitude, dim=2)
            harmonic, percussive = _soft_masks(along_time, along_frequency)
            parts = torch.stack([harmonic, percussive], dim=1).mul_(magnitude.unsqueeze(1))
            return self.mel_basis @ parts.square_().transpose(-1, -2)

    def _median(self, magnitude: torch.Tensor, dim: int) -> torch.Tensor:
        return sliding_median(magnitude, self.kernel, dim)

    def _magnitude(self, waves: torch.Tensor) -> torch.Tensor:
        """Return |STFT|, (batch, frames, bins)."""
        # In 32 bits the quiet bins beside a loud tone are wrong by some thousandths of a decibel.
        dtype = torch.float32 if waves.device.type == "mps" else torch.float64
        spectrum = torch.stft(
            waves.to(dtype),
            self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=torch.hann_window(self.win_length, dtype=dtype, device=waves.device),
            pad_mode="constant",
            return_complex=True,
        )
        parts = torch.view_as_real(spectrum.transpose(-1, -2).to(torch.complex64))
        return torch.hypot(parts[..., 0], parts[..., 1])


def sliding_median(
    x: torch.Tensor, kernel: int, dim: int, *, in_blocks: bool = True
) -> torch.Tensor:
    """Return the median of the `kernel` numbers around each one along a dimension.

    Beyond an end the numbers are mirrored, the last one repeated (scipy.ndimage's "reflect").

    Args:
        x: any shape and real type.
        kernel: odd; 3, 7, 15, 31 …, twice a power of two less one.
        dim: along which to filter.
        in_blocks: of which a processor's cache holds all that is alive; else in one piece, whose
            operations do not depend on x's size, as a recorded graph wants it.

    Raises:
        ValueError: for any other kernel.
    """
    _check_kernel(kernel)
    lines = x.movedim(dim, 0)
    columns = lines.reshape(len(lines), -1)
    length, reach = len(columns), kernel // 2
    # Medians are made two at a time; an odd one out has a partner that is dropped.
    place = torch.arange(-reach, length + length % 2 + reach, device=x.device)
    place = place.remainder(torch.full_like(place, 2 * length))
    place = torch.minimum(place, 2 * length - 1 - place)
    if not in_blocks:
        medians = _median_of_windows(columns.index_select(0, place), kernel).narrow(0, 0, length)
        return medians.reshape(lines.shape).movedim(0, dim)
    width = max(1, _BLOCK.get(x.device.type, _BLOCK_GPU) // len(place))
    filtered = torch.empty_like(columns)
    for start in range(0, columns.shape[1], width):
        block = columns[:, start : start + width].index_select(0, place)
        filtered[:, start : start + width] = _median_of_windows(block, kernel)[:length]
    return filtered.reshape(lines.shape).movedim(0, dim)


def _median_of_windows(x: torch.Tensor, kernel: int) -> torch.Tensor:
    """Return the medians of all windows of `kernel` lines, (lines - kernel + 1, columns).

    The windows that begin at an even line and at the next one lie in one stretch of kernel + 1
    lines; each leaves out one end of it. Of the two numbers in the middle of the stretch, a
    window's median is the upper one if what it leaves out is not above the lower one, else the
    lower. A stretch is two sorted windows of half its length, one after the other.
    """
    even, odd = x.unflatten(0, (-1, 2)).unbind(1)
    half = (kernel + 1) // 2
    pairs = (len(x) - kernel + 1) // 2
    ranks = _sorted_windows(even, odd, half)
    low = high = even
    for rank in range(half):
        one, other = ranks[rank].narrow(0, 0, pairs), ranks[-1 - rank].narrow(0, half // 2, pairs)
        smaller, larger = torch.minimum(one, other), torch.maximum(one, other)
        low = torch.maximum(low, smaller) if rank else smaller
        high = torch.minimum(high, larger) if rank else larger
    medians = x.new_empty(pairs, 2, x.shape[1])
    medians[:, 0] = torch.where(odd.narrow(0, half - 1, pairs) > low, low, high)
    medians[:, 1] = torch.where(even.narrow(0, 0, pairs) > low, low, high)
    return medians.flatten(0, 1)


def _sorted_windows(even: torch.Tensor, odd: torch.Tensor, length: int) -> list[torch.Tensor]:
    """Return the numbers of each window of `length` lines that begins at an even line, by rank.

    The list has `length` tensors (windows, columns), the smallest first. Each doubling merges a
    sorted window with the one that follows it (Batcher's odd-even merge).
    """
    ranks = [torch.minimum(even, odd), torch.maximum(even, odd)]
    while (sorted_length := len(ranks)) < length:
        shift = sorted_length // 2
        rest = len(ranks[0]) - shift
        ranks = [r.narrow(0, start, rest) for start in (0, shift) for r in ranks]
        step = sorted_length
        while step:
            first = 0 if step == sorted_length else step
            for start in range(first, 2 * sorted_length - step, 2 * step):
                for i in range(start, start + step):
                    one, other = ranks[i], ranks[i + step]
                    ranks[i], ranks[i + step] = (
                        torch.minimum(one, other),
                        torch.maximum(one, other),
                    )
            step //= 2
    return ranks


def _soft_masks(
    harmonic: torch.Tensor, percussive: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each one's share of the sum of squares; halves where both are zero."""
    larger = torch.maximum(harmonic, percussive)
    silent = larger < torch.finfo(larger.dtype).tiny
    larger = larger.masked_fill_(silent, 1.0)
    harmonic, percussive = (harmonic / larger).square_(), (percussive / larger).square_()
    total = (harmonic + percussive).masked_fill_(silent, 1.0)
    masks = [part.div_(total).masked_fill_(silent, 0.5) for part in (harmonic, percussive)]
    return masks[0], masks[1]


def _check_kernel(kernel: int) -> None:
    if kernel < 3 or (kernel + 1) & kernel:
        raise ValueError(f"kernel={kernel}: medians of 3, 7, 15, 31, 63 … are available")
