"""The MashupDB: tables of clips, stems, sections, mixes, loops, pairs, rejects beside their audio.

Conventions: times are in seconds from the start of the clip; paths are relative to the
database's root, with forward slashes; ids are content hashes (`mashnet.files.content_id`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import polars as pl

from mashnet.audio.levels import ACTIVE_ABOVE_DB
from mashnet.data.limits import (
    MOST_MANIFEST_BYTES,
    require_bounded_table,
    require_short_texts,
    shown_as_text,
)
from mashnet.data.roles import ROLES as ROLES
from mashnet.data.table_values import checked
from mashnet.errors import DatabaseError, MashnetError
from mashnet.files import write_json, written_atomically
from mashnet.music.sections import Section
from mashnet.storage.one_at_a_time import one_at_a_time
from mashnet.storage.paths import file_sizes, is_local, root_of
from mashnet.storage.places import inside, place
from mashnet.storage.regular_files import opened, read_json

SCHEMA_VERSION = 1
SPLITS = ("train", "val", "test")
ANNOTATED = "annotated"  # the origin of sections that a source knew
CONDITIONS = ("original", "matched", "unmatched_key", "unmatched_tempo", "unmatched_key_tempo")

_READ_FIRST = {"clips", "stems"}  # what a stage computes from: the rows that it writes are of these

SCHEMAS: dict[str, dict[str, Any]] = {
    "clips": {
        "clip_id": pl.String,
        "song_id": pl.String,
        "title": pl.String,
        "artist": pl.String,
        "source": pl.String,
        "license": pl.String,
        "duration_s": pl.Float64,
        "sample_rate": pl.Int64,
        "tempo_bpm": pl.Float64,
        "beats": pl.List(pl.Float64),  # seconds
        "downbeats": pl.List(pl.Float64),  # seconds, a subset of beats
        "beats_per_bar": pl.Int64,
        "key_tonic": pl.Int64,  # pitch class, C = 0
        "key_mode": pl.String,  # major | minor
        "key_confidence": pl.Float64,  # 0..1; 1 for an exact annotation
        "section": pl.String,
        "split": pl.String,
    },
    "stems": {
        "clip_id": pl.String,
        "stem_id": pl.String,
        "role": pl.String,
        "label": pl.String,
        "path": pl.String,
        "rms_db": pl.Float64,
        "active_ratio": pl.Float64,
    },
    # Rows of a clip are in order of time; data_pipelines.structure writes what no source knew.
    "sections": {
        "clip_id": pl.String,
        "start_s": pl.Float64,
        "end_s": pl.Float64,
        "label": pl.String,  # one of mashnet.music.sections.LABELS
        "origin": pl.String,  # annotated | all-in-one | estimated
    },
    # One recipe per row; mashnet.data.mixes.recipes says what each field means.
    "mixes": {
        "mix_id": pl.String,
        "condition": pl.String,
        "vocal": pl.List(pl.String),
        "harmonic": pl.List(pl.String),
        "percussion": pl.List(pl.String),
        "semitones": pl.Int64,
        "ratio_h": pl.Float64,
        "ratio_p": pl.Float64,
        "offset_s": pl.Float64,
        "offset_role": pl.String,
        "common_semitones": pl.Int64,
        "common_ratio": pl.Float64,
        "stretch": pl.String,
        "artefact_control": pl.Boolean,
        "duration_s": pl.Float64,
        "seed": pl.Int64,
        "split": pl.String,
    },
    # One bar of one clip, as sound in 2 s; mashnet.data.loops.loops says what each field means.
    "loops": {
        "loop_id": pl.String,
        "clip_id": pl.String,
        "bar": pl.Int64,  # of the clip, from 0: where the sound is from
        "kind": pl.String,  # drum | bass | harmonic
        "path": pl.String,
        "snr_db": pl.Float64,  # of the loop as an estimate of the whole bar
        "split": pl.String,
        "song_id": pl.String,
        "hash": pl.String,  # average hash of its spectrogram, 16 hexadecimal digits
        "layout": pl.List(pl.Float64),  # how strong it is in each bar of the clip, 0..1
        "bar_s": pl.Float64,  # length of the bar before it was stretched to 2 s
    },
    "pairs": {
        "pair_id": pl.String,
        "loop_a": pl.String,
        "loop_b": pl.String,
        "label": pl.Int64,  # 1: they sound together in a clip; 0: a negative
        "strategy": pl.String,  # together | random | selected | reverse | shift | rearrange
        "params": pl.String,  # JSON: how loop_b is changed, see mashnet.data.loops.loops
        "split": pl.String,
    },
    "rejects": {"input": pl.String, "stage": pl.String, "reason": pl.String},
}


class MashupDB:
    """Reads and writes one MashupDB: a folder of this machine, or one in a store (an fsspec URL).

    Tables are read on first use and kept; `write_table` replaces one on disk and in memory.
    """

    def __init__(self, root: str | Path) -> None:
        """Name the folder or its URL; nothing is read or created yet.

        Raises:
            ConfigError: if it is a URL of a kind that cannot be used here.
        """
        self.root = root_of(root)
        self._tables: dict[str, pl.DataFrame] = {}
        self._changing = 0  # how many blocks of `changing` are open

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
                f"python -m data_pipelines.mashupdb source=stems source.root=FOLDER out={root}"
            )
        found = database.manifest.get("schema_version")
        if found != SCHEMA_VERSION:
            raise DatabaseError(
                f"{manifest} has schema version {found}; this mashnet reads version "
                f"{SCHEMA_VERSION}. Rebuild the database with data_pipelines.mashupdb."
            )
        return database

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest: schema version, pipeline configs, counts, tool versions."""
        path = self.root / "manifest.json"
        try:
            value = read_json(path, MOST_MANIFEST_BYTES)
        except (OSError, ValueError) as error:
            raise DatabaseError(f"{path} cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise DatabaseError(f"{path} does not hold a JSON object")
        return value

    def entry(self, name: str) -> dict[str, Any] | None:
        """Return what a stage wrote into the manifest under its name; None if there is nothing.

        Raises:
            DatabaseError: if the manifest cannot be read, or the entry is no object.
        """
        found = self.manifest.get(name)
        if found is not None and not isinstance(found, dict):
            kind = type(found).__name__
            raise DatabaseError(
                f"{self.root / 'manifest.json'}: its entry '{name}' is damaged, expected an object "
                f"and got {kind}. Run the stage that writes it again"
            )
        return found

    def update_manifest(self, **entries: Any) -> None:
        """Merge entries into manifest.json (created if absent), keeping what others wrote.

        Raises:
            DatabaseError: as `changing`, or if the manifest cannot be read.
            OSError: if the disk is full or must not be written to.
        """
        path = self.root / "manifest.json"
        with self.changing():
            current = self.manifest if path.is_file() else {}
            merged = {**current, "schema_version": SCHEMA_VERSION, **entries}
            write_json(path, merged)
            self.__dict__["manifest"] = merged

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Change tables or the manifest by what they hold: nobody else does so in this block.

        When it begins they are as they are on the disk now: whatever another stage wrote since
        they were read is seen, and kept.

        Raises:
            DatabaseError: if the clips or stems are others than those that were read, or another
                program has been changing the database for ten minutes.
        """
        with contextlib.ExitStack() as stack:
            if not self._changing:
                stack.enter_context(one_at_a_time(self.root))
                self._read_anew()
            self._changing += 1
            try:
                yield
            finally:
                self._changing -= 1

    def _read_anew(self) -> None:
        """Forget what was read, except what must not have changed meanwhile."""
        before, self._tables = self._tables, {}
        for name in ("manifest", "_sections_by_clip"):
            self.__dict__.pop(name, None)
        for name in _READ_FIRST & before.keys():
            if not self.table(name).equals(before[name]):
                raise DatabaseError(
                    f"{self.root} was built anew while this ran; run the same command again"
                )
            self._tables[name] = before[name]

    def table(self, name: str) -> pl.DataFrame:
        """Return a table with exactly the columns of `SCHEMAS[name]`; empty if not yet written.

        Raises:
            DatabaseError: if the file is damaged, a column is missing or of another type, or a
                value is none that can be used (see `mashnet.data.table_values`).
        """
        if name not in self._tables:
            path = self.root / f"{name}.parquet"
            schema = SCHEMAS[name]
            if not path.is_file():
                self._tables[name] = pl.DataFrame(schema=schema)
                return self._tables[name]
            try:
                frame = _read_columns(path, schema).select(
                    pl.col(column).cast(dtype) for column, dtype in schema.items()
                )
                require_short_texts(frame, path)
                self._tables[name] = shown_as_text(checked(frame, name, path))
            except (OSError, pl.exceptions.PolarsError) as error:
                reason = " ".join(str(error).split())[:300]
                raise DatabaseError(
                    f"{path} cannot be read as the table {name}: {reason}"
                ) from error
        return self._tables[name]

    def write_table(self, name: str, rows: pl.DataFrame | list[dict[str, Any]]) -> pl.DataFrame:
        """Replace a table, atomically; rows are put into the schema's columns and types.

        Raises:
            DatabaseError: if a value is none that `table` would read.
            MashnetError: if polars cannot write it.
            OSError: if the disk is full or must not be written to.
        """
        schema = SCHEMAS[name]
        frame = (
            rows.select(pl.col(column).cast(dtype) for column, dtype in schema.items())
            if isinstance(rows, pl.DataFrame)
            else pl.DataFrame(rows, schema=schema)
        )
        path = self.root / f"{name}.parquet"
        frame = checked(frame, name, path)
        try:
            with written_atomically(path) as temporary:
                frame.write_parquet(temporary)
        except pl.exceptions.PolarsError as error:  # how polars reports a disk that fails
            reason = " ".join(str(error).split())
            raise MashnetError(f"{self.root}: its tables cannot be written: {reason}") from error
        self._tables[name] = frame
        for derived in ("stem_rows", "clip_rows", "sounding_stems", "_sections_by_clip"):
            self.__dict__.pop(derived, None)
        return frame

    def place(self, *names: str | PurePath) -> Path:
        """Return where something of the database is written or deleted; see `places.place`.

        Raises:
            DatabaseError: if a name is none, or there is a symbolic link on the way.
        """
        return place(self.root, *names)

    @property
    def clips(self) -> pl.DataFrame:
        """One row per clip."""
        return self.table("clips")

    @property
    def stems(self) -> pl.DataFrame:
        """One row per stem of a clip."""
        return self.table("stems")

    @property
    def sections(self) -> pl.DataFrame:
        """One row per section of a clip; empty before data_pipelines.structure has run."""
        return self.table("sections")

    @property
    def mixes(self) -> pl.DataFrame:
        """One recipe per row."""
        return self.table("mixes")

    @property
    def loops(self) -> pl.DataFrame:
        """One row per loop."""
        return self.table("loops")

    @property
    def pairs(self) -> pl.DataFrame:
        """One row per pair of loops, with its label."""
        return self.table("pairs")

    @property
    def rejects(self) -> pl.DataFrame:
        """One row per input that could not be used, with the stage and the reason."""
        return self.table("rejects")

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

        Stems without one of `ROLES` are left out; a stem whose level nobody knows sounds.
        """
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for row in self.stems.sort("stem_id").iter_rows(named=True):
            sounds = row["rms_db"] is None or row["rms_db"] > ACTIVE_ABOVE_DB
            if sounds and row["role"] in ROLES:
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
                f"mixes were made, make them anew: python -m data_pipelines.mixes db={self.root}"
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


def _read_columns(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    """Read the wanted columns of a table; of one in a store by range, after the footer."""
    wanted = list(columns)
    if is_local(path):
        # Opened once: a path that is opened again may be another stage's new table by then, whose
        # pages are not where the old footer says.
        with opened(path) as file:
            require_bounded_table(path, file, wanted)
            try:
                return pl.read_parquet(file, columns=wanted)
            except pl.exceptions.PanicException as error:  # what polars did not foresee
                raise OSError(f"it is damaged: {error}") from error
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            require_bounded_table(path, file, wanted)
            table = pq.read_table(file, columns=wanted, use_threads=False)
    except pa.ArrowException as error:
        raise OSError(" ".join(str(error).split())) from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
