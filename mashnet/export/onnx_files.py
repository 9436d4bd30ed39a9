"""The ONNX files of a bundle: what is in them, and that they say what the Scorer says."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from mashnet.data.loops.loops import LOOP_S
from mashnet.data.parts import ArrayPart, Query
from mashnet.errors import ConfigError
from mashnet.export.instruments import condition_of, instruments_file
from mashnet.export.loop_graphs import loop_graphs
from mashnet.export.mix_graphs import mix_graphs
from mashnet.export.model_card import LICENCE
from mashnet.export.recording import OPSET
from mashnet.export.stem_graphs import stem_graphs
from mashnet.extras import advice
from mashnet.models.loops.loop_cnn import LoopCnn
from mashnet.models.loops.loop_siamese import LoopSiamese
from mashnet.models.loops.scoring import LoopScorer
from mashnet.models.mixes.postmixnet import PostMixNet
from mashnet.models.mixes.premixnet import PreMixNet
from mashnet.models.mixes.scoring import MixScorer
from mashnet.models.selfcheck import TOLERANCE, probe
from mashnet.models.stems.cocola import Cocola
from mashnet.models.stems.contrastive import Contrastive
from mashnet.models.stems.jepa import Jepa
from mashnet.models.stems.scoring import StemScorer
from mashnet.models.stems.stem_jepa import StemJepa
from mashnet.models.trained import TrainedScorer

if TYPE_CHECKING:
    from onnx import GraphProto

NETWORKS = {
    "premixnet": PreMixNet,
    "postmixnet": PostMixNet,
    "loop_cnn": LoopCnn,
    "loop_siamese": LoopSiamese,
    "contrastive": Contrastive,
    "jepa": Jepa,
    "stem_jepa": StemJepa,
    "cocola": Cocola,
}
FILES = ("model.onnx", "context.onnx", "target.onnx", "loop.onnx", "instruments.json")
IR_VERSION = 10  # of 2024, as the oldest onnxruntime that the extra allows reads it
_MOST_BYTES = 1.9e9  # a file holds 2 GB, the graph itself included


def require_exportable(scorer: TrainedScorer) -> None:
    """Return if a Scorer can be written as ONNX, here and now.

    Raises:
        ConfigError: if its network has no graph or is too large, or a package is missing.
    """
    if not isinstance(scorer.network, tuple(NETWORKS.values())):
        raise ConfigError(
            f"format=onnx: {type(scorer.network).__name__} cannot be written as ONNX; these can: "
            f"{', '.join(sorted(NETWORKS))}. Leave out format= for a bundle alone"
        )
    for package in ("onnx", "onnxruntime", "onnxscript"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ConfigError(
                f"format=onnx needs the package {package}; get it: {advice('onnx')}"
            ) from error
    size = sum(p.numel() * p.element_size() for p in scorer.network.parameters())
    if size > _MOST_BYTES:
        raise ConfigError(
            f"format=onnx: {scorer.name} has {size / 1e9:.1f} GB of weights, and an ONNX file "
            "holds 2 GB"
        )


def onnx_files(
    scorer: TrainedScorer, check: dict[str, Any], made_with: dict[str, Any]
) -> dict[str, bytes]:
    """Return the ONNX files of a Scorer that is exportable, by name; each was run and compared.

    Args:
        scorer: on the CPU.
        check: what selfcheck.json holds.
        made_with: versions of the packages that trained it.

    Raises:
        ConfigError: if onnxruntime says something else than the Scorer.
    """
    files = {
        name: _file(graph, scorer, check, made_with) for name, graph in _graphs_of(scorer).items()
    }
    for name, difference in _differences(scorer, files["model.onnx"], check):
        if not difference <= TOLERANCE:
            raise ConfigError(
                f"model.onnx of {scorer.name} was not written: in onnxruntime {name} scores "
                f"{difference:.2g} beside torch, more than {TOLERANCE:g}; please report this"
            )
    if (vectors := instruments_file(scorer.network)) is not None:
        files["instruments.json"] = vectors
    return files


def _graphs_of(scorer: TrainedScorer) -> dict[str, GraphProto]:
    if isinstance(scorer, MixScorer):
        return mix_graphs(scorer)
    if isinstance(scorer, LoopScorer):
        return loop_graphs(scorer)
    assert isinstance(scorer, StemScorer)
    return stem_graphs(scorer)


def _file(
    graph: GraphProto, scorer: TrainedScorer, check: dict[str, Any], made_with: dict[str, Any]
) -> bytes:
    import onnx

    model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mashnet",
        producer_version=version("mashnet"),
    )
    facts = {
        "name": scorer.name,
        "network": next(n for n, kind in NETWORKS.items() if type(scorer.network) is kind),
        "view": scorer.view,
        "roles": ", ".join(scorer.roles),
        "input": scorer.frontend.describe(),
        "sample_rate": str(scorer.frontend.sample_rate),
        "window_s": f"{scorer.frontend.settings.get('window_s', LOOP_S):g}",
        "is_probability": str(scorer.is_probability).lower(),
        "opset": str(OPSET),
        "weights_sha256": check["sha256"]["model.safetensors"],
        "made_with": ", ".join(f"{name} {value}" for name, value in made_with.items()),
        "license": LICENCE,
    }
    if isinstance(scorer.network, StemJepa):
        facts["instruments"] = ", ".join(scorer.network.classes)
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def _differences(
    scorer: TrainedScorer, model: bytes, check: dict[str, Any]
) -> list[tuple[str, float]]:
    """Return how far onnxruntime's scores lie from the recorded one, and from torch's on more."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rate = scorer.frontend.sample_rate
    group = probe(check["recipe"])
    once = {role: part.waveform(rate)[None] for role, part in group.items()}
    found = [("the probe", abs(_run(session, scorer, once)[0] - float(check["score"])))]
    # Whole windows and a part of one, and two in a batch: forwards and backwards.
    many = round(2.4 * scorer.frontend.settings["window_s"] * rate) if scorer.view != "loops" else 0
    long = {role: np.resize(wave[0], many or wave.size) for role, wave in once.items()}
    both = {role: np.stack([wave, wave[::-1]]) for role, wave in long.items()}
    for index, score in enumerate(_run(session, scorer, both)):
        parts = {role: ArrayPart(waves[index], rate) for role, waves in both.items()}
        query = Query({scorer.roles[0]: parts.pop(scorer.roles[0])})
        torchs = float(scorer.score(query, [parts])[0])
        found.append(("a longer sound", abs(score - torchs)))
    return found


def _run(session: Any, scorer: TrainedScorer, waves: dict[str, np.ndarray]) -> list[float]:
    condition = condition_of(scorer.network, [""] * len(next(iter(waves.values()))))
    told = {} if condition is None else {"instrument": condition}
    return session.run(["score"], {**waves, **told})[0].tolist()
