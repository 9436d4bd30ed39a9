"""Search in a library of stems: those that fit a mix best (`python -m mashnet.retrieve`)."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import torch

from mashnet.data.parts import FilePart, Query, named_instrument
from mashnet.errors import AudioError, ConfigError
from mashnet.library.encoding import encoder
from mashnet.models.loading import folder_of, load_scorer, read_config
from mashnet.models.networks import NETWORKS, scorer_class_of
from mashnet.models.stems.scoring import StemScorer
from mashnet.storage.paths import root_of

COLUMNS = {
    "rank": pl.Int64,
    "score": pl.Float64,
    "title": pl.String,
    "artist": pl.String,
    "label": pl.String,
    "path": pl.String,
    "clip_id": pl.String,
}


def retrieve(
    checkpoint: str | Path,
    *,
    mix: str | Path,
    library: str | Path,
    instrument: str | None = None,
    top: int = 10,
) -> pl.DataFrame:
    """Find the stems of a library that fit a mix best.

    Args:
        checkpoint: a run or bundle of a network of the stems view.
        mix: a sound file, heard from its beginning to its end.
        library: folder of a MashupDB. Its embeddings are kept in its cache.
        instrument: what to look for, in free text; None leaves it open.
        top: how many, at most.

    Returns:
        A row per stem, best first, with the columns of `COLUMNS`; silent stems are left out. path
        leads to the sound.

    Raises:
        AudioError: if the mix cannot be used, or is silent.
        CheckpointError: if the checkpoint cannot be used.
        ConfigError: if the network judges something else, or a setting makes no sense.
        DatabaseError: if the library is not a MashupDB or has no stems.
    """
    if top < 1:
        raise ConfigError(f"top={top}: expected a whole number above 0")
    if instrument is not None:
        named_instrument(instrument)
    scorer = stem_scorer(checkpoint)
    query = Query({"context": FilePart(root_of(mix))}, instrument=instrument or "")
    if not scorer.embed_query([query])[..., 0].any():  # before the library is encoded
        raise AudioError(f"{mix} is silent: nothing fits it better than anything else")
    if instrument is not None and _ignores_instruments(scorer, query):
        print(f"note: {scorer.name} takes no notice of the instrument", file=sys.stderr)
    from mashnet.library.stems import StemLibrary  # with the extra `retrieve`: FAISS

    model = read_config(folder_of(Path(checkpoint)))["model"]
    stems = StemLibrary(library, scorer, model=model, encode=encoder(Path(checkpoint)))
    database = stems.database
    rows = []
    for rank, (stem_id, score) in enumerate(stems.search(query, top), start=1):
        stem, clip = database.stem_rows[stem_id], database.clip_of(stem_id)
        database.audio_path(stem_id)  # refuses a path that leads elsewhere
        rows.append(
            {
                "rank": rank,
                "score": score,
                "title": clip["title"],
                "artist": clip["artist"],
                "label": stem["label"],
                "path": str(database.root / stem["path"]),
                "clip_id": stem["clip_id"],
            }
        )
    return pl.DataFrame(rows, schema=COLUMNS)


def stem_scorer(checkpoint: str | Path) -> StemScorer:
    """Load a checkpoint that judges stems.

    Raises:
        CheckpointError: if it cannot be used.
        ConfigError: if the network judges something else.
    """
    scorer = load_scorer(checkpoint)
    if not isinstance(scorer, StemScorer):
        fitting = [n for n in NETWORKS.names() if scorer_class_of(n).view == "stems"]
        raise ConfigError(
            f"{checkpoint} judges {scorer.view}; to search for stems, take a network that judges "
            f"stems ({', '.join(fitting)})"
        )
    return scorer


def _ignores_instruments(scorer: StemScorer, query: Query) -> bool:
    """Return whether the query is heard in the same way without its instrument."""
    left_open = Query(query, instrument="")
    return torch.equal(scorer.embed_query([query]), scorer.embed_query([left_open]))


def format_table(found: pl.DataFrame) -> str:
    """Return the columns side by side, one line per stem."""
    rows = [list(found.columns)]
    for row in found.iter_rows(named=True):
        rows.append([f"{v:.4f}" if name == "score" else str(v or "") for name, v in row.items()])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
