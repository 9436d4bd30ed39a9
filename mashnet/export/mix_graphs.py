"""The ONNX graph of the mixes view: three stems in, their mashability out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from mashnet.audio.spectrogram import to_common_level
from mashnet.data.mashupdb import ROLES
from mashnet.export.recording import assemble, record
from mashnet.export.traceable import traceable_log_mel
from mashnet.models.mixes.scoring import MixScorer

if TYPE_CHECKING:
    from onnx import GraphProto

_HEARD_APART = """
  vocal_mel = log_mel (vocal)
  harmonic_mel = log_mel (harmonic)
  percussion_mel = log_mel (percussion)
"""

_HEARD_MIXED = "  mix_mel = log_mel (vocal, harmonic, percussion)\n"

_COUNT = """
  {role}_frames = Shape <start = 1, end = 2> ({role}_mel)
  {role}_above = Add ({role}_frames, window_less_one)
  {role}_count = Div ({role}_above, window)
"""

# A window of a role; what is missing at its end is silence, which is 0 in a log-mel.
_WINDOW = """
    {role}_cut = Slice ({role}_mel, start, stop, one)
    {role}_length = Shape <start = 1, end = 2> ({role}_cut)
    {role}_missing = Sub (window, {role}_length)
    {role}_pads = Concat <axis = 0> (zero, zero, zero, zero, {role}_missing, zero)
    {role}_window = Pad ({role}_cut, {role}_pads)
"""

# One window after the other, so that what is in memory does not grow with the length. Each counts
# as far as the emptiest role fills it.
_JUDGED = """
  {counts}
  windows = Squeeze (count, zero)
  weighted, shares = Loop <body = window (int64 i, bool on)
      => (bool still, float[batch] counted, float share) {{
    still = Identity (on)
    row = Unsqueeze (i, zero)
    start = Mul (row, window)
    stop = Add (start, window)
    {cut}
    {lengths}
    length = Cast <to = 1> (shortest)
    filled = Div (length, window_float)
    share = Squeeze (filled, zero)
    posterior = judge ({judged})
    counted = Mul (posterior, share)
  }}> (windows, yes)
  sum = ReduceSum <keepdims = 0> (weighted, zero)
  evidence = ReduceSum <keepdims = 0> (shares, zero)
  score = Div (sum, evidence)
"""


def mix_graphs(scorer: MixScorer) -> dict[str, GraphProto]:
    """Return the graph of a Scorer of the mixes view, by file name."""
    frontend = scorer.frontend
    window, heard = frontend.window_frames, _inputs_of(scorer)
    apart = heard == ROLES
    random = torch.manual_seed(0)
    samples = 2 * window * frontend.log_mel.hop_length
    waves = [0.1 * torch.randn(2, samples - 1000 * i, generator=random) for i in range(3)]
    graphs = {
        "log_mel": record(
            _LogMel(scorer) if apart else _LogMelOfSum(scorer),
            waves[:1] if apart else waves,
            inputs=("wave",) if apart else ROLES,
            outputs=("mel",),
        ),
        "judge": record(
            _Judge(scorer),
            [torch.rand(2, window, frontend.log_mel.n_mels, generator=random) for _ in heard],
            inputs=heard,
            outputs=("posterior",),
            fixed=heard,
        ),
    }
    inputs = ", ".join(f"float[batch, {role}_samples] {role}" for role in ROLES)
    body = (_HEARD_APART if apart else _HEARD_MIXED) + "".join(
        _COUNT.format(role=role) for role in heard
    )
    body += _JUDGED.format(
        counts=f"count = Min ({', '.join(f'{role}_count' for role in heard)})",
        cut="".join(_WINDOW.format(role=role) for role in heard),
        lengths=f"shortest = Min ({', '.join(f'{role}_length' for role in heard)})",
        judged=", ".join(f"{role}_window" for role in heard),
    )
    constants = f"""<int64[1] zero = {{0}}, int64[1] one = {{1}}, bool yes = {{1}},
      int64[1] window = {{{window}}}, int64[1] window_less_one = {{{window - 1}}},
      float window_float = {{{float(window)}}}>"""
    text = f"mashnet ({inputs}) => (float[batch] score) {constants} {{ {body} }}"
    return {"model.onnx": assemble(text, graphs)}


def _inputs_of(scorer: MixScorer) -> tuple[str, ...]:
    return tuple(cast(Iterable[str], scorer.network.inputs))


class _LogMel(nn.Module):
    """What `MixFrontend.log_mel_of` does with one part, for a batch."""

    def __init__(self, scorer: MixScorer) -> None:
        super().__init__()
        self.log_mel = traceable_log_mel(scorer.frontend.log_mel)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to log-mels (batch, frames, mels)."""
        return self.log_mel(to_common_level(wave))


class _LogMelOfSum(nn.Module):
    """What `MixFrontend.log_mel_of` does with several parts, for a batch."""

    def __init__(self, scorer: MixScorer) -> None:
        super().__init__()
        self.log_mel = traceable_log_mel(scorer.frontend.log_mel)

    def forward(
        self, vocal: torch.Tensor, harmonic: torch.Tensor, percussion: torch.Tensor
    ) -> torch.Tensor:
        """Map waves (batch, samples), each as long as it is, to log-mels (batch, frames, mels)."""
        waves = [to_common_level(wave) for wave in (vocal, harmonic, percussion)]
        longest = waves[0].shape[-1]
        for wave in waves[1:]:
            longest = torch.sym_max(longest, wave.shape[-1])  # type: ignore[assignment]
        padded = [nn.functional.pad(wave, (0, longest - wave.shape[-1])) for wave in waves]
        return self.log_mel(to_common_level(torch.stack(padded).sum(0)))


class _Judge(nn.Module):
    """The network on windows, in the order of its inputs."""

    def __init__(self, scorer: MixScorer) -> None:
        super().__init__()
        self.network, self.inputs = scorer.network, _inputs_of(scorer)

    def forward(self, *mels: torch.Tensor) -> torch.Tensor:
        """Map log-mels (batch, frames, mels) to posteriors (batch,)."""
        heard = dict(zip(self.inputs, mels, strict=True))
        return self.network(heard).softmax(-1)[:, 1]
