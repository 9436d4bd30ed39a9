"""The protocols by name; each talks to Scorers only.

A protocol is a file, or a folder with a `protocol.py` and all that only it needs. It has a
function `run(scorers, source, *, bootstrap, …) -> Outcome`; what else that takes stands in
configs/protocol/<name>.yaml. VIEW names what it asks about: mixes (if it has none), loops, stems,
clips as they are, songs, phrases, mashups that could be made (proposals), or vocals that look for
an accompaniment (seeds). A `run` that takes a `folder` leaves sound there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mashnet.evaluation.results import Outcome
from mashnet.models.scorer import Scorer
from mashnet.registry import Registry

PROTOCOLS = Registry(
    "protocol",
    {
        "accompaniment_retrieval": "mashnet.evaluation.protocols.accompaniment_retrieval:run",
        "beat_probe": "mashnet.evaluation.protocols.beat_probe.protocol:run",
        "loop_ranking": "mashnet.evaluation.protocols.loop_ranking.protocol:run",
        "mashup_retrieval": "mashnet.evaluation.protocols.mashup_retrieval.protocol:run",
        "mix_classification": "mashnet.evaluation.protocols.mix_classification.protocol:run",
        "placement": "mashnet.evaluation.protocols.placement.protocol:run",
        "renderer": "mashnet.evaluation.protocols.renderer.protocol:run",
        "sensitivity": "mashnet.evaluation.protocols.sensitivity:run",
        "song_selection": "mashnet.evaluation.protocols.song_selection.protocol:run",
        "stem_retrieval": "mashnet.evaluation.protocols.stem_retrieval.protocol:run",
    },
)
# Of which the results of several folds make one table (mashnet.evaluation.cross_validation).
POOLED = Registry(
    "results",
    {
        "mashup_retrieval": "mashnet.evaluation.protocols.mashup_retrieval.folds:pool",
        "mix_classification": "mashnet.evaluation.protocols.mix_classification.folds:pool",
        "placement": "mashnet.evaluation.protocols.placement.folds:pool",
        "stem_retrieval": "mashnet.evaluation.protocols.stem_retrieval.folds:pool",
    },
)


def find(name: str) -> Callable[..., Outcome]:
    """Return the `run` of a protocol.

    Raises:
        ConfigError: if there is none of that name.
    """
    run: Callable[..., Outcome] = PROTOCOLS.load(name)
    return run


def view_of(name: str) -> str:
    """Return what a protocol asks about: mixes, or what its VIEW says."""
    return getattr(inspect.getmodule(find(name)), "VIEW", "mixes")


def can_ask(name: str, scorer: Scorer, settings: Mapping[str, Any]) -> bool:
    """Return whether a protocol with such settings has questions for a Scorer; most have for all.

    Args:
        name: of the protocol.
        scorer: who would be asked.
        settings: of the protocol, as configs/protocol/<name>.yaml has them.
    """
    asks = getattr(inspect.getmodule(find(name)), "can_ask", None)
    return asks is None or bool(asks(scorer, settings))


def renders(name: str) -> bool:
    """Return whether a protocol leaves sound in the result folder."""
    return "folder" in inspect.signature(find(name)).parameters
