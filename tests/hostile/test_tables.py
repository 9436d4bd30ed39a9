"""Tables of strangers: named columns alone are read, within bounds; files know their length."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mashnet.audio.io import length_s
from mashnet.data import limits
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.rendering import RenderedPart
from mashnet.errors import AudioError, DatabaseError
from mashnet.rendering.songs import song_of_library
from tests.conftest import make_tiny_database
from tests.hostile.reader import MOST_MORE_BYTES, Reader


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_database(tmp_path_factory.mktemp("db") / "honest", songs=2).root


@pytest.fixture
def database(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "db"))


def bomb(path: Path, name: str) -> None:
    """Write a table anew with a column of four texts of 100 MB, which take some kilobytes."""
    table = pq.read_table(path).slice(0, 2)
    texts = pa.array(["x" * 100_000_000, "y" * 100_000_000], pa.large_string())
    names = [column for column in table.column_names if column != name]
    table = table.select(names).append_column(name, texts)
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 200_000


def test_a_column_that_nobody_asked_for_is_not_read(reader: Reader, database: Path) -> None:
    before = reader.warm("database", database)
    bomb(database / "clips.parquet", "notes")
    outcome = reader.read("database", database)
    assert outcome.kind == "read" and outcome.memory < before + MOST_MORE_BYTES / 2


@pytest.mark.parametrize("column", ["title", "clip_id", "split"])
def test_a_column_that_unpacks_to_much_is_refused_before_it_is(
    reader: Reader, database: Path, column: str
) -> None:
    before = reader.warm("database", database)
    bomb(database / "clips.parquet", column)
    outcome = reader.read("database", database)
    assert outcome.kind == "refused" and "unpack to" in outcome.said
    assert outcome.memory < before + MOST_MORE_BYTES / 2


def test_one_text_in_many_rows_counts_in_each(database: Path) -> None:
    path = database / "clips.parquet"
    rows = pl.read_parquet(path)[[0] * 20_000]
    rows.with_columns(title=pl.lit("x" * 10_000)).write_parquet(path)
    with pytest.raises(DatabaseError, match="damaged: the texts of title have 200000000"):
        _ = MashupDB.open(database).clips


def test_a_million_honest_rows_are_read(tmp_path: Path, database: Path) -> None:
    ids = pl.select(pl.int_range(300_000).hash(1).cast(pl.String)).to_series()
    stems = pl.read_parquet(database / "stems.parquet").head(1)
    many = stems.select(pl.all().first().repeat_by(300_000).explode()).with_columns(stem_id=ids)
    many.write_parquet(database / "stems.parquet")
    assert len(MashupDB.open(database).stems) == 300_000


@pytest.mark.parametrize("said_s", [1e4, 1e9, 1e300])
def test_a_clip_is_no_longer_than_its_files(database: Path, said_s: float) -> None:
    there = MashupDB.open(database)
    clip_id = there.clips["clip_id"][0]
    honest_s = there.clip_rows[clip_id]["duration_s"]
    assert song_of_library(there, clip_id)[0].facts.duration_s == honest_s
    path = database / "clips.parquet"
    pl.read_parquet(path).with_columns(duration_s=pl.lit(said_s)).write_parquet(path)
    song, _ = song_of_library(MashupDB.open(database), clip_id)
    longest_s = max(length_s(file.path) or 0 for file in song.stems)
    assert song.facts.duration_s == longest_s <= honest_s + 1


@pytest.mark.parametrize("asked_s", [1e4, 1e12, 0.0, -1.0, float("nan"), float("inf")])
def test_no_mix_is_rendered_as_long_as_a_table_asks(database: Path, asked_s: float) -> None:
    there = MashupDB.open(database)
    stem_id = there.stems["stem_id"][0]
    settings: dict[str, Any] = {"semitones": 0, "tempo_ratio": 1.0, "place_s": 0.0}
    settings |= {"keyframes_s": (), "force": False, "engine": "pylibrb"}
    part = RenderedPart((stem_id,), (there.audio_path(stem_id),), duration_s=asked_s, **settings)
    with pytest.raises(AudioError, match="is to last"):
        part.waveform(22050)


def test_words_of_a_table_are_no_commands_to_a_terminal(database: Path) -> None:
    path = database / "clips.parquet"
    title = "\x1b]0;owned\x07\x1b[2JSong\x9b31m\x00 – Ça\tva 歌"
    pl.read_parquet(path).with_columns(title=pl.lit(title)).write_parquet(path)
    found = MashupDB.open(database).clips["title"][0]
    assert found == "\ufffd]0;owned\ufffd\ufffd[2JSong\ufffd31m\ufffd – Ça\tva 歌"


def test_a_footer_without_end_is_not_read(database: Path) -> None:
    path = database / "clips.parquet"
    content = path.read_bytes()
    length = limits._MOST_FOOTER + 1
    path.write_bytes(b"PAR1" + bytes(length) + length.to_bytes(4, "little") + content[-4:])
    with pytest.raises(DatabaseError, match="its footer has more than"):
        _ = MashupDB.open(database).clips
