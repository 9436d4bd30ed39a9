"""The ONNX graphs of the stems view: windows in a loop, their vectors put together, a score.

What `StemScorer` does in Python around its network is written down in ONNX's own text form; the
network, recorded for one window of any length, takes the place of operators such as `encode`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from mashnet.data.stems.frontend import SILENCE_RMS
from mashnet.export.instruments import condition_of
from mashnet.export.recording import assemble, record
from mashnet.export.traceable import traceable_network
from mashnet.models.stems.cocola import Cocola
from mashnet.models.stems.predictive import PredictiveNetwork
from mashnet.models.stems.scoring import LEAST_S, StemNetwork, StemScorer
from mashnet.models.stems.stem_jepa import StemJepa

if TYPE_CHECKING:
    from onnx import GraphProto

SIDES = ("context", "target")
INSTRUMENT = "instrument"

# The windows of a side. A last window that ends early keeps whole seconds, of silence at the end,
# and counts as far as it is filled; one that is silent does not count at all.
_WINDOWS = """
  {side}_shape = Shape <start = 1, end = 2> ({side})
  {side}_up = Add ({side}_shape, window_less_one)
  {side}_count = Div ({side}_up, window)
  {side}_windows = Squeeze ({side}_count, zero)
  {side}_vectors, {side}_weights = Loop <body = {side}_window (int64 i, bool on)
      => (bool {side}_on, float[batch, d] {side}_vector, float[batch] {side}_weight) {{
    {side}_on = Identity (on)
    {side}_i = Unsqueeze (i, zero)
    {side}_start = Mul ({side}_i, window)
    {side}_rest = Sub ({side}_shape, {side}_start)
    {side}_length = Min ({side}_rest, window)
    {side}_stop = Add ({side}_start, {side}_length)
    {side}_sound = Slice ({side}, {side}_start, {side}_stop, one)
    {side}_above = Add ({side}_length, second_less_one)
    {side}_seconds = Div ({side}_above, second)
    {side}_whole = Mul ({side}_seconds, second)
    {side}_enough = Max ({side}_whole, least)
    {side}_heard = Min ({side}_enough, window)
    {side}_missing = Sub ({side}_heard, {side}_length)
    {side}_pads = Concat <axis = 0> (zero, zero, zero, {side}_missing)
    {side}_wave = Pad ({side}_sound, {side}_pads)
    {side}_filled = Cast <to = 1> ({side}_length)
    {side}_share = Div ({side}_filled, window_float)
    {side}_energy = ReduceSumSquare <keepdims = 0> ({side}_sound, one)
    {side}_power = Div ({side}_energy, window_float)
    {side}_rms = Sqrt ({side}_power)
    {side}_silent = Less ({side}_rms, silence)
    {side}_weight = Where ({side}_silent, nothing, {side}_share)
    {side}_encoded = {encode} ({side}_wave{condition})
    {turned}
    {side}_silent_column = Unsqueeze ({side}_silent, one)
    {side}_vector = Where ({side}_silent_column, nothing, {side}_{found})
  }}> ({side}_windows, yes)
"""

_MEAN = """
  {side}_column = Unsqueeze ({side}_weights, two)
  {side}_weighted = Mul ({side}_vectors, {side}_column)
  {side}_sum = ReduceSum <keepdims = 0> ({side}_weighted, zero)
  {side}_norm = ReduceL2 ({side}_sum, one)
  {side}_divisor = Max ({side}_norm, tiny)
  {side}_embedding = Div ({side}_sum, {side}_divisor)
"""

_EACH_WINDOW = """
  {side}_embedding = Transpose <perm = [1, 0, 2]> ({side}_vectors)
  {side}_weight = Transpose <perm = [1, 0]> ({side}_weights)
"""

_COSINE = """
  products = Mul (context_embedding, target_embedding)
  score = ReduceSum <keepdims = 0> (products, one)
"""

# Windows that both sides have are compared; each product counts as far as both are filled.
_WINDOWS_MEET = """
  common = Min (context_count, target_count)
  contexts = Slice (context_vectors, zero, common, zero)
  targets = Slice (target_vectors, zero, common, zero)
  of_context = Slice (context_weights, zero, common, zero)
  of_target = Slice (target_weights, zero, common, zero)
  both = Mul (of_context, of_target)
  share = Sqrt (both)
  terms = Mul (contexts, targets)
  products = ReduceSum <keepdims = 0> (terms, two)
  counted = Mul (products, share)
  sum = ReduceSum <keepdims = 0> (counted, zero)
  evidence = ReduceSum <keepdims = 0> (share, zero)
  divisor = Max (evidence, tiny)
  mean = Div (sum, divisor)
  any = Greater (evidence, nothing)
  score = Where (any, mean, nothing)
