"""Sides of a MashupDB → bars in beat time, beside it.

python -m data_pipelines.beats db=data/songs

Vocals, their music, and each stem beside all others, as PlaceNet is trained on them and searches
them. Who needs them makes what is lacking; this stage does it ahead, on as many machines as there
are. A clip without bars and a side that cannot be read become rows of rejects.parquet.
"""

from __future__ import annotations

import time

import polars as pl
from omegaconf import DictConfig

from data_pipelines.rejects import reject_of_clip
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.beat_store import BeatStore, Side
from mashnet.data.phrases.pairs import music_side, pairs_of, vocal_side
from mashnet.errors import MashnetError
from mashnet.execution.choice import executor_of
from mashnet.files import remove_leftovers
from mashnet.invocation import setting

CONFIG_DIR = CONFIGS / "pipeline"
STAGE = "beats"


def make(config: DictConfig) -> BeatStore:
    """Read the sides of a database in beat time that are not there yet; write the table rejects.

    Raises:
        ConfigError: if a setting is not allowed.
        DatabaseError: if there is no database.
        MashnetError: if the database cannot be written to.
    """
    began = time.monotonic()
    executor = executor_of(config)
    database = MashupDB.open(config.db)
    store = BeatStore(database)
    sides = {clip_id: _sides(database, clip_id) for clip_id in sorted(database.clip_rows)}
    try:
        remove_leftovers(database.root, below=False)
        found = store.each((s for of_clip in sides.values() for s in of_clip), executor=executor)
        count = sum(1 for _ in found)
        rejects = _rejects(store, list(sides))
        with database.changing():
            others = database.rejects.filter(pl.col("stage") != STAGE)
            if rejects or len(others) < len(database.rejects):
                database.write_table("rejects", [*others.to_dicts(), *rejects])
    except OSError as error:
        raise MashnetError(f"{error.filename or config.db}: {error.strerror or error}") from error
    print(
        f"{count} sides of {len(sides)} clips in beat time, after "
        f"{(time.monotonic() - began) / 60:.1f} min; PlaceNet is trained on them with: "
        f"python train.py model=placenet data=mashupdb {setting('data.root', config.db)}"
    )
    if rejects:
        print(f"{len(rejects)} rejects: {database.root / 'rejects.parquet'}")
    return store


def _sides(database: MashupDB, clip_id: str) -> list[Side]:
    """Return what sounds together of a clip, each side once."""
    pairs = pairs_of(database, clip_id)
    wanted = [vocal_side(database, clip_id), music_side(database, clip_id)]
    wanted += [side for pair in pairs for side in (pair.lead, pair.backing)]
    return [side for side in dict.fromkeys(wanted) if side]


def _rejects(store: BeatStore, clips: list[str]) -> list[dict[str, str]]:
    rows = []
    reasons: dict[str, str] = {}
    for side, reason in store.unreadable.items():
        reasons.setdefault(side.clip_id, reason)
    for clip_id in clips:
        clip = store.database.clip_rows[clip_id]
        if store.bars(clip_id) is None:
            known = clip["beats"] and clip["downbeats"]
            reasons[clip_id] = "no whole bar between its beats" if known else "no beats"
        if clip_id in reasons:
            rows.append(reject_of_clip(clip, STAGE, reasons[clip_id]))
    return rows
