"""Ranking what a library could add to a query: `Model.rank` of mashnet.scoring."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from mashnet.audio.stretch import FREE_ENGINE, default_engine
from mashnet.data.loops.loops import file_part, part_of
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Candidate, Limits, candidates_for
from mashnet.data.parts import FilePart, Group
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.errors import ConfigError, DatabaseError
from mashnet.invocation import setting
from mashnet.library.as_they_lie import placed_clips
from mashnet.library.query import files_of, target_of
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.scorer import Scorer
from mashnet.music.key_names import parse_key
from mashnet.music.placement import Placement
from mashnet.music.tempo_levels import LEVELS, ONE_LEVEL
from mashnet.storage.paths import root_of

RANKING = {
    "score": pl.Float64,
    "clip_id": pl.String,
    "title": pl.String,
    "artist": pl.String,
    "semitones": pl.Int64,
    "cents": pl.Float64,
    "tempo_ratio": pl.Float64,
    "tempo_level": pl.Float64,
    "query_bar": pl.Int64,
    "clip_bar": pl.Int64,
    "bars": pl.Int64,
    "confidence": pl.Float64,
}
_OF_PLACEMENT = (
    *("score", "semitones", "cents", "tempo_ratio", "tempo_level", "bars", "confidence"),
)
LOOP_RANKING = ("score", "loop_id", "kind", "clip_id", "title", "path")
HEARD = 400  # clips that are moved and heard at most


def rank_clips(
    scorer: Scorer,
    query: Mapping[str, str | Path],
    library: str | Path,
    *,
    tempo_bpm: float | None,
    key: str | None,
    first_downbeat_s: float | None,
    max_semitones: int,
    tempo_range: tuple[float, float],
    tempo_levels: bool = True,
    heard: int = HEARD,
) -> pl.DataFrame:
    """Rank the clips that bring the roles a query lacks; `Model.rank` says what each setting is."""
    database = MashupDB.open(library)
    files, group, missing = files_of(query)
    try:
        known_key = parse_key(key) if key else None
    except ValueError as error:
        raise ConfigError(str(error)) from error
    target, facts = target_of(
        files, tempo_bpm=tempo_bpm, key=known_key, first_downbeat_s=first_downbeat_s
    )
    limits = Limits(max_semitones, tempo_range, LEVELS if tempo_levels else ONE_LEVEL)
    knowing = {role: FilePart(path, facts) for role, path in files.items()}
    if isinstance(scorer, PhraseScorer):
        return _placed(database, placed_clips(scorer, knowing, database, missing, limits))
    engine = default_engine()
    if engine == FREE_ENGINE:
        print(
            f"note: Rubber Band is not installed; {FREE_ENGINE} moves the library's parts",
            file=sys.stderr,
        )
    candidates = candidates_for(target, database, missing, limits=limits, engine=engine)
    if len(candidates) > heard:
        candidates = _likeliest(candidates, knowing, database, missing, limits, heard)
    groups = [candidate.group for candidate in candidates]
    scores = scorer.score(group, groups).tolist() if groups else []
    rows = [
        {
            "score": score,
            **{name: c.clip[name] for name in ("clip_id", "title", "artist")},
            "semitones": c.semitones,
            "cents": c.cents,
            "tempo_ratio": c.tempo_ratio,
            "tempo_level": c.tempo_level,
        }
        for score, c in zip(scores, candidates, strict=True)
    ]
    return pl.DataFrame(rows, schema=RANKING).sort("score", descending=True)


def _placed(database: MashupDB, placements: Iterable[tuple[str, Placement]]) -> pl.DataFrame:
    rows = [
        {
            **{name: database.clip_rows[clip_id][name] for name in ("clip_id", "title", "artist")},
            **{name: getattr(p, name) for name in _OF_PLACEMENT},
            "query_bar": p.base_bar,
            "clip_bar": p.guest_bar,
        }
        for clip_id, p in placements
    ]
    return pl.DataFrame(rows, schema=RANKING).sort("score", descending=True)


def _likeliest(
    candidates: Sequence[Candidate],
    query: Group,
    database: MashupDB,
    roles: Sequence[str],
    limits: Limits,
    count: int,
) -> list[Candidate]:
    """Return the candidates that fit best as they lie; what cannot be compared comes last."""
    placer = PlaceNetScorer(PlaceNet(), PhraseFrontend(), name="placenet")
    among = {candidate.clip["clip_id"] for candidate in candidates}
    scores = {
        clip_id: placement.score
        for clip_id, placement in placed_clips(placer, query, database, roles, limits, among)
    }
    print(
        f"note: {len(candidates)} clips were compared as they lie; the likeliest {count} are "
        f"moved and heard (heard=…)",
        file=sys.stderr,
    )
    order = sorted(candidates, key=lambda c: -scores.get(c.clip["clip_id"], -math.inf))
    return order[:count]


def rank_loops(
    scorer: Scorer, query: Mapping[str, str | Path], library: str | Path
) -> pl.DataFrame:
    """Rank all loops of a library beside one."""
    database = MashupDB.open(library)
    if set(query) != {"loop_a"}:
        raise ConfigError("a loop is ranked with one other loop: query={'loop_a': file}")
    loops = database.loops.join(database.clips.select("clip_id", "title"), "clip_id", "left")
    if not len(loops):
        raise DatabaseError(
            f"{database.root} has no loops. Make them with: "
            f"python -m data_pipelines.loops {setting('db', database.root)}"
        )
    groups = [{"loop_b": part_of(database, row)} for row in loops.iter_rows(named=True)]
    asked = {"loop_a": file_part(root_of(query["loop_a"]))}
    scores = scorer.score(asked, groups).tolist()
    ranking = loops.with_columns(score=pl.Series(scores, dtype=pl.Float64))
    return ranking.select(LOOP_RANKING).sort("score", descending=True)
