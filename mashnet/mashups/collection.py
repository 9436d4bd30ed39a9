"""A folder of finished mashups: sound, a recipe beside each, and mashups.json over all.

mashups.json is {"mashups": [row, …]}. A row says who chose the mashup (system, kind, rank, score,
scores), where it lies (name, audio) and what it is, as its recipe does
(`mashnet.mashups.recipe`). Paths are relative to the folder.

Sound is named after its content, so that nothing is rendered twice: not after a kill, not for a
second Scorer that chooses the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mashnet.audio.io import write_sound
from mashnet.errors import ConfigError
from mashnet.files import content_id, plain_name, remove_leftovers, write_json
from mashnet.invocation import setting
from mashnet.mashups.proposals import Guest, LibraryClip, Proposal
from mashnet.mashups.recipe import placed_of, recipe_of, render, song_of
from mashnet.music.tempo_levels import OCTAVES
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, PLACED, RENDERING_ENGINE
from mashnet.rendering.songs import SongOfLibrary
from mashnet.storage.regular_files import read_json

MANIFEST = "mashups.json"
_LONGEST_TITLE = 24  # characters of a title in a file's name
_VERSION = 1  # part of every name: raise it when rendering changes, so that nothing stale is kept


class Collection:
    """Renders proposals into a folder; begins with no rows, and with the sound that is there."""

    def __init__(
        self,
        folder: str | Path,
        *,
        technique: str = DEFAULT_TECHNIQUE,
        engine: str = RENDERING_ENGINE,
        workers: int | None = 1,
    ) -> None:
        """Make the folder, and clear away what a killed run left half done.

        Args:
            folder: of the collection.
            technique: as in `mashnet.rendering.mashup.render_mashup`; engine and workers likewise.
                Of proposals whose guests are not placed: those that are, are played as placed.
            engine: likewise.
            workers: likewise.

        Raises:
            ConfigError: if it cannot be made.
        """
        self.folder = Path(folder)
        self.technique, self.engine, self.workers = technique, engine, workers
        self.rows: list[dict[str, Any]] = []
        self._songs: dict[tuple[str, str], SongOfLibrary] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder)
            self._write()
        except OSError as error:
            raise ConfigError(
                f"{self.folder} cannot be written to: {error.strerror or error}"
            ) from error

    def add(
        self,
        proposal: Proposal,
        *,
        system: str,
        kind: str,
        rank: int,
        score: float | None,
        scores: Mapping[str, float | None] | None = None,
    ) -> dict[str, Any]:
        """Render a proposal unless it lies there; write it into the manifest.

        Args:
            proposal: what to render; one without guests is mastered as a mashup is.
            system: who chose it.
            kind: why: best, worst, top, original.
            rank: of the choice, from 1.
            score: what the system gave; None for an original that nobody chose.
            scores: what each Scorer gives, for those who compare Scorers with listeners.

        Returns:
            Its row.

        Raises:
            MashnetError: if a song lacks its stems, or they cannot be read.
        """
        name = self._name(proposal)
        path = self.folder / f"{name}.flac"
        recipe_path = path.with_suffix(".json")  # written last: where it is, all is
        if not (path.is_file() and recipe_path.is_file()):
            how = {"technique": self.technique_of(proposal), "engine": self.engine}
            mashup = render(proposal, **how, workers=self.workers)
            write_sound(path, mashup.audio, mashup.sample_rate)
            write_json(recipe_path, recipe_of(proposal, mashup, **how))
        row = {
            "name": name,
            "system": system,
            "kind": kind,
            "rank": rank,
            "score": score,
            "scores": dict({system: score} if scores is None else scores),
            "audio": path.name,
            **_recipe(recipe_path),
        }
        # Who chooses the same sound again may call another phrase of it sure.
        placed = placed_of(proposal)
        row["guests"] = [guest | placed.get(guest["role"], {}) for guest in row["guests"]]
        self.rows.append(row)
        self._write()
        return row

    def technique_of(self, proposal: Proposal) -> str:
        """Return the technique a proposal is rendered with."""
        return PLACED if proposal.placements else self.technique

    def song(self, clip: LibraryClip) -> SongOfLibrary:
        """Return a clip as a song to render; each is looked up once."""
        key = str(clip.database.root), clip.clip_id
        if key not in self._songs:
            self._songs[key] = song_of(clip)
        return self._songs[key]

    def _name(self, proposal: Proposal) -> str:
        clips = dict.fromkeys([proposal.base, *(g.clip for g in proposal.guests.values())])
        identity: list[Any] = [_VERSION]
        if proposal.guests:
            identity += [self.technique_of(proposal), self.engine]
        identity += [_facts(self.song(proposal.base))]
        identity += [
            [role, _facts(self.song(g.clip)), *_beyond_facts(g)]
            for role, g in proposal.guests.items()
        ]
        titles = [plain_name(clip.title, "untitled", most=_LONGEST_TITLE) for clip in clips]
        return "--".join([*titles, content_id(identity)])

    def _write(self) -> None:
        write_json(self.folder / MANIFEST, {"mashups": self.rows})


def _recipe(path: Path) -> dict[str, Any]:
    """Return how a mashup was made, as its file has it; raises ConfigError if that is damaged."""
    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); delete it: it is made anew") from error


def read_collection(folder: str | Path) -> list[dict[str, Any]]:
    """Return the rows of a collection.

    Raises:
        ConfigError: if there is none, or it is damaged.
    """
    path = Path(folder) / MANIFEST
    try:
        rows = list(read_json(path)["mashups"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder} is no collection of mashups ({MANIFEST}: {error}). Make one with: "
            f"python -m mashnet.mashup library=DB scorer=BUNDLE {setting('out', folder)}"
        ) from error
    return rows


def _beyond_facts(guest: Guest) -> list[Any]:
    """Return what decides how a guest is rendered and was not known of when names were given."""
    if (placement := guest.placement) is not None:
        bars = placement.guest_bar, placement.base_bar
        return [*bars, placement.semitones, placement.cents, placement.tempo_level]
    third = [] if guest.tempo_level in OCTAVES else [guest.tempo_level]
    return [*third, *([f"{guest.cents} cents"] if guest.cents else [])]


def _facts(song: SongOfLibrary) -> list[Any]:
    """Return everything of a song that decides how it is rendered."""
    facts = song.facts
    sections: Sequence[Any] = [[s.start_s, s.end_s, s.label] for s in facts.sections]
    return [
        sorted([stem.stem_id, stem.role, stem.label] for stem in song.stems),
        facts.duration_s,
        list(facts.beats_s),
        list(facts.downbeats_s),
        facts.beats_per_bar,
        str(facts.key),
        sections,
        round(song.level_db, 6),
    ]
