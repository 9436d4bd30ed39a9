"""What all Hydra entry points share: composing, and refusing settings in words that help."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path

from mashnet.commands.imports import importing
from mashnet.commands.last_line import ending_in_one_line
from mashnet.config_folder import CONFIGS as CONFIGS
from mashnet.errors import (
    ConfigError,
    near_miss,
    printable,
    require_one_of,
)

# Only programs import this file: where Hydra is not installed they end here, in one line.
with ending_in_one_line("nothing was begun"):
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from mashnet.commands import free_text

# Runs name their own folders; Hydra must neither make any nor leave the user's directory.
_QUIET = (
    "hydra.run.dir=.",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra.job.chdir=false",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
)


_typed: list[str] = []  # after the program's name, as it was typed
_LISTED = re.compile(r"(\w+)=\[([^\[\]{}]*)\]")


def typed_command(*program: str) -> str:
    """Return a program and what its user typed after it, as one line for a shell."""
    return shlex.join([*program, *_typed])


def job_overrides() -> list[str]:
    """Return what was typed for the running job; of `-m` only this job's value of each setting."""
    return [free_text.as_typed(override) for override in HydraConfig.get().overrides.task]


def expand_lists(overrides: Sequence[str], config_dir: Path = CONFIGS) -> list[str]:
    """Turn a list of a group's options into an entry each: group=[a,b] → groups.a and groups.b.

    Hydra would lay the options over each other. A name that is no option of the group becomes an
    empty entry, and what reads the configuration says what it may be. Only lists of groups are
    touched; `scorers.a.weights=…` sets what is inside.
    """
    expanded = []
    for override in overrides:
        match = _LISTED.fullmatch(override)
        if match is None or not (config_dir / match[1]).is_dir():
            expanded.append(override)
            continue
        group = match[1]
        names = [name.strip().strip("'\"") for name in match[2].split(",") if name.strip()]
        if not names:
            raise ConfigError(f"{override}: name at least one {group}")
        for name in dict.fromkeys(names):
            if (config_dir / group / f"{name}.yaml").is_file():
                expanded.append(f"+{group}@{group}s.{name}={name}")
            elif re.fullmatch(r"\w+", name):
                expanded.append(f"+{group}s.{name}=null")
            else:
                raise ConfigError(f"{group}=[…] takes names of letters and digits, not '{name}'")
    return expanded


def for_hydra(arguments: Sequence[str], config_dir: Path = CONFIGS) -> list[str]:
    """Return what a user typed as overrides of Hydra's grammar.

    Paths and free text are quoted. With -m a comma means one job for each value, as Hydra has it.

    Raises:
        ConfigError: if a list of a group's options is none.
    """
    several = any(argument in ("-m", "--multirun") for argument in arguments)
    return [
        a if a.startswith("-") or (several and "," in a) else free_text.quoted(a)
        for a in expand_lists(arguments, config_dir)
    ]


def entry_point(
    config_name: str, config_dir: Path = CONFIGS
) -> Callable[[Callable[[DictConfig], None]], Callable[[], None]]:
    """Make `main(config)` a program that takes Hydra overrides from the command line.

    A MashnetError ends it with one line on stderr and exit status 2, Ctrl-C with status 130.
    """

    def decorate(main: Callable[[DictConfig], None]) -> Callable[[], None]:
        @functools.wraps(main)
        def guarded(config: DictConfig) -> None:
            with ending_in_one_line("the same command goes on from here"):
                if missing := OmegaConf.missing_keys(config):
                    settings = ", ".join(f"{key}=…" for key in sorted(missing))
                    raise ConfigError(f"{settings} must be given")
                main(config)

        program = hydra.main(
            version_base="1.3", config_path=str(config_dir), config_name=config_name
        )(guarded)

        def run() -> None:
            try:
                _typed[:] = [a for a in sys.argv[1:] if not a.startswith("hydra")]
                arguments = for_hydra(sys.argv[1:], config_dir)
            except ConfigError as error:
                print(f"error: {printable(str(error))}", file=sys.stderr)
                sys.exit(2)
            sys.argv[1:] = arguments
            if not any(argument.startswith("-") for argument in arguments):
                try:
                    _check(config_name, arguments, config_dir)
                except ConfigError as error:
                    print(f"error: {printable(str(error))}", file=sys.stderr)
                    sys.exit(2)
            given = {argument.split("=", 1)[0] for argument in arguments}
            sys.argv += [setting for setting in _QUIET if setting.split("=", 1)[0] not in given]
            os.environ.setdefault("HYDRA_FULL_ERROR", "1")
            with _sweep_folder(given):
                program()

        return run

    return decorate


