"""A vision transformer over log-mel patches: the encoder of contrastive, jepa and stem_jepa.

Riou et al., "Zero-shot Musical Stem Retrieval with Joint-Embedding Predictive Architectures"
(ICASSP 2025), and Stem-JEPA (ISMIR 2024), section 3: ViT-Base without a class token on 80 mels at
16 kHz. The defaults are theirs.
"""

from __future__ import annotations

import math

import torch
import torchaudio
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mashnet.errors import ConfigError

SAMPLE_RATE = 16_000  # Hz
HOP_SAMPLES = 160  # 10 ms
WINDOW_SAMPLES = 400  # 25 ms
NUM_MELS = 80
PATCH = 16  # frames, and mels
BANDS = NUM_MELS // PATCH  # patches on top of each other
PATCH_SAMPLES = PATCH * HOP_SAMPLES
TOKEN_S = PATCH_SAMPLES / SAMPLE_RATE  # 0.16
HEAD_WIDTH = 64  # of every published ViT

# Mean and standard deviation of the log-mels of Stem-JEPA's training songs.
LOG_MEAN, LOG_STD = -9.453, 3.569
_POWER_FLOOR = torch.finfo(torch.float32).eps


class MelPatches(nn.Module):
    """Waves (batch, samples) at 16 kHz → patches (batch, 5, T, 256) of a log-mel spectrogram.

    The natural logarithm of mel power plus 1.2e-7, brought to zero mean and unit variance by two
    fixed numbers: nothing depends on the other sounds of a batch or on what else a sound holds.
    Waves are filled up with silence to whole patches before the transform, so that all of a sound
    is heard and what is added is silence afterwards, too: (ln 1.2e-7 + 9.453) / 3.569 = -1.82,
    not 0, which is an average level.
    """

    filters: torch.Tensor
    window: torch.Tensor

    def __init__(self) -> None:
        """Build the filters; they are constants and no part of the state."""
        super().__init__()
        with torch.device("cpu"):  # also where a network is only laid out, on "meta"
            filters = torchaudio.functional.melscale_fbanks(
                n_freqs=WINDOW_SAMPLES // 2 + 1,
                f_min=50.0,
                f_max=SAMPLE_RATE / 2,
                n_mels=NUM_MELS,
                sample_rate=SAMPLE_RATE,
                norm="slaney",
                mel_scale="slaney",
            )
            window = torch.hann_window(WINDOW_SAMPLES)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return patches, (batch, 5, T, 256), T = ceil(samples / 2560)."""
        num_patches = max(1, (waves.shape[-1] + PATCH_SAMPLES - 1) // PATCH_SAMPLES)
        filled = functional.pad(waves, (0, num_patches * PATCH_SAMPLES - waves.shape[-1]))
        # Half precision has no room for the powers of quiet sounds.
        with torch.autocast(waves.device.type, enabled=False):
            power = self.power(filled.float())
            mels = self.filters.T @ power[..., : num_patches * PATCH]  # the last frame is beyond
            normalised = ((mels + _POWER_FLOOR).log() - LOG_MEAN) / LOG_STD
        cut = normalised.unflatten(-1, (num_patches, PATCH)).unflatten(-3, (BANDS, PATCH))
        return cut.transpose(-3, -2).flatten(-2)

    def power(self, waves: torch.Tensor) -> torch.Tensor:
        """Return |STFT|², (batch, bins, frames), with a frame centred on each multiple of 10 ms."""
        spectrum = torch.stft(
            waves, WINDOW_SAMPLES, HOP_SAMPLES, window=self.window, return_complex=True
        )
        return torch.view_as_real(spectrum).square().sum(-1)


class Vit(nn.Module):
    """Log-mel patches → transformer → one token per patch; 85.3 M weights at the defaults.

    (Stem-JEPA's count of 85.4 M includes its table of positions, 192,000 fixed numbers that are
    computed here.)
    """

    token_s = TOKEN_S
    sample_rate = SAMPLE_RATE

    def __init__(self, *, width: int = 768, depth: int = 12, recompute: bool = False) -> None:
        """Set the sizes.

        Args:
            width: of a token; heads are 64 wide, as in every published ViT.
            depth: number of transformer blocks.
            recompute: in training, keep only what goes into each block and compute the rest
                again for the gradients: a fraction of the memory for a quarter more operations.

        Raises:
            ConfigError: if the width is no multiple of 64, or there is no block.
        """
        super().__init__()
        if width < HEAD_WIDTH or width % HEAD_WIDTH:
            raise ConfigError(f"width={width} must be a multiple of {HEAD_WIDTH}")
        if depth < 1:
            raise ConfigError(f"depth={depth} must be at least 1")
        self.width, self.depth, self.recompute = width, depth, recompute
        self.patches = MelPatches()
        self.embed = nn.Linear(PATCH * PATCH, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-5)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) at 16 kHz to tokens (batch, 5 * T, width).

        The T tokens of the lowest sixteen mels come first, in order of time, those of the highest
        last. T = ceil(samples / 2560); 8 s give 5 * 50 = 250 tokens.
        """
        patches = self.patches(waves)
        x = self.embed(patches)
        x = (x + positions(patches.shape[-2], self.width, device=x.device)).flatten(1, 2)
        for block in self.blocks:
            if self.recompute and self.training and torch.is_grad_enabled():
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.norm(x)

    def tokens(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to tokens in order of time, (batch, T, 5 * width).

        The five patches of a moment stand one after the other, lowest first, as the published
        evaluation of frozen encoders has them. Each moment lasts `token_s`.
        """
        return by_time(self(waves))


def by_time(tokens: torch.Tensor) -> torch.Tensor:
    """Rearrange tokens (batch, 5 * T, d) to (batch, T, 5 * d)."""
    return tokens.unflatten(1, (BANDS, -1)).transpose(1, 2).flatten(2)


class Block(nn.Module):
    """A pre-norm transformer block: attention of all to all, then two dense layers."""

    def __init__(self, width: int) -> None:
        """Set the width; the hidden dense layer is four times as wide."""
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.norm_attention = nn.LayerNorm(width, eps=1e-5)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.norm_dense = nn.LayerNorm(width, eps=1e-5)
        self.dense_in = nn.Linear(width, 4 * width)
        self.dense_out = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map tokens (batch, tokens, width) to the same shape."""
        parts = self.queries_keys_values(self.norm_attention(x))
        # (batch, tokens, 3 * width) → three of (batch, heads, tokens, 64)
        queries, keys, values = parts.unflatten(-1, (3, self.heads, HEAD_WIDTH)).unbind(-3)
        heard = functional.scaled_dot_product_attention(
            queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
        )
        x = x + self.attention_out(heard.transpose(1, 2).flatten(2))
        return x + self.dense_out(functional.gelu(self.dense_in(self.norm_dense(x))))


def positions(num_moments: int, width: int, *, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the fixed sine-cosine embedding of 5 bands × T moments, (5, T, width).

    The first half of a vector tells the moment, the second the band; each holds the sines and then
    the cosines of the position times 10000^(-2i / (width / 2)), i = 0, 1, … (MAE, He et al.,
    CVPR 2022). Any T will do.
    """
    quarter = width // 4
    steps = torch.arange(quarter, device=device, dtype=torch.float32) / quarter
    rates = torch.exp(-math.log(10_000.0) * steps)

    def waves_of(count: int) -> torch.Tensor:
        angles = torch.arange(count, device=device, dtype=torch.float32)[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    moments = waves_of(num_moments).expand(BANDS, -1, -1)
    bands = waves_of(BANDS)[:, None].expand(-1, num_moments, -1)
    return torch.cat([moments, bands], dim=-1)
