"""Databases of strangers that lead outside: a person's files beside them stay as they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_pipelines.demo import stage as demo
from data_pipelines.loops import stage as loops
from data_pipelines.mashupdb.stage import build
from data_pipelines.mixes import stage as mixes
from data_pipelines.negatives import stage as negatives
from data_pipelines.separation import separate
from data_pipelines.structure import stage as structure
from mashnet.audio.io import write_flac
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.features import FeatureStore
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.mixes.part_store import StoredPart
from mashnet.data.parts import ArrayPart
from mashnet.data.stems.wave_store import WaveStore
from mashnet.errors import DatabaseError, MashnetError
from mashnet.library.stems import StemLibrary
from mashnet.listening.build import Settings
from mashnet.listening.build import build as build_test
from mashnet.listening.ratings_file import RatingsFile
from mashnet.mashups.kept_scores import open_library
from tests.conftest import make_tiny_database
from tests.kill.bands import bands

NAMES = ("song.flac", ".x.partial.flac", "index-1.json", "a/song.flac", "a/b.json", "0.npy")
EVIL_IDS = ("../../music", "../../music/a", "..", ".", "", "a/../../../music", "x\0", "y" * 304)


def music(folder: Path) -> Path:
    """Make a folder of somebody's, with names that stages look for."""
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    return folder


def is_whole(folder: Path) -> bool:
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return found == set(NAMES) and all((folder / name).read_text() == "mine" for name in NAMES)


