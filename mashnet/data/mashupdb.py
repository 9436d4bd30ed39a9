"""The MashupDB: tables of clips, stems, sections, mixes, loops, pairs, rejects beside their audio.

`mashnet.data.schemas` says what the tables hold.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from mashnet.audio.levels import ACTIVE_ABOVE_DB
from mashnet.data.roles import ROLES as ROLES
from mashnet.data.roles import STEM_ROLES
from mashnet.data.schemas import SCHEMA_VERSION
from mashnet.data.tables import Tables
from mashnet.errors import DatabaseError
from mashnet.invocation import setting
from mashnet.music.sections import Section
from mashnet.music.song_facts import SongFacts, facts_of
from mashnet.storage.contained_paths import inside
from mashnet.storage.paths import file_sizes, is_local

_OF_SECTIONS = ("_sections_by_clip", "_facts_by_clip")


class MashupDB(Tables):
    """Reads and writes one MashupDB: a folder of this machine, or one in a store (an fsspec URL).

    Beside its tables it knows the rows of clips and stems by their ids, and where audio lies.
    """

    @classmethod
    def open(cls, root: str | Path) -> MashupDB:
        """Open a finished database.

        Raises:
            DatabaseError: if there is none, or its schema version is not this one.
        """
        database = cls(root)
        manifest = database.root / "manifest.json"
        if not manifest.is_file():
            raise DatabaseError(
                f"{root} is not a MashupDB (no manifest.json). Build one with: "
                f"python -m data_pipelines.mashupdb source=stems source.root=FOLDER "
                f"{setting('out', root)}"
            )
        found = database.manifest.get("schema_version")
        if found != SCHEMA_VERSION:
            raise DatabaseError(
                f"{manifest} has schema version {found}; this mashnet reads version "
                f"{SCHEMA_VERSION}. Rebuild the database with data_pipelines.mashupdb."
            )
        return database

    def write_table(self, name: str, rows: pl.DataFrame | list[dict[str, Any]]) -> pl.DataFrame:
        """Replace a table, atomically; rows are put into the schema's columns and types.

        Raises:
            DatabaseError: if a value is none that `table` would read.
            MashnetError: if polars cannot write it.
            OSError: if the disk is full or must not be written to.
        """
        frame = super().write_table(name, rows)
        for derived in ("stem_rows", "clip_rows", "sounding_stems", *_OF_SECTIONS):
            self.__dict__.pop(derived, None)
        return frame

    def _read_anew(self) -> None:
        for derived in _OF_SECTIONS:
            self.__dict__.pop(derived, None)
        super()._read_anew()

    @cached_property
    def stem_rows(self) -> dict[str, dict[str, Any]]:
        """Stem rows by stem_id."""
        return {row["stem_id"]: row for row in self.stems.iter_rows(named=True)}

    @cached_property
    def clip_rows(self) -> dict[str, dict[str, Any]]:
        """Clip rows by clip_id."""
        return {row["clip_id"]: row for row in self.clips.iter_rows(named=True)}

    @cached_property
    def sounding_stems(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """clip_id → role → rows of its stems that sound, in the order of their ids.

        Stems without one of `STEM_ROLES` are left out; a stem whose level nobody knows sounds.
        """
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for row in self.stems.sort("stem_id").iter_rows(named=True):
            sounds = row["rms_db"] is None or row["rms_db"] > ACTIVE_ABOVE_DB
            if sounds and row["role"] in STEM_ROLES:
                found.setdefault(row["clip_id"], {}).setdefault(row["role"], []).append(row)
        return found

    @cached_property
    def _sections_by_clip(self) -> dict[str, list[Section]]:
        sections: dict[str, list[Section]] = {}
        for row in self.sections.sort("start_s", maintain_order=True).iter_rows(named=True):
            section = Section(row["start_s"], row["end_s"], row["label"])
            sections.setdefault(row["clip_id"], []).append(section)
        return sections

    def sections_of(self, clip_id: str) -> list[Section]:
        """Return a clip's sections in order of time; none where they are not known.

        Raises:
            DatabaseError: if there is no such clip.
        """
        if clip_id not in self.clip_rows:
            raise DatabaseError(f"{self.root}: there is no clip {clip_id}")
        return list(self._sections_by_clip.get(clip_id, []))

    @cached_property
    def _facts_by_clip(self) -> dict[str, SongFacts]:
        return {}

    def facts_of(self, clip_id: str) -> SongFacts:
        """Return what is known of a clip's music.

        Raises:
            DatabaseError: if there is no such clip.
        """
        known = self._facts_by_clip
        if clip_id not in known:
            sections = self.sections_of(clip_id)
            known[clip_id] = facts_of(self.clip_rows[clip_id], sections)
        return known[clip_id]

    def clip_of(self, stem_id: str) -> dict[str, Any]:
        """Return the row of the clip that a stem belongs to.

        Raises:
            DatabaseError: if the stem or its clip is unknown.
        """
        row = self.stem_rows.get(stem_id)
        clip = self.clip_rows.get(row["clip_id"]) if row else None
        if clip is None:
            raise DatabaseError(
                f"{self.root}: there is no stem {stem_id}. If the database was rebuilt since its "
                f"mixes were made, make them anew: "
                f"python -m data_pipelines.mixes {setting('db', self.root)}"
            )
        return clip

    def audio_path(self, stem_id: str) -> Path:
        """Return where a stem's audio lies.

        Raises:
            DatabaseError: if the id is unknown or its path would leave the database's folder.
        """
        row = self.stem_rows.get(stem_id)
        if row is None:
            raise DatabaseError(f"{self.root}: there is no stem {stem_id}")
        return inside(self.root, row["path"], f"stem {stem_id}")

    def audio_bytes(self, stem_id: str) -> int:
        """Return the size of a stem's file, 0 if it is not there.

        A store is asked once for a list of all (see `list_audio_anew`), not for each stem.

        Raises:
            DatabaseError: as `audio_path`.
        """
        path = self.audio_path(stem_id)
        if not is_local(path):
            return self._audio_sizes.get(path.relative_to(self.root / "audio").as_posix(), 0)
        try:
            return path.stat().st_size
        except OSError:
            return 0

    def list_audio_anew(self) -> None:
        """Forget what `audio_bytes` knows of a store: its sound may have been replaced."""
        self.__dict__.pop("_audio_sizes", None)

    @cached_property
    def _audio_sizes(self) -> dict[str, int]:
        return file_sizes(self.root / "audio")
