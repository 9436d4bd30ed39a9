"""The Scorers that mashup programs offer: bundles of checkpoints/, and rules without weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from mashnet.config_folder import CONFIGS
from mashnet.errors import CheckpointError, ConfigError, near_miss
from mashnet.files import content_id, file_digest
from mashnet.models import scorers
from mashnet.models.loading import checkpoint_of, folder_of, load_scorer, read_config
from mashnet.models.networks import scorer_class_of
from mashnet.models.scorer import Scorer

BUNDLES = Path("checkpoints")
RULES = CONFIGS / "scorer"
# Who is asked if nobody is named: the best that is there.
_FIRST = ("placenet", "alignnet", "alignment")


@dataclass(frozen=True)
class ScorerChoice:
    """A Scorer that can be chosen.

    Attributes:
        name: what the page calls it; unique among those offered.
        checkpoint: its run or bundle; None for a rule.
        settings: of a rule: `name`, and the arguments of its constructor; empty for a bundle.
    """

    name: str
    checkpoint: Path | None
    settings: Mapping[str, Any]

    def load(self) -> Scorer:
        """Build it; a bundle's self-check runs.

        Raises:
            CheckpointError: if its files are missing or damaged.
        """
        if self.checkpoint is not None:
            return load_scorer(self.checkpoint)
        arguments = {key: value for key, value in self.settings.items() if key != "name"}
        return scorers.build(self.settings["name"], arguments)

    def identity(self) -> str:
        """Return a hash of all that its scores depend on: weights and settings.

        Raises:
            CheckpointError: if its files are missing.
        """
        if self.checkpoint is None:
            return content_id("rule", [dict(self.settings)])
        folder = folder_of(self.checkpoint)
        weights = self.checkpoint
        if weights.is_dir():
            bundled = weights / "model.safetensors"
            weights = bundled if bundled.is_file() else checkpoint_of(folder)
        known = weights.stat()
        digest = _digest(weights.resolve(), known.st_mtime_ns, known.st_size)
        return content_id("bundle", digest, [read_config(folder)["model"]])


def scorer_choices(given: str | None = None, bundles: Path = BUNDLES) -> list[ScorerChoice]:
    """Return who can be chosen; the one to begin with comes first.

    Networks that choice loops are left out: they cannot hear a vocal.

    Args:
        given: a path of a run or bundle, or the name of a bundle or rule, to begin with.
        bundles: a folder of bundles.

    Raises:
        CheckpointError: if `given` is a folder and no run or bundle.
        ConfigError: if `given` is nothing that can be chosen, or judges loops.
    """
    choices = _bundles(bundles) + _rules()
    if given is None:
        first = next((c for name in _FIRST for c in choices if c.name == name), choices[0])
        return _with_first(first, choices)
    named = [choice for choice in choices if given == choice.name or _same(choice, given)]
    if named:
        return _with_first(named[0], choices)
    if not Path(given).exists():
        known = [choice.name for choice in choices]
        raise ConfigError(
            f"scorer={given}: there is no such run, bundle or rule.{near_miss(given, known)} "
            f"There are: {', '.join(known)}"
        )
    path = Path(given)
    view = _view(path)
    if view == "loops":
        raise ConfigError(f"scorer={given} judges loops; one that hears songs is needed")
    return [ScorerChoice(str(path), path, {}), *choices]


@lru_cache(maxsize=64)
def _digest(weights: Path, changed_ns: int, size: int) -> str:
    """Return the digest of a file, read once as long as it stays as it is."""
    return file_digest(weights)


def _bundles(folder: Path) -> list[ScorerChoice]:
    found = []
    for config in sorted(folder.glob("*/config.yaml")):
        try:
            if _view(config.parent) == "loops":
                continue
        except CheckpointError:
            pass  # who chooses it is told what is wrong with it
        found.append(ScorerChoice(config.parent.name, config.parent, {}))
    return found


def _rules() -> list[ScorerChoice]:
    found = []
    for path in sorted(RULES.glob("*.yaml")):
        settings = yaml.safe_load(path.read_text("utf-8"))
        # `weights` of a rule are numbers by name; those of a network lie in a file or on a hub.
        if isinstance(settings.get("weights", {}), dict):
            found.append(ScorerChoice(settings["name"], None, settings))
    return found


def _view(checkpoint: Path) -> str:
    """Return what a run or bundle judges: mixes, loops, stems or phrases.

    Raises:
        CheckpointError: if it is neither a run nor a bundle, or of an unknown network.
    """
    name = read_config(folder_of(checkpoint))["model"]["network"]
    try:
        return scorer_class_of(name).view
    except ConfigError as error:
        raise CheckpointError(
            f"{checkpoint}: there is no network '{name}' in this mashnet"
        ) from error


def _same(choice: ScorerChoice, given: str) -> bool:
    return choice.checkpoint is not None and choice.checkpoint.resolve() == Path(given).resolve()


def _with_first(first: ScorerChoice, choices: list[ScorerChoice]) -> list[ScorerChoice]:
    return [first, *(choice for choice in choices if choice is not first)]