"""


def stem_graphs(scorer: StemScorer) -> dict[str, GraphProto]:
    """Return the graphs of a Scorer of the stems view, by file name.

    `model.onnx` has both sides and the score of a pair; `context.onnx` and `target.onnx` have
    the embedding of one side, of which n and m give n × m scores.
    """
    network = cast(StemNetwork, traceable_network(scorer.network))
    recorded = _recorded(network)
    return {
        "model.onnx": _graph(scorer, SIDES, recorded),
        "context.onnx": _graph(scorer, SIDES[:1], recorded),
        "target.onnx": _graph(scorer, SIDES[1:], recorded),
    }


class _Context(nn.Module):
    """The side of a predictive network that is told what is missing."""

    def __init__(self, network: PredictiveNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, waves: torch.Tensor, instrument: torch.Tensor | None = None) -> torch.Tensor:
        """Map windows (batch, samples) to vectors (batch, d)."""
        if isinstance(self.network, StemJepa) and instrument is not None:
            instrument = self.network.class_vectors(instrument)
        return self.network.embed_conditioned(waves, instrument)


class _Target(nn.Module):
    """The side of a network that is told nothing."""

    def __init__(self, network: StemNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Map windows (batch, samples) to vectors (batch, d)."""
        return self.network.embed_target(waves)


class _Turn(nn.Module):
    """From a target's vector to a context's, where that is all that is between them."""

    def __init__(self, network: Cocola) -> None:
        super().__init__()
        self.bilinear = network.bilinear

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map (batch, d) to (batch, d)."""
        return vectors @ self.bilinear


def _recorded(network: StemNetwork) -> dict[str, GraphProto]:
    """Return what operators stand for: `encode`, of contexts `encode_context` or `turn` as well."""
    waves = 0.1 * torch.randn(2, 3 * network.sample_rate, generator=torch.manual_seed(0))
    found = {"encode": record(_Target(network), [waves], inputs=["wave"], outputs=["vector"])}
    if isinstance(network, Cocola):
        vectors = [torch.rand(2, len(network.bilinear))]
        found["turn"] = record(
            _Turn(network), vectors, inputs=["vector"], outputs=["turned"], fixed=["vector"]
        )
    elif isinstance(network, PredictiveNetwork):
        inputs = {"wave": waves}
        if (condition := condition_of(network, ["", ""])) is not None:
            inputs[INSTRUMENT] = torch.from_numpy(condition)
        found["encode_context"] = record(
            _Context(network),
            list(inputs.values()),
            inputs=list(inputs),
            outputs=["vector"],
            fixed=[INSTRUMENT],
        )
    return found


def _graph(scorer: StemScorer, sides: Sequence[str], recorded: dict[str, GraphProto]) -> GraphProto:
    network, frontend = scorer.network, scorer.frontend
    pair = len(sides) == 2
    condition = condition_of(network, ["", ""]) if "context" in sides else None
    inputs = [f"float[batch, {side}_samples] {side}" for side in sides]
    if condition is not None:
        is_class = condition.ndim == 1
        shape = "batch" if is_class else f"batch, {condition.shape[1]}"
        inputs.append(f"{'int64' if is_class else 'float'}[{shape}] {INSTRUMENT}")
    body = ""
    for side in sides:
        own = f"encode_{side}" if f"encode_{side}" in recorded else "encode"
        turned = side == "context" and "turn" in recorded
        body += _WINDOWS.format(
            side=side,
            encode=own,
            condition=f", {INSTRUMENT}" if own != "encode" and condition is not None else "",
            turned=f"{side}_turned = turn ({side}_encoded)" if turned else "",
            found="turned" if turned else "encoded",
        )
        if not network.windows_meet:
            body += _MEAN.format(side=side)
        elif not pair:
            body += _EACH_WINDOW.format(side=side)
    if pair:
        outputs = "float[batch] score"
        body += _WINDOWS_MEET if network.windows_meet else _COSINE
    elif network.windows_meet:
        outputs = f"float[batch, windows, d] {sides[0]}_embedding, "
        outputs += f"float[batch, windows] {sides[0]}_weight"
    else:
        outputs = f"float[batch, d] {sides[0]}_embedding"
    window, rate = frontend.window_samples, frontend.sample_rate
    least = window if network.whole_windows else LEAST_S * rate
    constants = f"""<
      int64[1] zero = {{0}}, int64[1] one = {{1}}, int64[1] two = {{2}}, bool yes = {{1}},
      int64[1] window = {{{window}}}, int64[1] window_less_one = {{{window - 1}}},
      int64[1] second = {{{rate}}}, int64[1] second_less_one = {{{rate - 1}}},
      int64[1] least = {{{least}}}, float window_float = {{{float(window)}}},
      float silence = {{{SILENCE_RMS}}}, float nothing = {{0.0}}, float tiny = {{1e-12}}>"""
    text = f"mashnet ({', '.join(inputs)}) => ({outputs}) {constants} {{ {body} }}"
    return assemble(text, recorded)
