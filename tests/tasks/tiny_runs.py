"""A database of mixes and loops, and settings of runs on it that take seconds."""

from __future__ import annotations

from pathlib import Path

from data_pipelines.mixes import stage as mixes
from data_pipelines.negatives import stage as negatives
from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import MashupDB
from mashnet.tasks.settings import settings_of
from tests.conftest import make_tiny_database
from tests.loops import loop_database, songs

SMALL_COUNTS = "{original: 1, matched: 1, unmatched_key: 1, unmatched_tempo: 0}"
TINY = (
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "scale.mixes.frontend.window_s=2.0",
    "scale.mixes.sizes.source_filters=[2,4]",
    "scale.mixes.sizes.joint_filters=8",
    "scale.mixes.batch_size=4",
    "scale.loops.frontend.n_mels=16",
    "scale.loops.frontend.hop_length=2048",
    "scale.loops.sizes={frames: 22, n_mels: 16, filters: [4, 2], dense: [8, 8, 4]}",
    "scale.loops.batch_size=4",
)


def database_of_mixes_and_loops(root: Path) -> MashupDB:
    """Write twelve songs with mixes, and loops of six others."""
    make_tiny_database(root)
    overrides = [f"db={root}", "duration.min_s=5.0"]
    overrides += [f"per_seed.{split}={SMALL_COUNTS}" for split in ("train", "val", "test")]
    mixes.make(compose("mixes", overrides, mixes.CONFIG_DIR))
    loop_database(root, [*songs("train", 4), *songs("val", 2, first=50)])
    negatives.make(compose("negatives", [f"db={root}"], negatives.CONFIG_DIR))
    return MashupDB.open(root)


def overrides_of(root: Path, *more: str) -> list[str]:
    """Return what a user would type."""
    return ["data=mashupdb", f"data.root={root}", *TINY, *more]


def settings(database: MashupDB, *overrides: str) -> dict:
    """Settings of a run of one epoch."""
    return settings_of(compose("train", overrides_of(database.root, *overrides)))
