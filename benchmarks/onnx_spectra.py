"""Three ways to a power spectrum in onnxruntime: time, size and exactness of each."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from mashnet.export.spectrum import PowerSpectrum

# What networks hear: the name, samples of a frame and between frames, Hz.
TRANSFORMS = (
    ("mixes, shipped", 4096, 512, 22_050),
    ("loops, published", 2048, 512, 44_100),
    ("transformers", 400, 160, 16_000),
)


class Stft(nn.Module):
    """torch.stft, which becomes ONNX's STFT."""

    window: torch.Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft))

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return power, (batch, frames, bins), of waves (batch, samples)."""
        spectrum = torch.stft(waves, self.n_fft, self.hop, window=self.window, return_complex=True)
        return torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2)


class WholeMatrix(nn.Module):
    """One product with all sines and cosines, as a convolution over the wave."""

    matrix: torch.Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        time_bins = torch.arange(n_fft)[:, None] * torch.arange(n_fft // 2 + 1) % n_fft
        angles = 2 * math.pi * time_bins.double() / n_fft
        window = torch.hann_window(n_fft, dtype=torch.float64)[:, None]
        matrix = window * torch.cat([angles.cos(), angles.sin()], 1)
        self.register_buffer("matrix", matrix.T[:, None].float().contiguous())

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return power, (batch, frames, bins), of waves (batch, samples)."""
        reach = self.n_fft // 2
        padded = nn.functional.pad(waves, (reach, reach), mode="reflect")
        found = nn.functional.conv1d(padded[:, None], self.matrix, stride=self.hop)
        real, imaginary = found.chunk(2, dim=1)
        return (real * real + imaginary * imaginary).transpose(1, 2)


def spectra(seconds: float, rounds: int, threads: int) -> list[dict[str, Any]]:
    """Measure all ways for all transforms."""
    return [
        _measure(transform, way, seconds, rounds, threads)
        for transform in TRANSFORMS
        for way in ("STFT", "whole matrix", "two products")
    ]


def _measure(
    transform: tuple[str, int, int, int], way: str, seconds: float, rounds: int, threads: int
) -> dict[str, Any]:
    import onnx
    import onnxruntime

    from mashnet.export.onnx_files import IR_VERSION
    from mashnet.export.recording import OPSET, record

    name, n_fft, hop, rate = transform
    window = torch.hann_window(n_fft)
    product = PowerSpectrum(window, n_fft=n_fft, hop_length=hop, pad_mode="reflect")
    module = {"STFT": Stft(n_fft, hop), "whole matrix": WholeMatrix(n_fft, hop)}.get(way, product)
    waves = 0.1 * torch.randn(2, round(seconds * rate), generator=torch.manual_seed(0))
    graph = record(module, [waves], inputs=["wave"], outputs=["power"])
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    content = model.SerializeToString()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    one = waves[:1].numpy()
    times = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        found = session.run(None, {"wave": one})[0]
        times.append(time.perf_counter() - began_s)
    if way == "two products":
        found = found[..., product.order.numpy()]
    double = waves[:1].double()
    exact = torch.stft(double, n_fft, hop, window=window.double(), return_complex=True).abs()
    difference = np.abs(np.sqrt(found) - exact.transpose(1, 2).numpy()).max() / float(exact.max())
    return {
        "transform": f"{name}: {n_fft} / {hop} at {rate} Hz",
        "way": way,
        "ms": round(1e3 * min(times), 1),
        "file_mb": round(len(content) / 1e6, 2),
        "largest_error": float(f"{difference:.1e}"),
    }
