"""A bundle's self-check: a short synthetic input, and the score that the bundle must give it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.data.parts import ArrayPart, Group
from mashnet.errors import CheckpointError
from mashnet.models.trained import TrainedScorer
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts
from mashnet.storage.bounded_yaml import MOST_TEXT_BYTES
from mashnet.storage.regular_files import opened, read_json

TOLERANCE = 1e-4  # scores of the same weights on another processor differ by less
_TONES_HZ = ([440.0, 880.0], [110.0, 220.0, 277.18], [60.0, 5000.0])  # of each role
_BEATS_PER_BAR = 4
CHECKED_FILES = ("model.safetensors", "config.yaml")
_MOST_TOLERANCE = 1e-2  # a larger one would check nothing
_MOST_PROBE_S = 60.0
_LEAST_BEAT_S = 0.05
_MOST_TONES = 16  # of a role


def probe(recipe: dict[str, Any]) -> Group:
    """Return a group with every role of a recipe: tones with a beat, made from its numbers.

    The parts know their beats and bars, as those of a library do.

    Args:
        recipe: `sample_rate` in Hz, `duration_s`, `beat_s`, and per role `tones_hz`.
    """
    rate, beat_s = int(recipe["sample_rate"]), float(recipe["beat_s"])
    time_s = np.arange(round(float(recipe["duration_s"]) * rate)) / rate
    beats_s = tuple(np.arange(0.0, float(recipe["duration_s"]), beat_s).tolist())
    facts = SongFacts(
        "the probe",
        float(recipe["duration_s"]),
        beats_s,
        beats_s[::_BEATS_PER_BAR],
        _BEATS_PER_BAR,
        Key(9, "minor"),
        tempo_bpm=60 / beat_s,
    )
    group = {}
    for role in recipe["tones_hz"]:
        wave = sum(np.sin(2 * np.pi * float(hz) * time_s) for hz in recipe["tones_hz"][role])
        decay = np.exp(-8.0 * (time_s % beat_s))
        group[role] = ArrayPart((0.1 * wave * decay).astype(np.float32), rate, facts)
    return group


def probe_score(scorer: TrainedScorer, recipe: dict[str, Any]) -> float:
    """Return what a Scorer says of a probe."""
    group = dict(probe(recipe))
    first = scorer.roles[0]
    query = {first: group.pop(first)}
    return float(scorer.score(query, [group])[0])


def make_selfcheck(scorer: TrainedScorer, folder: Path) -> dict[str, Any]:
    """Return what selfcheck.json of a finished bundle folder must hold."""
    recipe = {
        "sample_rate": scorer.frontend.sample_rate,
        "duration_s": scorer.probe_s,
        "beat_s": 0.5,
        "tones_hz": dict(zip(scorer.roles, _TONES_HZ, strict=False)),
    }
    return {
        "recipe": recipe,
        "score": probe_score(scorer, recipe),
        "tolerance": TOLERANCE,
        "sha256": {name: _sha256(folder / name) for name in CHECKED_FILES},
    }


def check_files(folder: Path) -> dict[str, Any]:
    """Compare a bundle's files with their digests; return the content of selfcheck.json.

    Raises:
        CheckpointError: if a file is missing or was changed after the export.
    """
    path = folder / "selfcheck.json"
    try:
        check = read_json(path, MOST_TEXT_BYTES)
        digests = {name: check["sha256"][name] for name in CHECKED_FILES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is missing or damaged: {error}") from error
    for name, digest in digests.items():
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing; export the bundle again")
        if _sha256(folder / name) != digest:
            raise CheckpointError(
                f"{folder / name} is damaged: its bytes are not those that were exported. "
                "Copy the bundle again or export it again."
            )
    return check


def check_score(scorer: TrainedScorer, folder: Path, check: dict[str, Any]) -> None:
    """Score the probe and compare.

    Raises:
        CheckpointError: if the score is not the recorded one within the tolerance, or the recipe
            is not one that `make_selfcheck` writes.
    """
    path = folder / "selfcheck.json"
    try:
        recipe = _sane_recipe(check["recipe"], scorer)
        recorded, tolerance = float(check["score"]), float(check["tolerance"])
        if not 0 <= tolerance <= _MOST_TOLERANCE:
            raise ValueError(f"its tolerance is {tolerance:g}, at most {_MOST_TOLERANCE:g}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    try:
        found = probe_score(scorer, recipe)
    # What passes as a configuration may still make no sense of any sound.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise CheckpointError(f"{folder} fails its self-check: {reason}") from error
    if not abs(found - recorded) <= tolerance:
        raise CheckpointError(
            f"{folder} fails its self-check: the probe scores {found:.6f} where "
            f"{recorded:.6f} was recorded"
        )


def _sane_recipe(recipe: dict[str, Any], scorer: TrainedScorer) -> dict[str, Any]:
    """Return a recipe that makes a little sound; raises ValueError for another one."""
    if recipe["sample_rate"] != scorer.frontend.sample_rate:
        raise ValueError("its sample rate is not the network's")
    if not 0 < float(recipe["duration_s"]) <= _MOST_PROBE_S or not (
        float(recipe["beat_s"]) >= _LEAST_BEAT_S
    ):
        raise ValueError(f"its probe must last up to {_MOST_PROBE_S:g} s and have a beat")
    tones = recipe["tones_hz"]
    if not set(tones) <= set(scorer.roles) or scorer.roles[0] not in tones:
        raise ValueError("its probe has other roles than the network")
    if any(len(hertz) > _MOST_TONES for hertz in tones.values()):
        raise ValueError(f"its probe has more than {_MOST_TONES} tones")
    return recipe


def _sha256(path: Path) -> str:
    with opened(path) as file:
        readable: Any = file
        return hashlib.file_digest(readable, "sha256").hexdigest()
