"""Pairs of loops that do not fit, one per pair that does and strategy.

python -m data_pipelines.negatives db=data/real strategies=[random,selected,reverse,shift,rearrange]

Rows of pairs.parquet are recipes: which two loops, and how the second is changed; the sound is made
when somebody listens. What is drawn, and what is refused, stands in `negative_drawing`.
"""

from __future__ import annotations

from collections import Counter

import polars as pl
from omegaconf import DictConfig

from data_pipelines.negatives.drawing import Pool, Row, Sound, draw_negative
from data_pipelines.rejects import reject_row
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.loops.loops import POSITIVE, SAMPLE_RATE, STRATEGIES, log_mel_of, part_of
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import SCHEMAS, SPLITS
from mashnet.errors import ConfigError, DatabaseError, MashnetError, require_one_of
from mashnet.files import remove_leftovers
from mashnet.invocation import setting
from mashnet.progress import Progress

CONFIG_DIR = CONFIGS / "pipeline"
STAGE = "negatives"


def make(config: DictConfig) -> None:
    """Write the negatives of a configuration into pairs.parquet; rows of other strategies stay.

    Raises:
        ConfigError: if a strategy is unknown or none is named.
        DatabaseError: if there are no pairs of loops.
        MashnetError: if not one negative could be made.
    """
    strategies = list(config.strategies)
    if not strategies:
        raise ConfigError(f"strategies=[] names none of {', '.join(STRATEGIES)}")
    for strategy in strategies:
        require_one_of("strategies", strategy, STRATEGIES)
    database = MashupDB.open(config.db)
    positives = database.pairs.filter(pl.col("strategy") == POSITIVE)
    if not len(positives):
        raise DatabaseError(
            f"{database.root} has no pairs of loops. Make them with: "
            f"python -m data_pipelines.loops {setting('db', database.root)}"
        )
    remove_leftovers(database.root, below=False)
    remove_leftovers(database.place("cache", "loop_mels"))  # of a training run that was killed
    sounds = _sounds(database)
    rows: list[Row] = []
    refused: list[Row] = []
    for split in SPLITS:
        loops = database.loops.filter(pl.col("split") == split).to_dicts()
        pool = Pool(loops, sounds)
        for pair in positives.filter(pl.col("split") == split).iter_rows(named=True):
            for strategy in strategies:
                drawn = draw_negative(pair, strategy, pool, seed=int(config.seed))
                if isinstance(drawn, str):
                    name = f"pair {pair['pair_id']} ({split}), {strategy}"
                    refused.append(reject_row(name, STAGE, drawn))
                else:
                    rows.append(drawn)
    if not rows:
        raise MashnetError(f"{database.root}: no negative can be made: {refused[0]['reason']}")
    with database.changing():
        if not database.pairs.filter(pl.col("strategy") == POSITIVE).equals(positives):
            raise DatabaseError(
                f"{database.root}: its loops were made anew while this ran; run the same command "
                "again"
            )
        _write(database, strategies, rows, refused)
        seeds = (database.entry("negatives") or {}) | dict.fromkeys(strategies, int(config.seed))
        database.update_manifest(negatives=seeds)
    _summary(database, len(positives), rows, refused)


def _sounds(database: MashupDB) -> dict[str, Sound]:
    """Listen to every loop once."""
    loops = database.loops.iter_rows(named=True)
    progress = Progress(loops, total=len(database.loops), desc="loops", unit="loop")
    return {
        row["loop_id"]: Sound(log_mel_of(part_of(database, row).waveform(SAMPLE_RATE)))
        for row in progress
    }


def _write(database: MashupDB, strategies: list[str], rows: list[Row], refused: list[Row]) -> None:
    others = database.pairs.filter(~pl.col("strategy").is_in(strategies))
    new = pl.DataFrame(rows, schema=SCHEMAS["pairs"])
    order = [-pl.col("label"), pl.col("strategy"), pl.col("pair_id")]
    pairs = pl.concat([others, new]).sort(order)
    if not pairs.equals(database.pairs):
        database.write_table("pairs", pairs)
    drawn = pl.col("input").str.split(", ").list.last().is_in(strategies)
    earlier = database.rejects.filter((pl.col("stage") != STAGE) | ~drawn)
    rejects = pl.concat([earlier, pl.DataFrame(refused, schema=SCHEMAS["rejects"])])
    if not rejects.equals(database.rejects):
        database.write_table("rejects", rejects)


def _summary(database: MashupDB, positives: int, rows: list[Row], refused: list[Row]) -> None:
    counts = Counter((row["split"], row["strategy"]) for row in rows)
    print(f"{positives} pairs that fit; negatives in {database.root / 'pairs.parquet'}:")
    for (split, strategy), count in sorted(counts.items()):
        print(f"  {split:<6}{strategy:<10}{count}")
    if refused:
        common = Counter(row["reason"] for row in refused).most_common()
        detail = ", ".join(f"{reason}: {count}" for reason, count in common)
        print(f"{len(refused)} left out ({detail}): {database.root / 'rejects.parquet'}")
