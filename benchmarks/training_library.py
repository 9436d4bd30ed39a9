"""A small library with mixes, loops and negatives, and settings of runs that learn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.music import library, write_part_of
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.tasks.settings import settings_of

SONGS = {"quick": 9, "full": 18}
COUNTS = "{original: 2, matched: 2, unmatched_key: 1, unmatched_tempo: 1, unmatched_key_tempo: 1}"
MODELS = ("premixnet_lsro", "loop_cnn", "jepa", "alignnet")
# Where songs are few, partners must be let in from further away.
MIXES = ["duration.min_s=10", "duration.max_s=30", "tempo_ratio=[0.5,2.0]", "max_semitones=6"]


def training_library(folder: Path, scale: str) -> Path:
    """Make the library, unless it is there; return its root."""
    root = folder / f"training library, {scale}"
    if (root / "done").is_file():
        return root
    from data_pipelines.loops import stage as loops
    from data_pipelines.mixes import stage as mixes
    from data_pipelines.negatives import stage as negatives

    write_part_of(library(folder), root, SONGS[scale])
    counts = [f"per_seed.{split}={COUNTS}" for split in ("train", "val")]
    where, pipeline = f"db='{root}'", CONFIGS / "pipeline"
    mixes.make(compose("mixes", [where, *MIXES, *counts], pipeline))
    loops.make(compose("loops", [where, "loops.from=stems"], pipeline))
    negatives.make(compose("negatives", [where], pipeline))
    (root / "done").touch()
    return root


def run_settings(root: Path, model: str, scale: str) -> dict[str, Any]:
    """Return what `train.py` makes of model=…, for two epochs."""
    per_clip = 4 if scale == "quick" else 16
    overrides = [f"model={model}", "data=mashupdb", f"data.root='{root}'", "trainer.max_epochs=2"]
    overrides += [f"data.chunks.per_clip={per_clip}", "data.chunks.validation_per_clip=2"]
    return settings_of(compose("train", overrides))
