"""What can be asked for by name: the tables hold all there is; what is asked alone is imported."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import data_pipelines.sources
import mashnet.evaluation.protocols
import mashnet.models.loops
import mashnet.models.mixes
import mashnet.models.phrases
import mashnet.models.published
import mashnet.models.rules
import mashnet.models.stems
from data_pipelines.sources.lookup import SOURCES
from mashnet.errors import ConfigError
from mashnet.evaluation.protocols import POOLED, PROTOCOLS
from mashnet.models.networks import NETWORKS, scorer_class_of
from mashnet.models.scorers import SCORERS
from mashnet.models.trained import TrainedScorer
from mashnet.registry import Registry

ALL = {"networks": NETWORKS, "scorers": SCORERS, "protocols": PROTOCOLS, "sources": SOURCES}


def modules_of(*packages):
    for package in packages:
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not info.ispkg:
                yield importlib.import_module(info.name)


def own_classes(module):
    return [
        c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__
    ]


def test_every_network_is_in_the_table() -> None:
    rooms = (
        mashnet.models.mixes,
        mashnet.models.loops,
        mashnet.models.stems,
        mashnet.models.phrases,
    )
    found = {
        f"{module.__name__}:{kind.__name__}"
        for module in modules_of(*rooms)
        for kind in own_classes(module)
        if issubclass(kind, TrainedScorer) and "network_class" in vars(kind)
    }
    assert found == set(NETWORKS.places.values())
    for name in NETWORKS.names():  # a network's file has the name that settings use
        assert NETWORKS.places[name].partition(":")[0].endswith(f".{name}")
        assert scorer_class_of(name).network_class.__module__ == scorer_class_of(name).__module__


def test_every_other_scorer_is_in_the_table_under_its_name() -> None:
    found = {
        kind.name: f"{module.__name__}:{kind.__name__}"
        for module in modules_of(mashnet.models.rules, mashnet.models.published)
        for kind in own_classes(module)
        if isinstance(getattr(kind, "name", None), str) and hasattr(kind, "score")
    }
    assert found == SCORERS.places


def test_every_protocol_is_in_the_table_under_its_name() -> None:
    runs = {
        module.NAME: f"{module.__name__}:run"
        for module in modules_of(mashnet.evaluation.protocols)
        if "run" in vars(module)
    }
    assert runs == PROTOCOLS.places
    pools = {
        f"{module.__name__}:pool"
        for module in modules_of(mashnet.evaluation.protocols)
        if "pool" in vars(module) and module.__name__.endswith(".folds")
    }
    assert pools == set(POOLED.places.values()) and set(POOLED.names()) <= set(PROTOCOLS.names())


def test_every_source_is_in_the_table() -> None:
    found = {
        f"{module.__name__}:find"
        for module in modules_of(data_pipelines.sources)
        if inspect.isfunction(getattr(module, "find", None))
    }
    assert found == set(SOURCES.places.values())


@pytest.mark.parametrize("kind", sorted(ALL))
def test_an_unknown_name_is_refused_with_the_nearest(kind: str) -> None:
    name = ALL[kind].names()[0]
    with pytest.raises(ConfigError, match=f"Did you mean '{name}'"):
        ALL[kind].load(name + "x")


def test_names_are_told_and_one_is_loaded_without_the_others() -> None:
    program = (
        "import sys; from mashnet.models.networks import NETWORKS\n"
        "assert 'cocola' in NETWORKS.names()\n"
        "NETWORKS.load('loop_cnn')\n"
        "print([m for m in sys.modules if m.startswith(('mashnet.models.stems', 'efficientnet'))])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.strip() == "[]", told.stderr


def test_a_table_that_names_nothing_fails_when_it_is_asked() -> None:
    with pytest.raises(AttributeError):
        Registry("x", {"a": "mashnet.errors:Nothing"}).load("a")
