"""Separates the songs that a source found as recordings: on all workers, or one GPU each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from omegaconf import DictConfig

from data_pipelines.separation.separate import SAMPLE_RATE_HZ, STORED_GAIN, Separator
from data_pipelines.sources.song import (
    MAX_SONG_S,
    RawSong,
    RawStem,
    Recording,
    Reject,
    kind_of,
    printable,
)
from mashnet.audio.io import read_blocks
from mashnet.errors import AudioError
from mashnet.execution.executor import DIED, Executor
from mashnet.storage.contained_paths import place
from mashnet.storage.paths import root_of

GAIN = 1 / STORED_GAIN  # what the stems must be multiplied by (RawSong.gain)
_BLOCK_S = 60


@dataclass(frozen=True, kw_only=True)
class Task:
    """One recording, what separates it, and where the stems go."""

    recording: Recording
    model: str
    repo: Path | None
    cache: Path
    min_s: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The stems of a recording by name, or why there are none."""

    stems: tuple[tuple[str, Path], ...] = ()
    stage: str = "separate"
    reason: str = ""


def with_stems(
    found: Sequence[RawSong | Reject], config: DictConfig, executor: Executor
) -> list[RawSong | Reject]:
    """Return what a source found with stems in place of recordings, in the same order.

    What was separated before is not separated again. A recording that cannot be used becomes a
    Reject.

    Args:
        found: what the source found.
        config: of the pipeline: `separate` (with a model: `choice.decided`), `source.roles`,
            `clip.min_s`, `out`.
        executor: who separates.

    Raises:
        MashnetError: if there are no weights, or separate.repo is not a folder.
        OSError: if the cache cannot be written to.
    """
    waiting = [song for song in found if isinstance(song, RawSong) and song.recording]
    if not waiting:
        return list(found)
    repo = config.separate.repo
    tasks = [
        Task(
            recording=song.recording,
            model=config.separate.model,
            repo=Path(repo) if repo else None,
            cache=place(root_of(config.out), "cache", "separated"),
            min_s=float(config.clip.min_s),
        )
        for song in waiting
        if song.recording
    ]
    # One model for the work in this process, which other stages of it need not keep in memory.
    _separator.cache_clear()
    outcomes = executor.run(
        separate_recording, tasks, label="separation", died=process_died, on_gpu=True
    )
    _separator.cache_clear()
    kinds = {str(kind): list(names) for kind, names in config.source.roles.items()}
    separated = iter(outcomes)
    return [
        _complete(item, next(separated), kinds)
        if isinstance(item, RawSong) and item.recording
        else item
        for item in found
    ]


def separate_recording(task: Task) -> Outcome:
    """Separate one recording, unless it was before.

    Raises:
        MashnetError: if there are no weights.
        OSError: if the cache cannot be written to.
    """
    recording = task.recording
    try:
        if recording.lasts_s is not None:
            lasts_s = _length_s(recording.path)
            if abs(lasts_s - recording.lasts_s) > recording.most_apart_s:
                reason = (
                    f"lasts {lasts_s:.1f} s and what was annotated {recording.lasts_s:.1f} s: "
                    "another version, whose beats lie elsewhere (source.max_difference_s)"
                )
                return Outcome(stage="source", reason=reason)
        stems = _separator(task.model, task.repo).separate(
            recording.path, task.cache, min_s=task.min_s, max_s=MAX_SONG_S
        )
    except AudioError as error:
        return Outcome(reason=str(error).removeprefix(f"{recording.path}: "))
    return Outcome(stems=tuple(stems.items()))


def process_died(_: Task) -> Outcome:
    """Return the outcome for a recording whose process was killed by the system."""
    return Outcome(reason=DIED)


@lru_cache(maxsize=1)
def _separator(model: str, repo: Path | None) -> Separator:
    return Separator(model, repo)


def _length_s(path: Path) -> float:
    blocks = read_blocks(path, sample_rate=SAMPLE_RATE_HZ, block_s=_BLOCK_S)
    return sum(block.shape[1] / SAMPLE_RATE_HZ for block in blocks)


def _complete(song: RawSong, outcome: Outcome, kinds: dict[str, list[str]]) -> RawSong | Reject:
    if outcome.reason:
        return Reject(input=song.origin, stage=outcome.stage, reason=printable(outcome.reason))
    stems = tuple(
        RawStem(path=path, kind=kind_of(name, kinds) or "", label=name)
        for name, path in outcome.stems
    )
    return replace(song, recording=None, stems=stems, gain=GAIN)
