"""From settings to a folder of results: which Scorers, which mixes, which protocol."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mashnet.errors import CheckpointError, ConfigError, near_miss
from mashnet.evaluation import protocols
from mashnet.evaluation.report import publish
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.clips import DatabaseClips
from mashnet.evaluation.subjects.loops import DatabaseLoops
from mashnet.evaluation.subjects.mixes import DatabaseMixes
from mashnet.evaluation.subjects.phrases import DatabasePhrases
from mashnet.evaluation.subjects.proposals import DatabaseProposals
from mashnet.evaluation.subjects.seeds import DatabaseSeeds
from mashnet.evaluation.subjects.songs import DatabaseSongs
from mashnet.evaluation.subjects.split import DatabaseSplit
from mashnet.evaluation.subjects.stems import DatabaseStems
from mashnet.files import content_id
from mashnet.mashups.scorer_choice import BUNDLES
from mashnet.models.loading import folder_of, load_scorer, read_config
from mashnet.models.scorer import Scorer
from mashnet.models.scorers import SCORERS, build

# A vocal and an accompaniment of two songs are a mix.
HEARD_AS = {"songs": "mixes", "proposals": "mixes", "seeds": "mixes", "phrases": "mixes"}
_SOURCES: dict[str, type[DatabaseSplit]] = {
    "loops": DatabaseLoops,
    "songs": DatabaseSongs,
    "stems": DatabaseStems,
    "clips": DatabaseClips,
    "phrases": DatabasePhrases,
    "proposals": DatabaseProposals,
}
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
    listed, alone = dict(config.get("scorers") or {}), config.get("scorer")
    if bool(checkpoints or listed) == bool(alone):
        raise ConfigError(
            "give either checkpoint=runs/<run> (a run, a bundle folder, or a list of them) or "
            f"scorer=<name> ({', '.join(SCORERS.names())}); "
            "scorer=[<name>,…] may stand beside checkpoints"
        )
    checkpoints += _bundles(listed, checkpoints)
    settings = dict(config["protocol"])
    judge = config.get("judge")
    if judge is not None and "judge" not in settings:
        raise ConfigError(f"judge={judge}: protocol={settings['name']} has no judge")
    for key in ("top", "bottom"):
        if config[key] is not None and key not in settings:
            raise ConfigError(
                f"{key}={config[key]}: protocol={settings['name']} renders no best and worst"
            )
    known = [*listed, *config["baselines"], *([alone["name"]] if alone else [])]
    if judge is not None and not _named(judge, known, checkpoints):
        checkpoints.append(_found(judge, known))
    name = settings.pop("name")
    run = protocols.find(name)
    trained = [_trained_on(path) for path in checkpoints]
    data = config["data"]
    root = _agreed("data.root", data["root"], [t.get("root") for t in trained])
    rules = listed or ({"": alone} if alone else config["baselines"])
    scorers = _scorers(checkpoints, [r for r in rules.values() if r], config["baselines"])
    if not (listed or alone):  # baselines that nobody named stand where they can be asked
        named = scorers[: len(checkpoints)]
        others = scorers[len(checkpoints) :]
        scorers = named + [
            s for s in others if protocols.can_ask(name, s, {**settings, "judge": judge})
        ]
    if judge is not None:
        settings["judge"] = _judge(judge, scorers, checkpoints)
    _require_view(scorers, name)
    source = _source(name, root, config, trained)
    if config["labels"] != "coarse" and "labels" not in settings:
        raise ConfigError(f"labels={config['labels']}: protocol={name} names no instruments")
    labels = settings.get("labels", "coarse")
    kind = name if labels == "coarse" else f"{name}_{labels}"  # one does not replace the other
    folder = (
        Path(config["out"])
        if config["out"]
        else _folder(checkpoints, scorers, kind, is_list=bool(listed))
    )
    try:  # before an hour of work, not after it
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out={folder} cannot be made: {error.strerror or error}") from error
    if protocols.renders(name):
        settings["folder"] = folder
    outcome = run(scorers, source, bootstrap=Bootstrap(**config["bootstrap"]), **settings)
    publish(outcome, folder, command=command)
    return folder


def _source(
    protocol: str, root: str, config: Mapping[str, Any], trained: Sequence[Mapping[str, Any]]
) -> Any:
    """Open what a protocol asks about.

    Raises:
        ConfigError: if a second database is named that the protocol has no use for.
    """
    view, data = protocols.view_of(protocol), config["data"]
    if view == "seeds":
        seeds = {key: config.get(key) for key in ("query_db", "query_split")}
        return DatabaseSeeds(root, split=data["split"], **seeds)
    if config.get("query_db"):
        raise ConfigError(f"query_db={config['query_db']}: protocol={protocol} has no seeds")
    if view in _SOURCES:
        return _SOURCES[view](root, split=data["split"])
    known = [t.get("artefact_control", True) for t in trained] or [True]
    control = _agreed("data.artefact_control", data["artefact_control"], known)
    return DatabaseMixes(root, split=data["split"], artefact_control=_flag(control))


def _require_view(scorers: Sequence[Scorer], protocol: str) -> None:
    """Refuse a network that hears something else.

    Rules, and networks of stems and of phrases, hear everything.
    """
    view = protocols.view_of(protocol)
    for scorer in scorers:
        heard = getattr(scorer, "view", view)
        if heard not in (view, HEARD_AS.get(view), "stems", "phrases"):
            fitting = [
                p
                for p in protocols.PROTOCOLS.names()
                if heard in (protocols.view_of(p), HEARD_AS.get(protocols.view_of(p)))
            ]
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


def _bundles(listed: Mapping[str, Any], checkpoints: Sequence[Path]) -> list[Path]:
    """Return the checkpoints of listed names that are no rules and that nobody brought yet.

    Raises:
        ConfigError: if a name is neither a rule, nor a checkpoint given, nor a bundle.
    """
    names = [name for name, settings in listed.items() if not settings]
    return [_found(n, SCORERS.names()) for n in names if not _named(n, [], checkpoints)]


def _found(name: str, others: Iterable[str]) -> Path:
    """Return a run or bundle by its path, or by its name in checkpoints/.

    Raises:
        ConfigError: if there is none, naming what there is.
    """
    for path in (Path(name), BUNDLES / name):
        if path.exists():
            return path
    bundles = [path.parent.name for path in BUNDLES.glob("*/config.yaml")]
    known = sorted({*others, *bundles})
    raise ConfigError(
        f"'{name}' is no Scorer here.{near_miss(name, known)} There are: {', '.join(known)}; "
        f"a run of its own is given as checkpoint=runs/<run>"
    )


def _named(name: str, rules: Sequence[str], checkpoints: Sequence[Path]) -> bool:
    """Return whether a name is that of a rule, or of a checkpoint: its own, or its folder's."""
    return name in rules or any(name in _names_of(path) for path in checkpoints)


