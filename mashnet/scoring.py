"""The one question put to every model: how well do these parts fit together?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mashnet.data.candidates import Limits, candidates_for
from mashnet.data.loops import file_part, part_of
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.parts import FilePart, Part, Query
from mashnet.errors import AudioError, ConfigError, DatabaseError, require_one_of
from mashnet.library import files_of, target_of
from mashnet.models.loading import load_scorer
from mashnet.models.scorer import EmbeddingScorer, Scorer
from mashnet.models.stem_scoring import StemScorer
from mashnet.music.key_names import parse_key
from mashnet.storage.paths import root_of

__all__ = ["EmbeddingScorer", "Model", "Scorer", "load"]

RANKING = {
    "score": pl.Float64,
    "clip_id": pl.String,
    "title": pl.String,
    "artist": pl.String,
    "semitones": pl.Int64,
    "tempo_ratio": pl.Float64,
}
LOOP_RANKING = ("score", "loop_id", "kind", "clip_id", "title", "path")


class Model:
    """A loaded Scorer with an interface for files."""

    def __init__(self, scorer: Scorer) -> None:
        """Wrap any Scorer."""
        self.scorer = scorer

    def score(self, *, instrument: str = "", **stems: str | Path) -> float:
        """Return how well some stems or loops fit together.

        Args:
            instrument: for a network that is told which stem is looked for: its name in free
                text; "" leaves it open.
            stems: a sound file per role: vocal, harmonic, percussion; loop_a and loop_b for a
                network that judges loops; context and target for one that looks for stems.

        Raises:
            AudioError: if a file cannot be used.
            ConfigError: if a role is missing or unknown, or the network asks for no instrument.
        """
        roles = getattr(self.scorer, "roles", ROLES)
        if instrument and not isinstance(self.scorer, StemScorer):
            raise ConfigError("instrument=… is for networks that look for stems; leave it out")
        for role in stems:
            require_one_of("role", role, roles)
        if missing := [role for role in roles if role not in stems]:
            raise ConfigError(f"a file for each role is needed; missing: {', '.join(missing)}")
        read = file_part if getattr(self.scorer, "view", "mixes") == "loops" else FilePart
        parts: dict[str, Part] = {role: read(root_of(path)) for role, path in stems.items()}
        if isinstance(self.scorer, StemScorer):
            for role, part in parts.items():
                if not self.scorer.frontend.windows_of({role: part})[1].any():
                    raise AudioError(f"{stems[role]}: is silent; nothing fits or misfits it")
        query = Query({roles[0]: parts.pop(roles[0])}, instrument=instrument)
        return float(self.scorer.score(query, [parts])[0])

    def rank(
        self,
        query: Mapping[str, str | Path],
        library: str | Path,
        *,
        tempo_bpm: float | None = None,
        key: str | None = None,
        first_downbeat_s: float | None = None,
        max_semitones: int = 3,
        tempo_range: tuple[float, float] = (0.8, 1.2),
    ) -> pl.DataFrame:
        """Rank what a library could add to a query.

        Each clip of the library that brings the missing roles is moved to the query's key, tempo
        and first downbeat, once, and scored. A network for loops takes `{"loop_a": file}` and ranks
        all loops of the library; what is said of tempo and key below is then not used.

        Args:
            query: a sound file for one or two roles, such as `{"vocal": "v.wav"}`.
            library: folder of a MashupDB.
            tempo_bpm: the query's tempo; estimated from its sound if not given.
            key: the query's key, such as "A minor"; estimated if not given.
            first_downbeat_s: the query's first downbeat; estimated if not given.
            max_semitones: clips that would have to be shifted further are left out.
            tempo_range: likewise for clips that would have to be stretched beyond these ratios.

        Returns:
            A row per clip, best first: score, clip_id, title, artist, semitones, tempo_ratio. Of
            loops a row per loop, with the columns of `LOOP_RANKING`.

        Raises:
            AudioError: if a file of the query cannot be used.
            DatabaseError: if the library is not a MashupDB.
            ConfigError: if the query's roles, key or beat make no sense, or the network looks for
                stems, of which `python -m mashnet.retrieve` finds those that fit.
        """
        if isinstance(self.scorer, StemScorer):
            raise ConfigError(
                f"{self.scorer.name} looks for stems; search a library with: python -m "
                "mashnet.retrieve"
            )
        database = MashupDB.open(library)
        if getattr(self.scorer, "view", "mixes") == "loops":
            return self._rank_loops(query, database)
        files, group, missing = files_of(query)
        try:
            known_key = parse_key(key) if key else None
        except ValueError as error:
            raise ConfigError(str(error)) from error
        target = target_of(
            files, tempo_bpm=tempo_bpm, key=known_key, first_downbeat_s=first_downbeat_s
        )
        limits = Limits(max_semitones, tempo_range)
        candidates = candidates_for(target, database, missing, limits=limits)
        groups = [candidate.group for candidate in candidates]
        scores = self.scorer.score(group, groups).tolist() if groups else []
        rows = [
            {
                "score": score,
                **{name: c.clip[name] for name in ("clip_id", "title", "artist")},
                "semitones": c.semitones,
                "tempo_ratio": c.tempo_ratio,
            }
            for score, c in zip(scores, candidates, strict=True)
        ]
        return pl.DataFrame(rows, schema=RANKING).sort("score", descending=True)

    def _rank_loops(self, query: Mapping[str, str | Path], database: MashupDB) -> pl.DataFrame:
        if set(query) != {"loop_a"}:
            raise ConfigError("a loop is ranked with one other loop: query={'loop_a': file}")
        loops = database.loops.join(database.clips.select("clip_id", "title"), "clip_id", "left")
        if not len(loops):
            raise DatabaseError(
                f"{database.root} has no loops. Make them with: "
                f"python -m data_pipelines.loops db={database.root}"
            )
        groups = [{"loop_b": part_of(database, row)} for row in loops.iter_rows(named=True)]
        asked = {"loop_a": file_part(root_of(query["loop_a"]))}
        scores = self.scorer.score(asked, groups).tolist()
        ranking = loops.with_columns(score=pl.Series(scores, dtype=pl.Float64))
        return ranking.select(LOOP_RANKING).sort("score", descending=True)


def load(path: str | Path, *, text_weights: str | None = None) -> Model:
    """Load a bundle (its self-check runs once) or a run.

    Args:
        path: its folder.
        text_weights: a folder or hub id of the text encoder, for a network that was trained with
            CLAP's; None takes what MASHNET_TEXT_WEIGHTS says. A file never chooses that.

    Raises:
        CheckpointError: if it is missing, damaged, or not what its configuration says.
        ConfigError: if it needs a text encoder that is not named.
    """
    return Model(load_scorer(path, text_weights=text_weights))
