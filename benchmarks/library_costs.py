"""What a library costs as it grows: one function per thing that programs do with all of it.

Each takes a synthetic library (`benchmarks.synthetic_library`) and its number of songs, prepares
what is not measured, and returns what is: a function without arguments.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from omegaconf import OmegaConf

from benchmarks.synthetic_library import split_songs
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import SCHEMAS

Work = Callable[[], object]
DIMENSIONS = 128
PER_SEED = {"original": 2, "matched": 2, "unmatched_key": 1, "unmatched_tempo": 1}


def open_database(root: Path, songs: int) -> Work:
    """Open it and read all of its tables."""

    def work() -> object:
        database = MashupDB.open(root)
        return [database.table(name) for name in SCHEMAS], database.stem_rows, database.clip_rows

    return work


def draw_mixes(root: Path, songs: int) -> Work:
    """Draw the recipes of all vocals."""
    from data_pipelines.mixes.clips import Limits, usable_clips
    from data_pipelines.mixes.drawing import draw_recipes

    limits = Limits(3, 0.8, 1.2, 20.0, 40.0)
    clips, _ = usable_clips(MashupDB.open(root), limits)
    counts = {"train": PER_SEED, "val": PER_SEED}
    return lambda: draw_recipes(
        clips, limits, counts, seed=1, stretch="global", artefact_control=True
    )


def draw_negatives(root: Path, songs: int) -> Work:
    """Draw a negative of every strategy for all pairs of loops."""
    from data_pipelines.negatives.drawing import Pool, Sound, draw_negative
    from mashnet.data.loops.loops import STRATEGIES

    database = MashupDB.open(root)
    random = np.random.default_rng(0)
    few = [Sound(random.random((173, 128), dtype=np.float32)) for _ in range(20)]
    loops = database.loops.filter(pl.col("split") == "train").to_dicts()
    sounds = {row["loop_id"]: few[index % len(few)] for index, row in enumerate(loops)}
    pairs = database.pairs.filter(pl.col("split") == "train").to_dicts()

    def work() -> object:
        pool = Pool(loops, sounds)
        return [draw_negative(pair, name, pool, seed=1) for pair in pairs for name in STRATEGIES]

    return work


def split(root: Path, songs: int) -> Work:
    """Give every song its split."""
    return lambda: split_songs(songs)


def list_mixes(root: Path, songs: int) -> Work:
    """List the mixes of a training run, and which parts they need (`MixData`)."""
    from mashnet.data.mixes.module import MixData
    from mashnet.data.mixes.recipes import Recipe
    from mashnet.models.mixes.premixnet import PreMixScorer

    database = MashupDB.open(root)
    if not len(database.mixes):
        found: Any = draw_mixes(root, songs)()
        recipes: list[Recipe] = found
        database.write_table("mixes", [recipe.row() for recipe in recipes])

    def work() -> object:
        data = MixData(
            root,
            artefact_control=True,
            inputs=("vocal", "harmonic", "percussion"),
            frontend=PreMixScorer.frontend_of(_scale("mixes")["frontend"]),
            with_unlabelled=True,
            transposed_negatives=True,
            batch_size=4,
            validation_windows=3,
            seed=1,
        )
        return [data._items(data.recipes(name)) for name in ("train", "val")]

    return work


def list_stems(root: Path, songs: int) -> Work:
    """List the stems of a training run, whose waveforms are there (`StemData`)."""
    from mashnet.data.stems.data import StemData
    from mashnet.data.stems.view import Augmentation

    def work() -> object:
        return StemData(
            root,
            sample_rate=16_000,
            target="stem",
            chunk_s=(2.0, 2.0),
            validation_chunk_s=2.0,
            batch_size=32,
            per_clip=4,
            validation_per_clip=2,
            silence_db=-60.0,
            augmentation=Augmentation(6.0, -20.0),
            seed=1,
        )

    return work


def list_loops(root: Path, songs: int) -> Work:
    """List the pairs of loops of a training run, whose log-mels are there (`LoopData`)."""
    from mashnet.data.loops.view import LoopData
    from mashnet.models.loops.loop_cnn import LoopCnnScorer

    database = MashupDB.open(root)
    if not (database.pairs["label"] == 0).any():
        positives = database.pairs
        moved = positives.with_columns(
            pl.lit(0).cast(pl.Int64).alias("label"),
            pl.lit("shift").alias("strategy"),
            pl.lit('{"shift": 1}').alias("params"),
            (pl.lit("shifted ") + pl.col("pair_id")).alias("pair_id"),
        )
        database.write_table("pairs", pl.concat([positives, moved]))

    def work() -> object:
        data = LoopData(
            root,
            inputs=("mix",),
            frontend=LoopCnnScorer.frontend_of(_scale("loops")["frontend"]),
            negatives="shift",
            batch_size=128,
            seed=1,
        )
        return data.train_dataloader(), data.val_dataloader()

    return work


def rank(name: str) -> Callable[[Path, int], Work]:
    """Return what compares one query with all songs by a Scorer that knows their embeddings."""

    def begin(root: Path, songs: int) -> Work:
        from benchmarks.parts.ranking import equally_long, scorer_named, sides

        scorer = scorer_named(name)
        queries, candidates = sides(scorer, 4)
        with torch.inference_mode():
            query = scorer.embed_query(queries[:1])
            few = torch.cat(equally_long([scorer.embed_candidate([c]) for c in candidates]))
        known = few[[index % 4 for index in range(songs)]]
        return lambda: scorer.similarity(query, known)

    return begin


def read_embeddings(root: Path, songs: int) -> Work:
    """Open the embeddings of all stems (`EmbeddingStore`)."""
    from mashnet.data.embedding_store import EmbeddingStore

    keys = [f"{stem_id}-1" for stem_id in MashupDB.open(root).stems["stem_id"]]
    vectors = np.random.default_rng(0).random((len(keys), 1, 1 + DIMENSIONS), dtype=np.float32)
    store = EmbeddingStore(root / "cache" / "embeddings" / "synthetic")
    store.update(keys, lambda missing: iter(vectors[: len(missing)]))

    def work() -> object:
        blocks = store.update(keys, lambda _: iter(()))
        return [np.asarray(block.embeddings).sum() for block in blocks]

    return work


def build_index(root: Path, songs: int) -> Work:
    """Build the index of all stems."""
    from mashnet.library.index import VectorIndex

    vectors = _vectors(3 * songs)
    return lambda: VectorIndex.build([vectors])


def query_index(root: Path, songs: int) -> Work:
    """Search among all stems, 100 times."""
    from mashnet.library.index import VectorIndex

    index = VectorIndex.build([_vectors(3 * songs)])
    queries = _vectors(100)
    return lambda: [index.search(query[None], 10) for query in queries]


def bootstrap(root: Path, songs: int) -> Work:
    """Estimate a figure and its interval, one item per song."""
    from mashnet.evaluation.statistics import Bootstrap

    values = np.random.default_rng(0).random(songs)
    groups = [f"song {number}" for number in range(songs)]
    return lambda: Bootstrap().estimate(lambda column: float(column.mean()), [values], groups)


def one_sidedness(root: Path, songs: int) -> Work:
    """Compare an n × n matrix of scores with its mirror image, and with ten of chance's."""
    from mashnet.evaluation.protocols.song_selection.pairs import permutation_p

    scores = np.random.default_rng(0).random((songs, songs))
    names = np.array([f"song {number}" for number in range(songs)])
    return lambda: permutation_p(scores, names, num_permutations=10, seed=0)


