import json

import pytest

from data_pipelines.sources.meta_json import known_of, read_meta, tempo_hint


def read(tmp_path, content: bytes | dict):
    path = tmp_path / "meta.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_meta(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_whatever_an_editor_writes(tmp_path, encoding):
    meta, problems = read(tmp_path, '{"title": "Ünïcode"}'.encode(encoding))
    assert (meta, problems) == ({"title": "Ünïcode"}, [])


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ({"BPM": 125}, "bpm", 125),
        ({"tempo": "125 bpm"}, "bpm", "125 bpm"),
        ({"Tempo BPM": 125}, "bpm", 125),
        ({"camelot": "8A"}, "key", "8A"),
        ({"Initial Key": "Am"}, "key", "Am"),
        ({"Title": "T"}, "title", "T"),
    ],
)
def test_fields_as_people_call_them(tmp_path, written, field, value):
    meta, problems = read(tmp_path, written)
    assert (meta[field], problems) == (value, [])


def test_slips_are_named_and_other_fields_are_not(tmp_path):
    meta, problems = read(tmp_path, {"bmp": 125, "beets": [], "comment": "x", "bpm_note": "y"})
    assert problems == [
        "'bmp' is not known; did you mean 'bpm'?",
        "'beets' is not known; did you mean 'beats'?",
    ]
    assert meta["comment"] == "x"


def test_a_field_that_is_there_twice_says_so(tmp_path):
    meta, problems = read(tmp_path, {"key": "Am", "camelot": "9A"})
    assert (meta["key"], problems) == (
        "Am", ["'camelot' is not used beside 'key', which says 'Am'"],
    )  # fmt: skip
    assert read(tmp_path, {"key": "Am", "camelot": "Am"})[1] == []


def test_the_mode_may_stand_by_itself():
    assert known_of({"key": "A", "mode": "minor"})[0].key == "A minor"
    assert known_of({"key": "A minor", "mode": "minor"})[0].key == "A minor"
    assert known_of({"key": "8A"})[0].key == "8A"


@pytest.mark.parametrize(
    ("written", "tempo_bpm"),
    [(125, 125.0), ("125", 125.0), ("124,98", 124.98), ("125.00 BPM", 125.0), (0, None)],
)
def test_tempi_as_people_write_them(written, tempo_bpm):
    assert tempo_hint(written) == tempo_bpm


@pytest.mark.parametrize("written", ["fast", 12, 1250, True, "120-125", [125]])
def test_what_is_no_tempo(written):
    with pytest.raises(ValueError, match="is not a tempo from 30 to 300 bpm"):
        tempo_hint(written)


@pytest.mark.corpus
def test_the_real_songs_have_no_slips(corpus):
    songs = sorted(corpus.glob("songs/*/meta.json"))
    assert [read_meta(path)[1] for path in songs] == [[]] * len(songs)
