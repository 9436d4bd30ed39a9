"""The ONNX graphs of the loops view: loops of 2 s in, a score or a vector out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from mashnet.audio.spectrogram import to_common_level
from mashnet.export.recording import assemble, record
from mashnet.export.traceable import traceable_log_mel
from mashnet.models.loops.loop_cnn import LoopCnn
from mashnet.models.loops.loop_siamese import MARGIN, LoopSiamese
from mashnet.models.loops.scoring import LoopScorer

if TYPE_CHECKING:
    from onnx import GraphProto


def loop_graphs(scorer: LoopScorer) -> dict[str, GraphProto]:
    """Return the graphs of a Scorer of the loops view, by file name.

    `model.onnx` has the score of two loops. A network that encodes each loop by itself has
    `loop.onnx` as well.
    """
    samples = scorer.frontend.samples
    waves = 0.1 * torch.randn(2, 2, samples, generator=torch.manual_seed(0))
    one, other = scorer.roles
    pair = f"float[batch, {samples}] {one}, float[batch, {samples}] {other}"
    if isinstance(scorer.network, LoopCnn):
        judge = record(
            _Mixed(scorer), list(waves), inputs=scorer.roles, outputs=["score"], fixed=scorer.roles
        )
        text = f"mashnet ({pair}) => (float[batch] score) {{ score = judge ({one}, {other}) }}"
        return {"model.onnx": assemble(text, {"judge": judge})}
    encode = record(
        _Encoder(scorer), [waves[0]], inputs=["loop"], outputs=["vector"], fixed=["loop"]
    )
    d = encode.output[0].type.tensor_type.shape.dim[1].dim_value
    constants = f"<int64[1] axis = {{1}}, float margin = {{{MARGIN}}}, float best = {{1.0}}>"
    distance = f"""
      a = encode ({one})
      b = encode ({other})
      between = Sub (a, b)
      distance = ReduceL2 <keepdims = 0> (between, axis)
      share = Div (distance, margin)
      score = Sub (best, share)"""
    score = f"mashnet ({pair}) => (float[batch] score) {constants} {{ {distance} }}"
    embed = f"float[batch, {samples}] loop) => (float[batch, {d}] loop_embedding"
    embed = f"mashnet ({embed}) {{ loop_embedding = encode (loop) }}"
    return {
        "model.onnx": assemble(score, {"encode": encode}),
        "loop.onnx": assemble(embed, {"encode": encode}),
    }


class _Mixed(nn.Module):
    """What `LoopCnnScorer.score` does, for pairs."""

    def __init__(self, scorer: LoopScorer) -> None:
        super().__init__()
        self.network = scorer.network
        self.log_mel = traceable_log_mel(scorer.frontend.log_mel)
        self.eval()

    def forward(self, loop_a: torch.Tensor, loop_b: torch.Tensor) -> torch.Tensor:
        """Map pairs of loops, (batch, samples) each, to posteriors (batch,)."""
        mixed = (to_common_level(loop_a) + to_common_level(loop_b)) / 2
        return self.network({"mix": self.log_mel(mixed)}).sigmoid()


class _Encoder(nn.Module):
    """What `LoopSiameseScorer.embed_query` does."""

    def __init__(self, scorer: LoopScorer) -> None:
        super().__init__()
        self.skeleton = cast(LoopSiamese, scorer.network).skeleton
        self.log_mel = traceable_log_mel(scorer.frontend.log_mel)

    def forward(self, loop: torch.Tensor) -> torch.Tensor:
        """Map loops (batch, samples) to vectors (batch, d)."""
        return self.skeleton(self.log_mel(to_common_level(loop)))
