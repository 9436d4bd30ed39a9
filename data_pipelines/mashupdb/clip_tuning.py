"""The tuning of clips: estimated on all stems but drums, and added to what was made before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.mashupdb.song_stems import SAMPLE_RATE_HZ
from mashnet.audio.io import read_audio
from mashnet.audio.tuning import tuning_of_stems
from mashnet.music.tunings import Tuning
from mashnet.storage.contained_paths import inside

_COLUMN = "tuning_cents"


def tuning_of_roles(roles: Sequence[str], stems: Sequence[np.ndarray]) -> Tuning | None:
    """Return the tuning of the stems that are no drums; None where there are none.

    Args:
        roles: of the stems.
        stems: each of shape (channels, samples), at 44.1 kHz.
    """
    pitched = [stem for role, stem in zip(roles, stems, strict=True) if role != "percussion"]
    return tuning_of_stems(pitched, SAMPLE_RATE_HZ)


def tuning_columns(roles: Sequence[str], stems: Sequence[np.ndarray]) -> dict[str, float | None]:
    """Return a clip's columns of clips.parquet; null where nothing is pitched."""
    found = tuning_of_roles(roles, stems)
    if found is None:
        return {_COLUMN: None, "tuning_confidence": None}
    return {_COLUMN: round(found.cents, 2), "tuning_confidence": round(found.confidence, 4)}


def lack_tuning(rows: dict[str, Any]) -> bool:
    """Return whether the rows of a song were made before there was a tuning."""
    return any(_COLUMN not in clip for clip in rows["clips"])


def with_tuning(root: Path, rows: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of a song with the tuning of each clip, by its files in a database.

    Raises:
        AudioError: if a file cannot be read.
    """
    clips = []
    for clip in rows["clips"]:
        stems = [stem for stem in rows["stems"] if stem["clip_id"] == clip["clip_id"]]
        sound = [
            read_audio(inside(root, stem["path"], "a stem"), sample_rate=SAMPLE_RATE_HZ)[0]
            for stem in stems
        ]
        clips.append({**clip, **tuning_columns([stem["role"] for stem in stems], sound)})
    return {**rows, "clips": clips}
