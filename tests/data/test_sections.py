import pytest

from mashnet.data.mashupdb import MashupDB
from mashnet.errors import DatabaseError
from mashnet.music.sections import Section


def row(clip_id: str, start_s: float, end_s: float, label: str) -> dict:
    return {
        "clip_id": clip_id,
        "start_s": start_s,
        "end_s": end_s,
        "label": label,
        "origin": "estimated",
    }


def test_sections_of_a_clip_come_in_order_of_time(tiny_database: MashupDB) -> None:
    first, second, third = tiny_database.clips["clip_id"][:3]
    assert tiny_database.sections_of(first) == []
    rows = [
        row(second, 0.0, 12.0, "verse"),
        row(first, 4.0, 12.0, "chorus"),
        row(first, 0.0, 4.0, "intro"),
    ]
    tiny_database.write_table("sections", rows)
    for database in (tiny_database, MashupDB.open(tiny_database.root)):
        expected = [Section(0.0, 4.0, "intro"), Section(4.0, 12.0, "chorus")]
        assert database.sections_of(first) == expected
        assert database.sections_of(second) == [Section(0.0, 12.0, "verse")]
        assert database.sections_of(third) == []


def test_an_unknown_clip_is_an_error(tiny_database: MashupDB) -> None:
    with pytest.raises(DatabaseError, match="no clip nowhere"):
        tiny_database.sections_of("nowhere")
