"""From a torch module to an ONNX graph, and from several graphs to one."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

OPSET = 18  # in which torch records; of December 2022


def record(
    module: nn.Module,
    examples: Sequence[torch.Tensor],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    fixed: Sequence[str] = (),
) -> GraphProto:
    """Record a module as an ONNX graph whose inputs have any batch and any length.

    Args:
        module: on the CPU.
        examples: an input each, (batch, …), all of one batch; no axis that varies is 0 or 1 long.
        inputs: names of the inputs.
        outputs: names of the outputs.
        fixed: inputs whose other axes than the batch have one length only.
    """
    import onnx.inliner

    varies = torch.export.Dim.DYNAMIC
    shapes: tuple[Any, ...] = tuple(
        {axis: varies for axis in range(1 if name in fixed else example.dim())}
        for name, example in zip(inputs, examples, strict=True)
    )
    takes_any_number = bool(module.forward.__code__.co_flags & inspect.CO_VARARGS)
    log = logging.getLogger("torch")
    level = log.level
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of what torch is about to change inside
        log.setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                module.eval(),
                tuple(examples),
                dynamo=True,
                dynamic_shapes=(shapes,) if takes_any_number else shapes,
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=OPSET,
                verbose=False,
            )
        finally:
            log.setLevel(level)
    assert program is not None
    graph = onnx.inliner.inline_local_functions(program.model_proto).graph
    _strip(graph)
    return graph


def _strip(graph: GraphProto) -> None:
    """Remove what no runtime reads: in whose files, at which line, an operation was recorded."""
    for field in ("value_info", "doc_string", "metadata_props"):
        graph.ClearField(field)
    for part in (*graph.input, *graph.output, *graph.initializer, *graph.node):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for inner in _inside(graph.node):
        _strip(inner)


def _inside(nodes: Iterable[NodeProto]) -> list[GraphProto]:
    """Return the graphs that nodes have as attributes: the bodies of loops."""
    return [a.g for node in nodes for a in node.attribute if a.HasField("g")]


def assemble(text: str, graphs: dict[str, GraphProto]) -> GraphProto:
    """Return a graph from ONNX's text form in which operators stand for recorded graphs.

    Args:
        text: as `onnx.parser` reads it.
        graphs: what operators stand for, by name; each may stand in several places, also in
            bodies of loops, and has its weights in the file once.
    """
    import onnx.parser

    graph = onnx.parser.parse_graph(text)
    used = _put_in_place(graph, graphs)
    for name in sorted(used):
        for tensor in graphs[name].initializer:
            graph.initializer.append(tensor)
            graph.initializer[-1].name = f"{name}/{tensor.name}"
    _remove_copies(graph)
    return graph


def _put_in_place(graph: GraphProto, graphs: dict[str, GraphProto]) -> set[str]:
    """Put graphs where nodes stand for them; return the names of those that were met."""
    used, nodes = set(), []
    for node in graph.node:
        for inner in _inside([node]):
            used |= _put_in_place(inner, graphs)
        if node.op_type in graphs:
            used.add(node.op_type)
            nodes += _connected(graphs[node.op_type], node)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return used


def _connected(graph: GraphProto, stand_in: NodeProto) -> list[NodeProto]:
    """Return copies of a graph's nodes, connected where a node stands that is one for it."""
    names = dict(zip((v.name for v in graph.input), stand_in.input, strict=True))
    names |= dict(zip((v.name for v in graph.output), stand_in.output, strict=True))
    names |= {tensor.name: f"{stand_in.op_type}/{tensor.name}" for tensor in graph.initializer}
    copied = type(graph)()
    copied.CopyFrom(graph)
    place = stand_in.output[0]
    _rename(copied, lambda name: names.get(name, f"{place}/{name}"))
    return list(copied.node)


def _rename(graph: GraphProto, renamed: Callable[[str], str]) -> None:
    for node in graph.node:
        node.name = renamed(node.name)
        node.input[:] = [renamed(name) if name else name for name in node.input]
        node.output[:] = [renamed(name) if name else name for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = renamed(value.name)
    for inner in _inside(graph.node):
        _rename(inner, renamed)


def _remove_copies(graph: GraphProto) -> None:
    """Keep of equal weights one, and none that nothing reads."""
    import onnx.numpy_helper

    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    instead = {}
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        key = tensor.data_type, tuple(tensor.dims), values.tobytes()
        instead[tensor.name] = first.setdefault(key, tensor.name)
    _rename(graph, lambda name: instead.get(name, name))
    read = _names_read(graph)
    kept = {tensor.name: tensor for tensor in graph.initializer if tensor.name in read}
    weights = list(kept.values())
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _names_read(graph: GraphProto) -> set[str]:
    names = {name for node in graph.node for name in node.input}
    names |= {value.name for value in graph.output}
    return names.union(*map(_names_read, _inside(graph.node)))
