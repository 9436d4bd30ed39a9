"""Spoiled databases: a manifest or a table of an honest one is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Change = Callable[[Path], None]


def spoilers() -> list[tuple[str, Change]]:
    """Return name → what to do to the folder of a database."""
    random = np.random.default_rng(61)
    found = [*_manifests(random), *_damage(random), *_tables(), *_paths()]
    assert len({name for name, _ in found}) == len(found) == 108
    return found


def _manifests(random: np.random.Generator) -> Iterator[tuple[str, Change]]:
    def text(content: str | bytes) -> Change:
        data = content.encode() if isinstance(content, str) else content
        return lambda f: (f / "manifest.json").write_bytes(data) and None

    yield "manifest-deep", text("[" * 100_000)
    yield "manifest-deep-objects", text('{"a":' * 100_000)
    yield "manifest-list", text("[]")
    yield "manifest-number", text("1" * 5000)
    yield "manifest-long", text('{"a": "' + "x" * 11_000_000 + '"}')
    yield "manifest-bytes", text(b"\xff\xfe\x00")
    yield "manifest-empty", text("")
    yield "manifest-pickle", text(b"cos\nsystem\n(S'touch canary'\ntR.")
    yield "manifest-nan", text('{"schema_version": NaN}')
    for version in (0, 2, -1, 10**30, "1", None, [1], {"a": 1}):
        yield f"manifest-version-{version}", text(json.dumps({"schema_version": version}))
    for number in range(15):
        seed = int(random.integers(1 << 30))
        yield f"manifest-cut-{number}", lambda f, s=seed: _cut(f / "manifest.json", s)


def _damage(random: np.random.Generator) -> Iterator[tuple[str, Change]]:
    for table in ("clips", "stems"):
        for number in range(12):
            seed = int(random.integers(1 << 30))
            name = f"{table}.parquet"
            yield f"cut-{number}-{name}", lambda f, n=name, s=seed: _cut(f / n, s)
            yield f"footer-{number}-{name}", lambda f, n=name, s=seed: _footer(f / n, s)
            if number < 6:
                yield f"body-{number}-{name}", lambda f, n=name, s=seed: _flip(f / n, s)


def _tables() -> Iterator[tuple[str, Change]]:
    def of(table: str, **columns: Any) -> Change:
        def spoil(folder: Path) -> None:
            path = folder / f"{table}.parquet"
            frame = pl.read_parquet(path).with_columns(**columns)
            frame.write_parquet(path)

        return spoil

    yield "tempo-text", of("clips", tempo_bpm=pl.lit("fast"))
    yield "beats-text", of("clips", beats=pl.lit("1 2 3"))
    yield "no-column", lambda f: pl.DataFrame({"a": [1]}).write_parquet(f / "clips.parquet")
    yield "exchanged", lambda f: (f / "clips.parquet").replace(f / "stems.parquet") and None
    yield "not-parquet", lambda f: (f / "stems.parquet").write_text("clip_id,stem_id\n") and None
    yield "a-folder", _folder_in_place
    yield "long-text", of("clips", title=pl.lit("x" * 1_000_000))
    yield "bomb-of-rows", _many_rows
    yield "bomb-of-beats", _many_beats


def _paths() -> Iterator[tuple[str, Change]]:
    def of(path: str | None) -> Change:
        def spoil(folder: Path) -> None:
            table = folder / "stems.parquet"
            frame = pl.read_parquet(table).with_columns(path=pl.lit(path, dtype=pl.String))
            frame.write_parquet(table)

        return spoil

    yield "path-up", of("../../etc/passwd")
    yield "path-up-again", of("audio/../../secret.flac")
    yield "path-absolute", of("/etc/passwd")
    yield "path-nul", of("audio/a\0.flac")
    yield "path-none", of(None)
    yield "path-long", of("../" * 2000)
    yield "path-link", _link


def _link(folder: Path) -> None:
    row = pl.read_parquet(folder / "stems.parquet").row(0, named=True)
    (folder / row["path"]).unlink()
    (folder / row["path"]).symlink_to("/etc/passwd")


def _folder_in_place(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()


def _many_rows(folder: Path) -> None:
    row = pl.read_parquet(folder / "stems.parquet").row(0, named=True)
    many = pl.LazyFrame({"n": [1]}).select(pl.lit(value).alias(name) for name, value in row.items())
    pl.concat([many.collect()] * 200).select(pl.all().repeat_by(50_000).explode()).write_parquet(
        folder / "stems.parquet", compression="zstd"
    )


def _many_beats(folder: Path) -> None:
    frame = pl.read_parquet(folder / "clips.parquet").head(1)
    beats = pl.repeat(0.5, 20_000_000, eager=True)
    frame = frame.with_columns(beats=pl.Series([beats], dtype=pl.List(pl.Float64)))
    frame.write_parquet(folder / "clips.parquet", compression="zstd")


def _flip(path: Path, seed: int) -> None:
    content = bytearray(path.read_bytes())
    content[seed % len(content)] ^= 1 << seed % 8
    path.write_bytes(content)


def _footer(path: Path, seed: int) -> None:
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[-8:-4], "little")
    place = len(content) - 8 - length + seed % length
    content[place : place + 5] = b"\xff\xff\xff\xff\x7f"
    path.write_bytes(content)


def _cut(path: Path, seed: int) -> None:
    path.write_bytes(path.read_bytes()[: seed % path.stat().st_size])
