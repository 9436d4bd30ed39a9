"""Stems of a MashupDB → what a network makes of each, and an index to search them by.

python -m data_pipelines.embeddings db=data/stems checkpoint=checkpoints/jepa

mashnet.retrieve makes what it lacks by itself; this stage does it ahead, on as many machines as
there are. Each stem is encoded once per network. A stem that cannot be encoded becomes a row of
rejects.parquet; the others go on.
"""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
from omegaconf import DictConfig

from data_pipelines.rejects import reject_row
from mashnet.commands.hydra_program import CONFIGS
from mashnet.errors import MashnetError
from mashnet.execution.choice import executor_of
from mashnet.files import remove_leftovers
from mashnet.invocation import setting
from mashnet.library.encoding import encoder
from mashnet.library.search import stem_scorer
from mashnet.library.stems import StemLibrary
from mashnet.models.loading import folder_of, read_config
from mashnet.storage.paths import root_of

CONFIG_DIR = CONFIGS / "pipeline"


def make(config: DictConfig) -> StemLibrary:
    """Encode the stems of a database that are not encoded yet; write the table rejects.

    Raises:
        CheckpointError: if the checkpoint cannot be used.
        ConfigError: if a setting is not allowed, or the network does not judge stems.
        DatabaseError: if there is no database, or no stem in it can be used.
        MashnetError: if the database cannot be written to.
    """
    began = time.monotonic()
    executor = executor_of(config)
    checkpoint = Path(config.checkpoint).absolute()  # workers may be elsewhere
    scorer = stem_scorer(checkpoint)
    model = read_config(folder_of(checkpoint))["model"]
    try:
        remove_leftovers(root_of(config.db), below=False)
        library = StemLibrary(config.db, scorer, model=model, encode=encoder(checkpoint, executor))
        database = library.database
        rejects = [
            reject_row(f"{database.stem_rows[stem_id]['path']}", "embeddings", reason)
            for stem_id, reason in sorted(library.unusable.items())
        ]
        with database.changing():
            others = database.rejects.filter(pl.col("stage") != "embeddings")
            if rejects or len(others) < len(database.rejects):
                database.write_table("rejects", [*others.to_dicts(), *rejects])
    except OSError as error:
        raise MashnetError(f"{error.filename or config.db}: {error.strerror or error}") from error
    print(
        f"{len(library)} of {len(database.stems)} stems as {scorer.name} hears them, after "
        f"{(time.monotonic() - began) / 60:.1f} min; search them with: python -m mashnet.retrieve "
        f"{config.checkpoint} mix=FILE {setting('library', config.db)}"
    )
    if rejects:
        print(f"{len(rejects)} rejects: {database.root / 'rejects.parquet'}")
    return library