def link(path: Path, target: Path) -> None:
    """Put a link to a folder in place of what is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def rewrite(root: Path, table: str, **columns: Any) -> None:
    path = root / f"{table}.parquet"
    pl.read_parquet(path).with_columns(**columns).write_parquet(path)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_tiny_database(tmp_path / "db", songs=2).root


@pytest.mark.usefixtures("quick_tracker")
@pytest.mark.parametrize("evil", [*EVIL_IDS, "absolute"])
def test_building_onto_a_strangers_database_removes_nothing_outside(make, tmp_path, evil):
    mine = music(tmp_path / "music")
    make.song(tmp_path / "source" / "song", 1)
    root = make_tiny_database(tmp_path / "db", songs=2).root
    first = pl.read_parquet(root / "clips.parquet")["clip_id"][0]
    evil = str(mine) if evil == "absolute" else evil
    ids = pl.when(pl.col("clip_id") == first).then(pl.lit(evil)).otherwise(pl.col("clip_id"))
    rewrite(root, "clips", clip_id=ids)
    database = build(make.pipeline(tmp_path / "source", root))
    assert len(database.clips) == 1 and is_whole(mine)
    assert {path.name for path in (root / "audio").iterdir()} >= set(database.clips["clip_id"])


@pytest.mark.usefixtures("quick_tracker")
def test_records_of_a_stranger_are_made_anew(make, tmp_path):
    """What a cache says of a known song names the folders that a later run removes."""
    mine = music(tmp_path / "music")
    for number in range(3):
        make.song(tmp_path / "source" / f"song {number}", number)
    settings = make.pipeline(tmp_path / "source", tmp_path / "db")
    honest = build(settings).clips
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda rows: [row.update(clip_id="../../music") for row in rows["clips"] + rows["stems"]],
        lambda rows: rows["stems"][0].update(path="../music/song.flac"),
        lambda rows: rows["stems"][0].update(stem_id="../x", clip_id=rows["clips"][0]["clip_id"]),
    ]
    records = sorted((tmp_path / "db" / "cache" / "songs").glob("*.json"))
    for record, change in zip(records, changes, strict=True):
        rows = json.loads(record.read_text())
        change(rows)
        record.write_text(json.dumps(rows))
    again = build(settings).clips
    assert again.equals(honest) and is_whole(mine)


def test_demo_songs_of_an_older_band_are_removed_inside_only(tmp_path):
    mine = music(tmp_path / "music")
    root = tmp_path / "db"
    for name in ("...json", "..json", "x.json"):
        old = {"made_from": {"generator": "older", "index": 0}, "stems": []}
        (root / "annotations").mkdir(parents=True, exist_ok=True)
        clip_id = Path(name).stem
        (root / "annotations" / name).write_text(json.dumps({**old, "clip": {"clip_id": clip_id}}))
    (root / "audio" / "x").mkdir(parents=True)
    (root / "audio" / "kept").mkdir()
    assert demo._finished_songs(root, {"generator": "new"}) == {}
    assert not (root / "audio" / "x").exists() and (root / "audio" / "kept").is_dir()
    (root / "audio" / "y").symlink_to(mine)
    old = {"made_from": {"generator": "older", "index": 0}, "stems": [], "clip": {"clip_id": "y"}}
    (root / "annotations" / "y.json").write_text(json.dumps(old))
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        demo._finished_songs(root, {"generator": "new"})
    assert is_whole(mine)


def test_the_demo_overwrites_no_other_database(tiny):
    before = (tiny / "clips.parquet").read_bytes()
    with pytest.raises(DatabaseError, match="Name another folder"):
        demo.make(compose("demo", [f"out={tiny}", "count=1"], CONFIGS / "pipeline"))
    assert (tiny / "clips.parquet").read_bytes() == before
    assert not (tiny / "annotations").exists()


def stage(module: Any, name: str, *settings: str) -> Callable[[Path], object]:
    return lambda root: module.make(compose(name, [f"db={root}", *settings], CONFIGS / "pipeline"))


def demo_stage(root: Path) -> object:
    (root / "manifest.json").unlink()
    return demo.make(compose("demo", [f"out={root}", "count=1", "workers=1"], CONFIGS / "pipeline"))


STAGES = {
    "loops": stage(loops, "loops", "workers=1", "loops.from=stems", "loops.min_bars=2"),
    "structure": stage(structure, "structure", "workers=1"),
    "mixes": stage(mixes, "mixes", "workers=1", "duration.min_s=1"),
    "demo": demo_stage,
    "scores": open_library,
    "embeddings": lambda root: StemLibrary(root, bands()),
}


@pytest.mark.parametrize(
    ("name", "linked"),
    [
        ("loops", "audio"),
        ("loops", "audio/loops"),
        ("loops", "cache"),
        ("loops", "cache/loops"),
        ("structure", "cache"),
        ("structure", "cache/structure"),
        ("mixes", "audio/mixes"),
        ("mixes", "audio/mixes/22050"),
        ("demo", "audio"),
        ("demo", "annotations"),
        ("scores", "cache"),
        ("scores", "cache/scores"),
        ("embeddings", "cache"),
        ("embeddings", "cache/embeddings"),
    ],
)
def test_no_stage_writes_or_deletes_through_a_link(tmp_path, name, linked):
    mine = music(tmp_path / "music")
    root = make_tiny_database(tmp_path / "db", songs=6 if name == "mixes" else 2).root
    link(root / linked, mine)
    with pytest.raises(MashnetError, match="is a symbolic link|leaves its folder") as error:
        STAGES[name](root)
    assert "\n" not in str(error.value) and is_whole(mine)
    assert (root / linked).is_symlink()


@pytest.mark.usefixtures("quick_tracker")
@pytest.mark.parametrize("linked", ["audio", "cache", "cache/songs", "cache/analysis"])
def test_building_writes_through_no_link(make, tmp_path, linked):
    mine = music(tmp_path / "music")
    make.song(tmp_path / "source" / "song", 1)
    link(tmp_path / "db" / linked, mine)
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        build(make.pipeline(tmp_path / "source", tmp_path / "db"))
    assert is_whole(mine)


@pytest.mark.usefixtures("quick_tracker")
def test_a_clips_folder_that_is_a_link_is_not_followed(make, tmp_path):
    mine = music(tmp_path / "music")
    make.song(tmp_path / "source" / "song", 1)
    settings = make.pipeline(tmp_path / "source", tmp_path / "db")
    (clip_id,) = build(settings).clips["clip_id"]
    link(tmp_path / "db" / "audio" / clip_id, mine)
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        build(settings)
    assert is_whole(mine)


@pytest.mark.usefixtures("quick_tracker")
def test_a_root_that_is_a_link_is_what_the_user_named(make, tmp_path):
    make.song(tmp_path / "source" / "song", 1)
    (tmp_path / "disk").mkdir()
    (tmp_path / "db").symlink_to(tmp_path / "disk")
    build(make.pipeline(tmp_path / "source", tmp_path / "db"))
    assert len(MashupDB.open(tmp_path / "disk").clips) == 1
    assert (tmp_path / "db").is_symlink()


def test_negatives_clear_up_behind_no_link(tmp_path, tiny):
    mine = music(tmp_path / "music")
    pair = {"pair_id": "p", "loop_a": "a", "loop_b": "b", "label": 1, "strategy": "together"}
    database = MashupDB.open(tiny)
    database.write_table("pairs", [{**pair, "params": "{}", "split": "train"}])
    link(tiny / "cache" / "loop_mels", mine)
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        stage(negatives, "negatives")(tiny)
    assert is_whole(mine)


@pytest.mark.parametrize("level", range(4))
def test_caches_of_training_write_through_no_link(tmp_path, tiny, level):
    mine = music(tmp_path / "music")
    stem_id = MashupDB.open(tiny).stems["stem_id"][0]
    link(tiny.joinpath(*("cache", "waves", "8000", stem_id[:2])[: level + 1]), mine)
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        WaveStore(MashupDB.open(tiny), 8000).build([stem_id])
    frontend = MixFrontend(window_s=0.5)
    part = ArrayPart(np.ones(22050, np.float32), 22050)
    feature = FeatureStore.feature_id([part])
    if level in (2, 3):
        ways = ("features", frontend.frontend_id, feature[:2])
        link(tmp_path.joinpath(*ways[:level]), mine)
        with pytest.raises(DatabaseError, match="is a symbolic link"):
            FeatureStore(tmp_path / "features", frontend).build({feature: [part]})
        folder = tmp_path / "parts"
        link(folder / "ab", mine)
        with pytest.raises(DatabaseError, match="is a symbolic link"):
            StoredPart(part, folder, "abcd", 22050).render()  # type: ignore[arg-type]
    assert is_whole(mine)


@pytest.mark.parametrize("evil", ["../../../../music/song", "/music/song", "..", "..a", "a\0b"])
def test_no_stem_id_is_a_path(tmp_path, tiny, evil):
    mine = music(tmp_path / "music")
    evil = evil.replace("/music", str(mine)) if evil.startswith("/") else evil
    rewrite(tiny, "stems", stem_id=pl.lit(evil))
    with pytest.raises(DatabaseError, match="stem_id of row 1 cannot be"):
        WaveStore(MashupDB.open(tiny), 8000).build([evil])
    # Nor does the store believe a table in memory.
    database = MashupDB.open(make_tiny_database(tmp_path / "other", songs=1).root)
    database.stem_rows[evil] = database.stems.row(0, named=True)
    with pytest.raises(DatabaseError, match="is no name"):
        WaveStore(database, 8000).build([evil])
    assert is_whole(mine) and not (tmp_path / "other" / "cache").exists()


@pytest.mark.parametrize("names", ["[../../x]", "[/etc/passwd]", "5", "[a: 1]", "{", "[1]"])
def test_lists_of_separated_stems_name_files_beside_them(tmp_path, names):
    listed = tmp_path / "stems.yaml"
    listed.write_text(names)
    assert separate._listed(listed) == []
    listed.write_text("[drums, vocals]")
    assert separate._listed(listed) == ["drums", "vocals"]


@pytest.mark.parametrize("dangling", [True, False])
def test_ratings_are_stored_behind_no_link(tmp_path, dangling):
    mine = tmp_path / "mine.csv"
    if not dangling:
        mine.write_text("")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "ratings.csv").symlink_to(mine)
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        RatingsFile(tmp_path / "test")
    assert mine.exists() != dangling and (dangling or mine.read_text() == "")


@pytest.mark.parametrize("linked", ["page", "page/audio"])
def test_a_listening_test_is_built_behind_no_link(tmp_path, linked):
    mine = music(tmp_path / "music")
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    write_flac(pieces / "a.flac", 0.1 * np.ones((1, 8000), np.float32), 8000)
    link(tmp_path / "test" / linked, mine)
    chosen = Settings(systems=(pieces,), title="test")
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        build_test(chosen, tmp_path / "test")
    assert is_whole(mine)