def rank_figures(root: Path, songs: int) -> Work:
    """Find the rank of each vocal's own accompaniment in an n × n matrix."""
    from mashnet.tasks.stem import retrieval_figures

    scores = torch.rand(songs, songs)
    numbers = torch.arange(songs)
    return lambda: retrieval_figures(scores, numbers)


def write_report(root: Path, songs: int) -> Work:
    """Write the report of an evaluation, its figures and a score per song."""
    from mashnet.evaluation.report import write_report as write
    from mashnet.evaluation.results import Metric, Outcome, ScorerResult, write_outcome
    from mashnet.evaluation.statistics import Estimate

    estimate = Estimate(0.5, 0.4, 0.6, songs)
    result = ScorerResult("mashup_retrieval", "random", "synthetic", "val", {"mrr": estimate})
    random = np.random.default_rng(0)
    scores = pl.DataFrame({"song": [f"{i}" for i in range(songs)], "score": random.random(songs)})
    outcome = Outcome(
        protocol="mashup_retrieval",
        title="Growth",
        summary="How does a report grow?",
        results=[result],
        metrics={"mrr": Metric("mean reciprocal rank")},
        scores=scores,
        plots=[],
    )

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_outcome(outcome, Path(folder))
            write(outcome, Path(folder) / "report.html", command="benchmark")

    return work


# What → (how it should grow, its function). 1: in proportion; 2: there are n × n results.
COSTS: dict[str, tuple[float, Callable[[Path, int], Work]]] = {
    "open a MashupDB, read its tables": (1, open_database),
    "give songs their split": (1, split),
    "draw mixes": (1, draw_mixes),
    "draw negatives of loops": (1, draw_negatives),
    "list mixes for training": (1, list_mixes),
    "list stems for training": (1, list_stems),
    "list loops for training": (1, list_loops),
    **{
        f"rank all songs for one query: {name}": (1, rank(name))
        for name in (
            *("keytempo", "alignment", "automashupper", "premixnet", "loop_siamese"),
            *("contrastive", "jepa", "stem_jepa", "cocola", "phalar", "alignnet"),
        )
    },
    "read embeddings": (1, read_embeddings),
    "build an index": (1, build_index),
    "search an index 100 times": (1, query_index),
    "bootstrap over songs": (1, bootstrap),
    "ranks in an n × n matrix": (2, rank_figures),
    "one-sidedness of an n × n matrix": (2, one_sidedness),
    "write a report": (1, write_report),
}


def _vectors(count: int) -> np.ndarray:
    found = np.random.default_rng(count).standard_normal((count, DIMENSIONS), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _scale(view: str) -> dict[str, Any]:
    sizes: Any = OmegaConf.to_container(OmegaConf.load(CONFIGS / "scale" / "small.yaml"))
    return sizes[view]
