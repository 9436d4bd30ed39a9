"""Values in tables and manifests that nobody can compute with: refused in one line, or harmless."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_pipelines.mashupdb.stage import build
from data_pipelines.mixes import stage as mixes
from data_pipelines.mixes.clips import Limits, usable_clips
from data_pipelines.structure import stage as structure
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import SCHEMAS
from mashnet.data.table_values import checked
from mashnet.errors import DatabaseError, MashnetError
from mashnet.music.keys import Key
from mashnet.storage.contained_paths import is_plain_name
from tests.conftest import make_tiny_database

CLIP: dict[str, Any] = {
    "clip_id": "a",
    "song_id": "s",
    "duration_s": 3.0,
    "tempo_bpm": 120.0,
    "beats": [0.0, 0.5],
    "downbeats": [0.0],
    "beats_per_bar": 4,
    "key_tonic": 0,
    "key_mode": "major",
}
NUMBERS = st.none() | st.floats() | st.integers(-(2**62), 2**62).map(float)
DRAWN = {
    "clip_id": st.none() | st.text(max_size=300),
    "duration_s": NUMBERS,
    "tempo_bpm": NUMBERS,
    "beats": st.none() | st.lists(NUMBERS, max_size=4),
    "downbeats": st.none() | st.lists(NUMBERS, max_size=4),
    "beats_per_bar": st.none() | st.integers(-(2**62), 2**62),
    "key_tonic": st.none() | st.integers(-(2**62), 2**62) | st.integers(-2, 13),
    "key_mode": st.none() | st.sampled_from(["major", "minor", "dorian", "", "Major"]),
}


@settings(max_examples=400, deadline=None)
@given(changes=st.fixed_dictionaries({}, optional=DRAWN), others=st.integers(0, 2))
@example(changes={"beats": None}, others=1)
@example(changes={"beats": [None]}, others=1)
@example(changes={"duration_s": None}, others=0)
@example(changes={"key_tonic": 99}, others=0)
@example(changes={"clip_id": "../../x"}, others=2)
@example(changes={"clip_id": "x\n"}, others=0)
@example(changes={"clip_id": "x" * 304}, others=0)
def test_a_table_is_refused_or_all_can_be_computed_with(changes, others):
    rows = [*[{**CLIP, "beats": []}, CLIP][:others], CLIP | changes]
    frame = pl.DataFrame(rows, schema=SCHEMAS["clips"])
    try:
        table = checked(frame, "clips", Path("db/clips.parquet"))
    except DatabaseError as error:
        assert changes and f"of row {others + 1}" in str(error)
        assert "\n" not in str(error) and "\0" not in str(error) and len(str(error)) < 400
        return
    row = table.row(others, named=True)
    assert is_plain_name(row["clip_id"]) and 0 <= row["duration_s"] < math.inf
    assert all(math.isfinite(time_s) for time_s in [*row["beats"], *row["downbeats"]])
    if row["key_tonic"] is not None and row["key_mode"] is not None:
        assert str(Key(row["key_tonic"], row["key_mode"]))
    assert table.drop("beats", "downbeats").equals(frame.drop("beats", "downbeats"))


IDS = {
    **{"clips": "clip_id", "stems": "stem_id", "sections": "clip_id", "mixes": "mix_id"},
    **{"loops": "loop_id", "pairs": "pair_id"},
}


@settings(max_examples=200, deadline=None)
@given(table=st.sampled_from(sorted(IDS)), name=st.text(max_size=250))
@example(table="stems", name="..")
@example(table="loops", name="a/b")
@example(table="mixes", name="a\\b")
def test_ids_of_all_tables_are_plain_names(table, name):
    frame = pl.DataFrame({IDS[table]: [name]}, schema_overrides={IDS[table]: pl.String})
    rest = {k: v for k, v in SCHEMAS[table].items() if k != IDS[table]}
    row = {name: _some(kind) for name, kind in rest.items()} | {"hash": "0" * 16}
    frame = frame.with_columns(
        pl.lit(value, dtype=kind).alias(column)
        for column, kind in rest.items()
        for value in [row[column]]
    ).with_columns(
        pl.lit(pl.Series([[]], dtype=kind)).alias(column)
        for column, kind in rest.items()
        if isinstance(kind, pl.List)
    )
    if table == "clips":
        frame = frame.with_columns(key_mode=pl.lit("major"))
    if table == "pairs":
        frame = frame.with_columns(params=pl.lit("{}"))
    if is_plain_name(name):
        assert len(checked(frame, table, Path("x"))) == 1
    else:
        with pytest.raises(DatabaseError, match=f"{IDS[table]} of row 1 cannot be"):
            checked(frame, table, Path("x"))


def _some(kind: Any) -> Any:
    if isinstance(kind, pl.List):
        return None
    return {pl.String: "x", pl.Float64: 1.0, pl.Int64: 1, pl.Boolean: True}[kind]


@pytest.mark.parametrize(
    ("column", "value", "ends"),
    [
        ("beats", None, False),
        ("downbeats", None, False),
        ("beats", [None], True),
        ("duration_s", None, True),
        ("duration_s", math.nan, True),
        ("key_tonic", 99, True),
        ("key_tonic", None, False),
        ("key_mode", "dorian", True),
        ("tempo_bpm", None, False),
        ("beats_per_bar", None, False),
    ],
)
def test_stages_end_in_one_line_or_leave_clips_out(tmp_path, column, value, ends):
    root = make_tiny_database(tmp_path / "db", songs=6).root
    shutil.rmtree(root / "audio")  # nothing is listened to: what is there decides
    frame = pl.read_parquet(root / "clips.parquet")
    values = pl.Series(column, [value] * len(frame), dtype=frame[column].dtype)
    frame = frame.with_columns(values)
    frame.write_parquet(root / "clips.parquet")
    for module, name, more in ((structure, "structure", ()), (mixes, "mixes", ("render=false",))):
        config = compose(name, [f"db={root}", "workers=1", *more], CONFIGS / "pipeline")
        with pytest.raises(MashnetError) as error:
            module.make(config)
            raise MashnetError("it went well")
        assert "\n" not in str(error.value)
        assert ("cannot be used" in str(error.value)) == ends


@pytest.mark.usefixtures("quick_tracker")
@pytest.mark.parametrize("value", [[], "x", 5, 1.5, True, [[]], {"a": 1}])
def test_manifests_of_other_types(make, tmp_path, value):
    root = make_tiny_database(tmp_path / "db", songs=1).root
    manifest = json.loads((root / "manifest.json").read_text())
    entries = dict.fromkeys(("counts", "tools", "mashupdb", "mixes", "negatives", "loops"), value)
    (root / "manifest.json").write_text(json.dumps({**manifest, **entries}))
    database = MashupDB.open(root)
    for name in entries:
        if isinstance(value, dict):
            assert database.entry(name) == value
            continue
        with pytest.raises(DatabaseError, match=f"its entry '{name}' is damaged") as error:
            database.entry(name)
        assert "\n" not in str(error.value)
    make.song(tmp_path / "source" / "song", 1)
    assert len(build(make.pipeline(tmp_path / "source", root)).clips) == 1


def test_a_clip_whose_stem_leads_nowhere_is_a_reject(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=2)
    clip_id = database.clips["clip_id"][0]
    there = pl.when(pl.col("clip_id") == clip_id).then(pl.lit("../x")).otherwise(pl.col("path"))
    database.write_table("stems", database.stems.with_columns(path=there))
    structure.make(compose("structure", [f"db={database.root}", "workers=1"], CONFIGS / "pipeline"))
    (reject,) = MashupDB.open(database.root).rejects.to_dicts()
    assert clip_id in reject["input"] and "leaves its folder" in reject["reason"]
    limits = Limits(max_semitones=3, min_ratio=0.8, max_ratio=1.2, min_s=1.0, max_s=60.0)
    clips, lacking = usable_clips(MashupDB.open(database.root), limits)
    assert clip_id not in {clip.clip_id for clip in clips} and len(clips) == 1
    assert lacking == {"usable paths of its stems": 1}
