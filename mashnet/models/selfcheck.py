"""A bundle's self-check: a small input made by arithmetic, and the score it must give."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.data.parts import ArrayPart, Group
from mashnet.errors import CheckpointError
from mashnet.models.trained import TrainedScorer

TOLERANCE = 1e-4  # scores of the same weights on another processor differ by less
_TONES_HZ = ([440.0, 880.0], [110.0, 220.0, 277.18], [60.0, 5000.0])  # of each role
CHECKED_FILES = ("model.safetensors", "config.yaml")


def probe(recipe: dict[str, Any]) -> Group:
    """Return a group with every role of a recipe: tones with a beat, made from its numbers.

    Args:
        recipe: `sample_rate` in Hz, `duration_s`, `beat_s`, and per role `tones_hz`.
    """
    rate = int(recipe["sample_rate"])
    time_s = np.arange(round(float(recipe["duration_s"]) * rate)) / rate
    group = {}
    for role in recipe["tones_hz"]:
        wave = sum(np.sin(2 * np.pi * float(hz) * time_s) for hz in recipe["tones_hz"][role])
        decay = np.exp(-8.0 * (time_s % float(recipe["beat_s"])))
        group[role] = ArrayPart((0.1 * wave * decay).astype(np.float32), rate)
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
        check = json.loads(path.read_text("utf-8"))
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
        CheckpointError: if the score is not the recorded one within the tolerance.
    """
    try:
        found = probe_score(scorer, check["recipe"])
        wrong = not abs(found - float(check["score"])) <= float(check["tolerance"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'selfcheck.json'} is damaged: {error}") from error
    if wrong:
        raise CheckpointError(
            f"{folder} fails its self-check: the probe scores {found:.6f} where "
            f"{check['score']:.6f} was recorded"
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