def stage_program(package: str, work: str = "make") -> Callable[[], None]:
    """Return what `python -m` of a pipeline stage's package runs: `work` of its file stage.py.

    That is imported when the settings have been checked: a mistyped one is refused without the
    libraries that the work takes.

    Args:
        package: dotted; the stage's config is called like its last part.
        work: the function that takes the configuration.
    """

    def main(config: DictConfig) -> None:
        with importing():
            stage = importlib.import_module(f"{package}.stage")
        getattr(stage, work)(config)

    main.__module__ = f"{package}.__main__"  # Hydra names the program after it
    return entry_point(package.rpartition(".")[2], CONFIGS / "pipeline")(main)


@contextlib.contextmanager
def _sweep_folder(given: Container[str]) -> Iterator[None]:
    """Give `-m` a folder of its own for multirun.yaml, which nobody asked for.

    Its name is not known before: in a folder that all users of a machine share, another could have
    put a link there.
    """
    if "hydra.sweep.dir" in given or not any(a.startswith(("-", "hydra.mode")) for a in sys.argv):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mashnet-multirun.") as folder:
        sys.argv.append(f"hydra.sweep.dir={folder}")
        yield


def compose(config_name: str, overrides: list[str], config_dir: Path = CONFIGS) -> DictConfig:
    """Compose a configuration outside a running program.

    Raises:
        ConfigError: in words that name the setting, the near miss and what is allowed.
    """
    return _check(config_name, for_hydra(overrides, config_dir), config_dir)


def check_overrides(config_name: str, overrides: list[str], config_dir: Path = CONFIGS) -> None:
    """Raise a ConfigError for the first override of an unknown name or with a wrong value."""
    _check(config_name, for_hydra(overrides, config_dir), config_dir)


def _check(config_name: str, overrides: list[str], config_dir: Path) -> DictConfig:
    """Return the configuration that the overrides make, if each may be given."""
    for override in overrides:
        if "=" not in override:
            raise ConfigError(f"'{override}' is not a setting; write key=value")
    try:
        config = _compose(config_name, overrides, config_dir)
    except MissingConfigException as error:
        option = (error.missing_cfg_file or "").rsplit("/", 1)
        if len(option) == 2 and error.options:
            require_one_of(option[0], option[1], error.options)
        raise ConfigError(_one_line(error)) from error
    except (HydraException, OmegaConfBaseException) as error:
        unknown = re.search(r"Could not (?:override|append to) '([^']+)'", str(error))
        key = unknown.group(1) if unknown else ""
        others = [o for o in overrides if _key(o) != key]
        if not key or len(others) == len(overrides):
            raise ConfigError(_one_line(error)) from error
        # Of key={…} the cause names the setting inside that is unknown.
        inside = re.search(r"full_key: (\S+)", str(error.__cause__))
        key = inside.group(1) if inside else key
        # Without the other settings, which may be unknown as well.
        groups = [o for o in others if _is_group(o, config_dir)]
        raise ConfigError(_unknown_key(key, _compose(config_name, groups, config_dir))) from error
    groups = [o for o in overrides if _is_group(o, config_dir)]
    if len(groups) == len(overrides):
        return config
    defaults = _defaults(config_name, tuple(groups), config_dir)
    for override in overrides:
        key = _key(override)
        if override[0] not in "+~" and not _is_group(override, config_dir) and "hydra" not in key:
            _check_kind(key, OmegaConf.select(defaults, key), OmegaConf.select(config, key))
    return config


@functools.lru_cache(maxsize=32)
def _defaults(config_name: str, groups: tuple[str, ...], config_dir: Path) -> DictConfig:
    """Return what is set where only options of groups are chosen; to be read, not changed."""
    return _compose(config_name, list(groups), config_dir)


def _compose(config_name: str, overrides: list[str], config_dir: Path) -> DictConfig:
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_dir), version_base="1.3"):
        return hydra.compose(config_name, overrides=overrides)


def _key(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~")


def _is_group(override: str, config_dir: Path) -> bool:
    return (config_dir / _key(override).split("@")[0]).is_dir()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _unknown_key(key: str, config: DictConfig) -> str:
    known, node = "", config
    for name in key.split("."):
        if not isinstance(node, DictConfig):
            return f"{key}: {known} is a single value and has no settings of its own."
        if name not in node:
            allowed = [str(k) for k in node]
            where = f" in {known}" if known else ""
            return (
                f"{key}: there is no setting '{name}'{where}.{near_miss(name, allowed)} "
                f"Available: {', '.join(sorted(allowed))}."
            )
        known, node = f"{known}.{name}".lstrip("."), node[name]
    return f"{key} cannot be set."


def _check_kind(key: str, default: object, given: object) -> None:
    kinds: tuple[type, ...]
    if isinstance(default, bool):
        kinds, expected = (bool,), "true or false"
    elif isinstance(default, int):
        kinds, expected = (int,), "a whole number"
    elif isinstance(default, float):
        kinds, expected = (int, float), "a number"
    else:
        return
    if not isinstance(given, kinds) or (isinstance(given, bool) and bool not in kinds):
        raise ConfigError(f"{key}={given} is not allowed: expected {expected} (default {default}).")
