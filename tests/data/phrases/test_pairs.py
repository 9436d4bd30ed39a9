"""Pairs of sides: a vocal and its music, every pitched stem and all others."""

from mashnet.data.phrases.pairs import music_side, pairs_of, vocal_side
from tests.phrases import phrase_library


def test_a_song_of_three_stems_gives_its_vocal_and_its_chords_as_leads(tmp_path):
    database = phrase_library(tmp_path, 1)
    stems = {role: f"000-{role}" for role in ("vocal", "harmonic", "percussion")}
    assert vocal_side(database, "000").stem_ids == (stems["vocal"],)
    assert music_side(database, "000").stem_ids == (stems["harmonic"], stems["percussion"])
    found = [(pair.lead.stem_ids, pair.backing.stem_ids) for pair in pairs_of(database, "000")]
    assert found == [
        ((stems["vocal"],), (stems["harmonic"], stems["percussion"])),
        ((stems["harmonic"],), (stems["percussion"], stems["vocal"])),
    ]


def test_percussion_never_leads_and_a_pitch_is_not_judged_by_drums_alone(tmp_path):
    database = phrase_library(tmp_path, 1)
    rows = database.stems.to_dicts()
    database.write_table("stems", [row for row in rows if row["role"] != "vocal"])
    assert pairs_of(database, "000") == []
    assert vocal_side(database, "000") is None


def test_music_that_lacks_a_role_is_no_music(tmp_path):
    database = phrase_library(tmp_path, 1)
    rows = database.stems.to_dicts()
    database.write_table("stems", [row for row in rows if row["role"] != "percussion"])
    assert music_side(database, "000") is None
    assert [pair.lead.stem_ids for pair in pairs_of(database, "000")] == [
        ("000-harmonic",),
        ("000-vocal",),
    ]
