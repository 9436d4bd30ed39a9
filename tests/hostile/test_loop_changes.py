"""Params of pairs and annotations of the demo corpus that a stranger wrote."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

from data_pipelines.demo.stage import _finished_songs
from mashnet.data.loop_changes import change_of
from mashnet.data.loops.loops import LoopPart
from mashnet.data.table_values import checked
from mashnet.errors import DatabaseError

SPOILED = [
    "[" * 150,
    "[" * 100_000,
    '{"shift": 1e999}',
    '{"shift": NaN}',
    '{"shift": 1.5}',
    '{"shift": true}',
    '{"shift": 4}',
    '{"shift": [1]}',
    '{"shift": ' + "9" * 150 + "}",
    "[]",
    "1",
    "null",
    "",
    "reverse",
    '{"reverse": "yes"}',
    '{"order": 5}',
    '{"order": [0, 1, 2]}',
    '{"order": [0, 1, 2, "3"]}',
    '{"order": [0, 1, 2, {}]}',
    '{"order": {"a": 1}}',
    '{"shift": 1, "reverse": true}',
    '{"path": "/"}',
]
HONEST = ["{}", '{"reverse": true}', '{"shift": 3}', '{"order": [2, 0, 1, 3]}']


def pairs(params: list[str]) -> pl.DataFrame:
    names = {
        name: ["x"] * len(params) for name in ("pair_id", "loop_a", "loop_b", "label", "strategy")
    }
    return pl.DataFrame({**names, "params": params})


@pytest.mark.parametrize("params", SPOILED, ids=range(len(SPOILED)))
def test_params_that_are_no_change_are_refused(params: str) -> None:
    with pytest.raises(ValueError):
        change_of(params)
    with pytest.raises(DatabaseError, match="params of row 3 cannot be") as error:
        checked(pairs([*HONEST[:2], params, *HONEST]), "pairs", Path("pairs.parquet"))
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    with pytest.raises(DatabaseError, match="loop x: ") as error:
        LoopPart(Path("x.flac"), "x", params).waveform(44_100)
    assert "\n" not in str(error.value)


def test_params_that_are_written_are_taken() -> None:
    assert [change_of(text) for text in HONEST] == [json.loads(text) for text in HONEST]
    frame = pairs(HONEST * 3)
    assert checked(frame, "pairs", Path("pairs.parquet")).equals(frame)


def test_annotations_that_cannot_be_used_are_of_songs_to_be_made(tmp_path: Path) -> None:
    origin = {"seed": 1, "form": "short", "generator": "g"}
    folder = tmp_path / "annotations"
    folder.mkdir()

    def annotation(clip_id: str, **made_from: object) -> dict[str, object]:
        whole = {**origin, "index": 0, **made_from}
        return {"made_from": whole, "clip": {"clip_id": clip_id}, "stems": []}

    spoiled: dict[str, object] = {
        "index": annotation("index", index=[1]),
        "truth": annotation("truth", index=True),
        "list": [1],
        "text": "x",
        "made": {**annotation("made"), "made_from": [["generator", "g"]]},
        "none": {**annotation("none"), "made_from": None},
        "stems": {**annotation("stems"), "stems": [1]},
        "clip": {**annotation("clip"), "clip": "clip"},
    }
    for name, value in spoiled.items():
        (folder / f"{name}.json").write_text(json.dumps(value), "utf-8")
    (folder / "deep.json").write_text("[" * 100_000, "utf-8")
    (folder / "bytes.json").write_bytes(b"\xff")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    (folder / "loop.json").symlink_to("loop.json")
    honest = annotation("honest", index=3)
    (folder / "honest.json").write_text(json.dumps(honest), "utf-8")
    (folder / "older.json").write_text(json.dumps(annotation("older", generator="f")), "utf-8")
    assert _finished_songs(tmp_path, origin) == {3: honest}
    assert not (folder / "older.json").exists() and (folder / "list.json").exists()
