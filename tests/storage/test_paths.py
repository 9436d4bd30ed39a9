"""Names in stores, and what lies there."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import fsspec
import pytest

from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import AudioError, ConfigError, DatabaseError, StorageError
from mashnet.files import write_json
from mashnet.storage.paths import downloaded, file_sizes, is_local, is_url, missing, root_of
from tests.storage.s3 import Wire


@pytest.fixture
def memory() -> Iterator[str]:
    """The URL of an empty store in memory."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield "memory://db"
    files.store.clear()


@pytest.mark.parametrize("name", ["data/real", "/data/real", "C:/music", Path("x"), "~/x"])
def test_a_local_path_stays_a_pathlib_path(name: str | Path) -> None:
    assert type(root_of(name)) is type(Path())
    assert root_of(name) == Path(name)
    assert is_local(root_of(name))


def test_file_urls_are_local() -> None:
    assert root_of("file:///data/my%20songs") == Path("/data/my songs")
    assert not is_url("file:///data")


def test_a_local_database_needs_no_fsspec() -> None:
    program = (
        "import sys; from mashnet.data.mashupdb import MashupDB; "
        "import mashnet.audio.io, mashnet.storage.local_copies; MashupDB('x').clips; "
        "print([m for m in ('fsspec', 's3fs', 'upath', 'pyarrow', 'filelock') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_names_work_as_in_pathlib() -> None:
    path = root_of("s3://bucket/db") / "audio" / "x.y.flac"
    assert str(path) == "s3://bucket/db/audio/x.y.flac"
    assert (path.name, path.stem, path.suffix) == ("x.y.flac", "x.y", ".flac")
    assert path.parent.parent == root_of("s3://bucket/db/")
    assert path.relative_to(root_of("s3://bucket/db")).as_posix() == "audio/x.y.flac"
    assert not path.is_relative_to(root_of("s3://other/db"))
    assert str(path.with_suffix(".wav")) == "s3://bucket/db/audio/x.y.wav"
    assert pickle.loads(pickle.dumps(path)) == path
    assert {path: 1}[root_of("s3://bucket/db/audio/x.y.flac")] == 1
    assert root_of(path) is path


@pytest.mark.parametrize("stored", ["../other/x.flac", "/etc/passwd", "a/../../x", "//etc/x"])
def test_a_stem_cannot_leave_a_database_in_a_store(memory: str, stored: str) -> None:
    database = MashupDB(f"{memory}/inner")
    row = {"clip_id": "c", "stem_id": "s", "role": "vocal", "label": "", "path": stored}
    database.write_table("stems", [{**row, "rms_db": 0.0, "active_ratio": 1.0}])
    with pytest.raises(DatabaseError, match="the path of stem s leaves"):
        database.audio_path("s")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense://x", "nonsense:// is no store that fsspec knows"),
        ("gs://bucket/x", "gs:// needs a package that is missing: .*gcsfs"),
        ("zip://x::s3://bucket/y.zip", "chained URLs"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        root_of(url)


def test_what_is_there(memory: str) -> None:
    root = root_of(memory)
    for name in ("a.json", "sub/b.json", "sub/deep/c.txt"):
        write_json(root / name, 0)
    assert file_sizes(root) == {"a.json": 2, "sub/b.json": 2, "sub/deep/c.txt": 2}
    assert missing(root, [root / "a.json", root / "d.json"]) == {root / "d.json"}
    assert [str(p.relative_to(root)) for p in root.rglob("*.json")] == ["a.json", "sub/b.json"]
    assert [str(p.relative_to(root)) for p in root.glob("*/*.json")] == ["sub/b.json"]
    assert sorted(path.name for path in root.iterdir()) == ["a.json", "sub"]
    assert (root / "sub").is_dir()
    assert not (root / "sub").is_file()
    assert not (root / "nope").exists()
    (root / "a.json").unlink()
    (root / "a.json").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (root / "a.json").unlink()
    with pytest.raises(FileNotFoundError):
        (root / "a.json").read_bytes()
    with pytest.raises(ValueError, match="written_atomically"):
        (root / "x").open("wb")


def test_a_table_is_read_by_range_and_only_its_columns(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polars as pl

    from mashnet.storage.store_path import StorePath

    database = MashupDB(memory)
    rows = [{"input": f"{n}", "stage": "s", "reason": "r"} for n in range(20_000)]
    written = database.write_table("rejects", rows)
    path = database.root / "rejects.parquet"
    assert MashupDB(memory).rejects.equals(written)

    large = written.with_columns(extra=pl.arange(0, 20_000 * 37, 37).cast(pl.String) + "x" * 100)
    fsspec.filesystem("memory").pipe_file("/db/rejects.parquet", b"")
    with fsspec.filesystem("memory").open("/db/rejects.parquet", "wb") as file:
        large.write_parquet(file, compression="uncompressed")
    fetched = []
    read_range = StorePath.read_range

    def counted(self: StorePath, start: int | None, end: int | None) -> bytes:
        data = read_range(self, start, end)
        fetched.append(len(data))
        return data

    monkeypatch.setattr(StorePath, "read_range", counted)
    assert MashupDB(memory).rejects.equals(written)
    assert sum(fetched) < path.stat().st_size / 2


@pytest.mark.parametrize("content", [b"", b"PAR1 not really", b"{}" * 1000])
def test_a_damaged_table_is_named(memory: str, content: bytes) -> None:
    fsspec.filesystem("memory").pipe_file("/db/clips.parquet", content)
    with pytest.raises(DatabaseError, match=r"memory://db/clips\.parquet cannot be read"):
        MashupDB(memory).table("clips")


def test_no_database_there_says_so(memory: str) -> None:
    with pytest.raises(DatabaseError, match="memory://db is not a MashupDB"):
        MashupDB.open(memory)


@pytest.mark.enable_socket
def test_a_store_that_does_not_answer_is_no_empty_store(
    bucket: str, wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with wire() as gone:
        assert gone.port
    with pytest.raises(StorageError, match=f"{bucket}/db/manifest.json: .*cannot be used"):
        MashupDB.open(f"{bucket}/db")
    with pytest.raises(StorageError, match=f"{bucket}/db: "):
        file_sizes(root_of(bucket) / "db")


def _read(path: Path) -> str:
    return path.read_text("utf-8")


@pytest.mark.enable_socket
def test_a_forked_process_reads_on(bucket: str) -> None:
    path = root_of(bucket) / "a.json"
    write_json(path, 7)
    assert path.read_text("utf-8") == "7\n"  # this process has a client by now
    with get_context("fork").Pool(2) as pool:
        assert pool.map(_read, [path] * 4) == ["7\n"] * 4


@pytest.mark.enable_socket
def test_what_another_process_wrote_is_seen_at_once(bucket: str) -> None:
    root = root_of(bucket) / "db"
    assert file_sizes(root) == {}
    program = (
        "import sys; from mashnet.files import write_json; "
        "from mashnet.storage.paths import root_of; write_json(root_of(sys.argv[1]), 1)"
    )
    subprocess.run([sys.executable, "-c", program, str(root / "new.json")], check=True)
    assert file_sizes(root) == {"new.json": 2}
    assert (root / "new.json").is_file()


@pytest.mark.parametrize("name", ["a" * 304 + ".flac", "a\0b.flac"])
def test_a_name_that_a_store_cannot_have_is_no_fault_of_the_store(
    tmp_path: Path, name: str
) -> None:
    path = root_of(f"local://{tmp_path}/db") / "audio" / name
    assert not path.is_file() and not path.exists()
    with pytest.raises(FileNotFoundError):
        path.read_bytes()
    with pytest.raises(AudioError, match="does not exist"):
        read_audio(path)


def test_a_long_name_of_a_store_is_read_through_a_short_one(memory: str) -> None:
    files = fsspec.filesystem("memory")
    files.pipe_file(f"/db/{'a' * 304}.flac", b"sound")
    with downloaded(root_of(memory) / f"{'a' * 304}.flac") as local:
        assert local.read_bytes() == b"sound" and local.suffix == ".flac"
