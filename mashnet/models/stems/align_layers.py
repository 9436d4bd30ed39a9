"""What AlignNet is made of: filters, and vectors that keep their place in time."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mashnet.audio.descriptors import ONSET_RATE
from mashnet.audio.onset_and_pitch import NUM_BANDS, OCTAVES

_AROUND_S = 0.1  # to either side


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Flatten (batch, …) to (batch, d) of length one; what is silent stays zero."""
    return functional.normalize(vectors.flatten(1), dim=1, eps=1e-6)


def centred(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Take the mean along a dimension off."""
    return x - x.mean(dim, keepdim=True)


def of_length(frames: torch.Tensor, count: int) -> torch.Tensor:
    """Cut (…, frames) or fill it with zeros, so that sounds of any length can be compared."""
    return functional.pad(frames[..., :count], (0, count - min(count, frames.shape[-1])))


def autocorrelation(frames: torch.Tensor, first_lag_s: float, last_lag_s: float) -> torch.Tensor:
    """Return products with itself, lag by lag: (…, frames) at 50 per second → (…, lags)."""
    first, last = round(first_lag_s * ONSET_RATE), round(last_lag_s * ONSET_RATE)
    size = 2 * max(frames.shape[-1], last + 1)
    spectrum = torch.fft.rfft(frames, n=size)
    power = spectrum.real.square() + spectrum.imag.square()
    return torch.fft.irfft(power, n=size)[..., first : last + 1]


def pitch_classes(pitches: torch.Tensor) -> torch.Tensor:
    """Sum semitones (batch, 84, frames) over octaves: (batch, 12, frames)."""
    return pitches.unflatten(1, (OCTAVES, 12)).sum(1)


def compressed(pitches: torch.Tensor) -> torch.Tensor:
    """Return log(1 + 100 × level), level 1 being the loudest of the sound."""
    loudest = pitches.amax((1, 2), keepdim=True).clamp_min(1e-6)
    return torch.log1p(100 * pitches / loudest)


def tonal(pitches: torch.Tensor) -> torch.Tensor:
    """Keep what stands out among its neighbouring semitones and lasts: (batch, 84, frames).

    A stroke is over within a frame or two and fills all semitones: a level is no higher than the
    median of 0.5 s around it, and only what exceeds the median of the octave around it counts.
    """
    lasting = torch.minimum(pitches, _running_median(pitches, 2))
    around = _running_median(lasting.transpose(1, 2), 6).transpose(1, 2)
    return (lasting - around).clamp(min=0)


def _running_median(x: torch.Tensor, reach: int) -> torch.Tensor:
    """Return medians along the last of three dimensions, over `reach` places to either side."""
    padded = functional.pad(x, (reach, reach), mode="replicate")
    return padded.unfold(-1, 2 * reach + 1, 1).median(-1).values


def change_of(pitches: torch.Tensor) -> torch.Tensor:
    """Return how much levels rise at each frame: (batch, 84, frames) → (batch, frames - 1)."""
    return centred(compressed(pitches).diff(dim=-1).clamp(min=0).sum(1))


class TimeFilter(nn.Module):
    """A filter over time, learned; a new one takes the mean of 0.2 s around each moment off."""

    def __init__(self, reach_frames: int) -> None:
        """Set how far it reaches to either side."""
        super().__init__()
        self.reach = reach_frames
        around = min(reach_frames, round(_AROUND_S * ONSET_RATE))
        taps = torch.zeros(2 * reach_frames + 1)  # beside the identity
        taps[reach_frames - around : reach_frames + around + 1] = -1 / (2 * around + 1)
        self.taps = nn.Parameter(taps)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Filter (batch, frames); silence is assumed beyond both ends."""
        weights = self.taps[None, None]
        return frames + functional.conv1d(frames[:, None], weights, padding=self.reach)[:, 0]


class Events(nn.Module):
    """Onsets per band → a few channels of events, (batch, channels, frames)."""

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        """Set the sizes."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(NUM_BANDS),
            nn.Conv1d(NUM_BANDS, width, 1),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv1d(width, width, 5, padding=2, groups=width),
            nn.Conv1d(width, channels, 1),
        )

    def forward(self, onsets: torch.Tensor) -> torch.Tensor:
        """Return events without their mean over time."""
        return centred(self.layers(onsets))


class Chords(nn.Module):
    """Semitones → channels × 12 × frames; a transposition of the input rolls the 12."""

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        """Set the sizes."""
        super().__init__()
        self.norm = nn.BatchNorm2d(OCTAVES)
        self.first = nn.Conv2d(OCTAVES, width, (12, 3))
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(width, channels, (12, 1))

    def forward(self, pitches: torch.Tensor) -> torch.Tensor:
        """Return chords (batch, channels, 12, frames), less their mean over the 12."""
        x = self.norm(compressed(pitches).unflatten(1, (OCTAVES, 12)))
        x = functional.pad(_round_the_octave(x), (1, 1))
        x = self.dropout(functional.gelu(self.first(x)))
        return centred(self.second(_round_the_octave(x)), 2)


def _round_the_octave(x: torch.Tensor) -> torch.Tensor:
    """Let pitch class B be followed by C: (batch, channels, 12, frames) → (…, 23, frames)."""
    return torch.cat([x, x[:, :, :11]], 2)


def moved_in_time(frames: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Turn each row of (batch, rows, frames) round by a share of its length, (batch,)."""
    count = frames.shape[-1]
    shift = (shares * count).round().long()
    index = (torch.arange(count, device=frames.device)[None] - shift[:, None]) % count
    return frames.gather(-1, index[:, None].expand_as(frames))


def moved_in_pitch(pitches: torch.Tensor, semitones: torch.Tensor) -> torch.Tensor:
    """Move (batch, 84, frames) up by semitones (batch,); what leaves on top comes in below."""
    rows = pitches.shape[1]
    index = (torch.arange(rows, device=pitches.device)[None] - semitones[:, None]) % rows
    return pitches.gather(1, index[:, :, None].expand_as(pitches))
