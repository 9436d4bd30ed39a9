"""From settings to a folder of results: which Scorers, which mixes, which protocol."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mashnet.errors import CheckpointError, ConfigError
from mashnet.evaluation import baselines, protocols
from mashnet.evaluation.database_clips import DatabaseClips
from mashnet.evaluation.database_loops import DatabaseLoops
from mashnet.evaluation.database_mixes import DatabaseMixes
from mashnet.evaluation.database_stems import DatabaseStems
from mashnet.evaluation.report import publish
from mashnet.evaluation.statistics import Bootstrap
from mashnet.files import content_id
from mashnet.models.loading import folder_of, load_scorer, read_config
from mashnet.models.scorer import Scorer

LONGEST_NAME = 100  # characters of a default result folder


def evaluate(config: Mapping[str, Any], *, command: str) -> Path:
    """Run one protocol, write its results, and print the table and where each file lies.

    Args:
        config: what configs/evaluate.yaml describes, as plain values.
        command: what was typed; it goes into the report.

    Returns:
        The result folder.

    Raises:
        MashnetError: if a checkpoint, database or setting cannot be used.
    """
    checkpoints = _checkpoints(config["checkpoint"])
    if bool(checkpoints) == bool(config.get("scorer")):
        raise ConfigError(
            "give either checkpoint=runs/<run> (a run, a bundle folder, or a list of them) or "
            f"scorer=<name> ({', '.join(sorted(baselines.scorer_classes()))})"
        )
    settings = dict(config["protocol"])
    name = settings.pop("name")
    run = protocols.find(name)
    trained = [_trained_on(path) for path in checkpoints]
    data = config["data"]
    root = _agreed("data.root", data["root"], [t.get("root") for t in trained])
    scorers = _scorers(checkpoints, config.get("scorer"), config["baselines"])
    _require_view(scorers, name)
    source = _source(name, root, data, trained)
    if config["labels"] != "coarse" and "labels" not in settings:
        raise ConfigError(f"labels={config['labels']}: protocol={name} names no instruments")
    labels = settings.get("labels", "coarse")
    kind = name if labels == "coarse" else f"{name}_{labels}"  # one does not replace the other
    folder = Path(config["out"]) if config["out"] else _folder(checkpoints, scorers, kind)
    try:  # before an hour of work, not after it
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out={folder} cannot be made: {error.strerror or error}") from error
    outcome = run(scorers, source, bootstrap=Bootstrap(**config["bootstrap"]), **settings)
    publish(outcome, folder, command=command)
    return folder


def _source(
    protocol: str, root: str, data: Mapping[str, Any], trained: Sequence[Mapping[str, Any]]
) -> DatabaseMixes | DatabaseLoops | DatabaseStems | DatabaseClips:
    """Open what a protocol asks about."""
    view = protocols.view_of(protocol)
    if view == "loops":
        return DatabaseLoops(root, split=data["split"])
    if view == "stems":
        return DatabaseStems(root, split=data["split"])
    if view == "clips":
        return DatabaseClips(root, split=data["split"])
    known = [t.get("artefact_control", True) for t in trained] or [True]
    control = _agreed("data.artefact_control", data["artefact_control"], known)
    return DatabaseMixes(root, split=data["split"], artefact_control=_flag(control))


def _require_view(scorers: Sequence[Scorer], protocol: str) -> None:
    """Refuse a network that hears something else; rules and networks of stems hear everything."""
    view = protocols.view_of(protocol)
    for scorer in scorers:
        heard = getattr(scorer, "view", view)
        if heard not in (view, "stems"):
            fitting = [p for p in protocols.names() if protocols.view_of(p) == heard]
            raise ConfigError(
                f"{scorer.name} judges {heard}, protocol={protocol} asks about {view}; "
                f"use protocol={' or '.join(fitting)}"
            )


def _checkpoints(given: str | Sequence[str] | None) -> list[Path]:
    paths = [given] if isinstance(given, str) else list(given or [])
    found: list[Path] = []
    for path in paths:
        matching = sorted(glob.glob(path)) if "*" in path else [path]
        if not matching:
            raise CheckpointError(f"checkpoint={path} matches nothing")
        found += map(Path, matching)
    return found


def _scorers(
    checkpoints: Sequence[Path],
    alone: Mapping[str, Any] | None,
    always: Mapping[str, Mapping[str, Any]],
) -> list[Scorer]:
    """Return whom to ask: checkpoints before the baselines, or one that is not learned, alone."""
    if alone:
        return [_baseline(alone)]
    learned = [cast(Scorer, load_scorer(path)) for path in checkpoints]
    names = [scorer.name for scorer in learned]
    for scorer, path in zip(learned, checkpoints, strict=True):
        if names.count(scorer.name) > 1 or scorer.name in always:
            scorer.name = f"{scorer.name} ({path.name})"
    return learned + [_baseline(settings) for settings in always.values()]


def _baseline(settings: Mapping[str, Any]) -> Scorer:
    return baselines.build(settings["name"], {k: v for k, v in settings.items() if k != "name"})


def _trained_on(checkpoint: Path) -> dict[str, Any]:
    """Return the `data` block of a run's or bundle's config.yaml."""
    block = read_config(folder_of(checkpoint)).get("data")
    return block if isinstance(block, dict) else {}


def _agreed(setting: str, given: Any, of_checkpoints: Sequence[Any]) -> Any:
    """Return what the user gave, or else what all checkpoints were trained with.

    Raises:
        ConfigError: if nothing was given and the checkpoints say nothing, or different things.
    """
    if given is not None:
        return given
    known = {value for value in of_checkpoints if value is not None}
    if len(known) == 1:
        return known.pop()
    reason = (
        f"the checkpoints were trained with {', '.join(sorted(map(str, known)))}"
        if known
        else "no checkpoint says which"
    )
    raise ConfigError(f"{setting}=… must be given: {reason}")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"data.artefact_control={value} is not allowed: expected true or false")
    return value


def _folder(checkpoints: Sequence[Path], scorers: Sequence[Scorer], protocol: str) -> Path:
    """Return the default result folder; a bundle is left as it is, so its results lie outside."""
    if len(checkpoints) == 1:
        run = folder_of(checkpoints[0])
        if not (run / "model.safetensors").is_file():
            return run / "evaluation" / protocol
        return Path("results") / run.name / protocol
    name = "+".join(path.name for path in checkpoints) or scorers[0].name
    if len(name) > LONGEST_NAME:
        name = f"{len(checkpoints)}-runs-{content_id(name)}"
    return Path("results") / name / protocol