def _names_of(checkpoint: Path) -> set[str]:
    folder = folder_of(checkpoint)
    return {str(checkpoint), folder.name, str(read_config(folder).get("name", folder.name))}


def _judge(name: str, scorers: Sequence[Scorer], checkpoints: Sequence[Path]) -> str:
    """Return what the judge is called in the table.

    Raises:
        ConfigError: if several Scorers have that name.
    """
    names = [scorer.name for scorer in scorers]
    if name in names:
        return name
    found = [i for i, path in enumerate(checkpoints) if name in _names_of(path)]
    if len(found) != 1:
        raise ConfigError(f"judge={name}: name one of {', '.join(names)}")
    return names[found[0]]


def _scorers(
    checkpoints: Sequence[Path],
    rules: Sequence[Mapping[str, Any]],
    always: Mapping[str, Mapping[str, Any]],
) -> list[Scorer]:
    """Return whom to ask: checkpoints before those that are not learned."""
    learned = [cast(Scorer, load_scorer(path)) for path in checkpoints]
    names = [scorer.name for scorer in learned]
    taken = {*always, *(rule["name"] for rule in rules)}
    for scorer, path in zip(learned, checkpoints, strict=True):
        if names.count(scorer.name) > 1 or scorer.name in taken:
            scorer.name = f"{scorer.name} ({path.name})"
    return learned + [_baseline(settings) for settings in rules]


def _baseline(settings: Mapping[str, Any]) -> Scorer:
    return build(settings["name"], {k: v for k, v in settings.items() if k != "name"})


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


def _folder(
    checkpoints: Sequence[Path], scorers: Sequence[Scorer], protocol: str, *, is_list: bool = False
) -> Path:
    """Return the default result folder; a bundle is left as it is, so its results lie outside.

    Args:
        checkpoints: that take part.
        scorers: all that take part.
        protocol: last part of the folder's path.
        is_list: whether the user named Scorers one by one, so that they name the folder.
    """
    if len(checkpoints) == 1 and not is_list:
        run = folder_of(checkpoints[0])
        if not (run / "model.safetensors").is_file():
            return run / "evaluation" / protocol
        return Path("results") / run.name / protocol
    names = [] if is_list else [path.name for path in checkpoints]
    name = "+".join(names or [scorer.name for scorer in scorers])
    if len(name) > LONGEST_NAME:
        many = f"{len(checkpoints)}-runs" if names else f"{len(scorers)}-scorers"
        name = f"{many}-{content_id(name)}"
    return Path("results") / name / protocol
