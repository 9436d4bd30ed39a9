"""separate.model=auto: Demucs where its weights can be had, else Spleeter's two stems."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from data_pipelines.separation import spleeter, with_demucs
from data_pipelines.sources.song import RawSong, Reject
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, DatabaseError
from mashnet.extras import advice

AUTO = "auto"
_BOTH_WAYS = (
    f"for Demucs (four stems): {advice('separate')}, and let it download its weights once or set "
    "separate.repo=FOLDER to a folder that holds them; for Spleeter (two stems): "
    f"{spleeter.ADVICE}"
)


def decided(found: Iterable[RawSong | Reject], config: DictConfig) -> DictConfig:
    """Return the configuration with a model in place of `auto`, and say in one line which.

    A library stays with the model that it was made with, so that what is added later fits it.

    Args:
        found: what a source found; nothing is decided if none of it is to be separated.
        config: of the pipeline: `separate`, `out`.

    Raises:
        ConfigError: if no weights can be had, saying both ways to get them.
    """
    if not any(isinstance(song, RawSong) and song.recording for song in found):
        return config
    if config.separate.model != AUTO:
        return config
    repo = Path(config.separate.repo) if config.separate.repo else None
    model, reason = _in_folder(repo) if repo else _by_itself(_before(config.out))
    print(f"separate.model=auto: {model} ({reason})")
    settled = OmegaConf.merge(config, {"separate": {"model": model}})
    assert isinstance(settled, DictConfig)
    return settled


def _in_folder(repo: Path) -> tuple[str, str]:
    """Return the model whose weights a folder has, and why it."""
    if not repo.is_dir():
        raise ConfigError(f"separate.repo: {repo} is not a folder")
    if _demucs_is_installed() and with_demucs.at_hand(with_demucs.DEFAULT, repo):
        return with_demucs.DEFAULT, f"four stems by Demucs, with the weights in {repo}"
    if spleeter.weights_files(repo):
        return spleeter.NAME, f"two stems by Spleeter, with the weights in {repo}"
    raise ConfigError(
        f"separate.model=auto: {repo} has neither the weights of {with_demucs.DEFAULT} nor those "
        f"of Spleeter; name another model with separate.model, or {_BOTH_WAYS}"
    )


def _by_itself(before: str | None) -> tuple[str, str]:
    """Return the model to take where no folder is named, and why it.

    Args:
        before: what the library was separated by, where it is there already.
    """
    demucs, two_stems = with_demucs.DEFAULT, spleeter.weights_files(None)
    if before == spleeter.NAME and two_stems:
        return before, (
            f"two stems by Spleeter, as this library has so far; separate.model={demucs} separates "
            "all of it anew by Demucs"
        )
    if before == demucs:
        return before, "four stems by Demucs, as this library has so far"
    if _demucs_is_installed():
        if with_demucs.at_hand(demucs):
            return demucs, "four stems by Demucs, whose weights are at hand"
        if with_demucs.can_be_had(demucs):
            return demucs, "four stems by Demucs, whose weights are downloaded first"
        lack = "Demucs' weights are not at hand and no hub answers"
    else:
        lack = "Demucs is not installed"
    if two_stems:
        return spleeter.NAME, f"two stems by Spleeter, as {lack}"
    raise ConfigError(f"separate.model=auto: {lack}, nor has Spleeter weights; {_BOTH_WAYS}")


def _demucs_is_installed() -> bool:
    return importlib.util.find_spec("demucs") is not None


def _before(out: str) -> str | None:
    """Return the model that a library at `out` was separated by, if there is one."""
    try:
        made = MashupDB(out).entry("mashupdb") or {}
        return made["config"]["separate"]["model"]
    except (DatabaseError, KeyError, TypeError):
        return None
