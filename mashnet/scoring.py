"""The one question put to every model: how well do these parts fit together?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mashnet.data.parts import FilePart, Part, Query
from mashnet.data.roles import ROLES
from mashnet.errors import AudioError, ConfigError, require_one_of
from mashnet.models.loading import load_scorer
from mashnet.models.scorer import EmbeddingScorer, Scorer
from mashnet.storage.paths import root_of

if TYPE_CHECKING:
    import polars as pl

__all__ = ["EmbeddingScorer", "Model", "Scorer", "load"]


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
        view = getattr(self.scorer, "view", "mixes")
        if instrument and view != "stems":
            raise ConfigError("instrument=… is for networks that look for stems; leave it out")
        for role in stems:
            require_one_of("role", role, roles)
        if missing := [role for role in roles if role not in stems]:
            raise ConfigError(f"a file for each role is needed; missing: {', '.join(missing)}")
        parts: dict[str, Part]
        if view == "loops":
            from mashnet.data.loops.loops import file_part

            parts = {role: file_part(root_of(path)) for role, path in stems.items()}
        else:
            parts = {role: FilePart(root_of(path)) for role, path in stems.items()}
        if view == "stems":
            for role, part in parts.items():
                if not self.scorer.frontend.windows_of({role: part})[1].any():  # type: ignore[attr-defined]
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
        tempo_levels: bool = True,
        heard: int = 400,
    ) -> pl.DataFrame:
        """Rank what a library could add to a query.

        Each clip of the library that brings the missing roles is moved to the query's key, tempo
        and first downbeat, once, and scored. PlaceNet compares clips as they lie and says where a
        phrase of each belongs; in a larger library it says which are worth being moved. A network
        for loops takes `{"loop_a": file}` and ranks all loops of the library; what is said of tempo
        and key below is then not used.

        Args:
            query: a sound file for one or two roles, such as `{"vocal": "v.wav"}`.
            library: folder of a MashupDB.
            tempo_bpm: the query's tempo; estimated from its sound if not given.
            key: the query's key, such as "A minor"; estimated if not given.
            first_downbeat_s: the query's first downbeat; estimated if not given.
            max_semitones: clips that would have to be shifted further are left out.
            tempo_range: likewise for clips that would have to be stretched beyond these ratios.
            heard: at most so many clips are moved and heard: those that fit best as they lie.
            tempo_levels: whether a clip at half or double the tempo meets the query's every second
                beat; False takes tempi as they are written down.

        Returns:
            A row per clip, best first: score, clip_id, title, artist, semitones and
            cents (by which it is shifted), tempo_ratio, tempo_level (beats of the query that one of
            the clip lasts); and of PlaceNet query_bar, clip_bar (counted from 0), bars and
            confidence. Of loops a row per loop, with the columns of `LOOP_RANKING`.

        Raises:
            AudioError: if a file of the query cannot be used.
            DatabaseError: if the library is not a MashupDB.
            ConfigError: if the query's roles, key or beat make no sense, or the network looks for
                stems, of which `python -m mashnet.retrieve` finds those that fit.
        """
        from mashnet.library.ranking import rank_clips, rank_loops  # score() needs no library

        view = getattr(self.scorer, "view", "mixes")
        if view == "stems":
            raise ConfigError(
                f"{self.scorer.name} looks for stems; search a library with: python -m "
                "mashnet.retrieve"
            )
        if view == "loops":
            return rank_loops(self.scorer, query, library)
        return rank_clips(
            self.scorer,
            query,
            library,
            tempo_bpm=tempo_bpm,
            key=key,
            first_downbeat_s=first_downbeat_s,
            max_semitones=max_semitones,
            tempo_range=tempo_range,
            tempo_levels=tempo_levels,
            heard=heard,
        )


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
