import polars as pl
import pytest

from mashnet.data.mixes.candidates import Limits
from mashnet.errors import DatabaseError
from mashnet.mashups.placed import placed
from mashnet.music.placement import Placement
from mashnet.studio import pairs
from mashnet.studio.pairs import (
    bases_of,
    meetings,
    original_of,
    proposals_of,
    ranking,
    with_title,
)
from tests.conftest import make_tiny_database

WIDE = Limits(6, (0.7, 1.4))


def test_every_vocal_is_proposed_for_every_other_song(small_library):
    proposals, found = proposals_of(small_library, bases_of(small_library), WIDE)
    found_pairs = {(p.base.title, p.guests["vocal"].clip.title) for p in proposals}
    titles = [f"Song {i}" for i in range(4)]
    assert found_pairs == {(a, b) for a in titles for b in titles if a != b}
    assert found == 12
    distances = [p.distance for p in proposals]
    assert distances == sorted(distances)


def test_only_the_bases_asked_for_are_proposed(small_library):
    bases = bases_of(small_library)
    assert [base.title for base in bases] == [f"Song {i}" for i in range(4)]
    proposals, _ = proposals_of(small_library, bases[2:3], WIDE)
    assert {p.base.title for p in proposals} == {"Song 2"}
    assert len(proposals) == 3


def test_of_too_many_those_that_are_moved_least_are_taken(small_library, monkeypatch):
    everything, _ = proposals_of(small_library, bases_of(small_library), WIDE)
    monkeypatch.setattr(pairs, "MOST_PAIRS", 5)
    some, found = proposals_of(small_library, bases_of(small_library), WIDE)
    assert found == 12
    assert [p.proposal_id for p in some] == [p.proposal_id for p in everything[:5]]


def test_pairs_that_were_compared_come_first_in_their_own_order(small_library, monkeypatch):
    base = bases_of(small_library)[0]
    moved, _ = proposals_of(small_library, [base], WIDE)
    second, third = (p.guests["vocal"].clip for p in moved[1:])
    placed_pairs = [placed(base, guest, Placement(0, 0, 4)) for guest in (third, second)]
    proposals, found = proposals_of(small_library, [base], WIDE, placed_pairs)
    assert found == 3
    ids = [proposal.proposal_id for proposal in proposals]
    assert ids == [*(p.proposal_id for p in placed_pairs), moved[0].proposal_id]
    monkeypatch.setattr(pairs, "MOST_PAIRS", 1)
    some, found = proposals_of(small_library, [base], WIDE, placed_pairs)
    assert found == 3 and [p.proposal_id for p in some] == ids[:1]


def test_a_meeting_is_a_row_in_words(small_library):
    base, guest, *_ = bases_of(small_library)
    placement = Placement(1, 0, 4, semitones=-2, tempo_ratio=1.04, score=2.5, confidence=0.75)
    row = meetings([placed(base, guest, placement)]).row(0, named=True)
    assert (row["rank"], row["score"], row["sure"]) == (1, 2.5, 0.75)
    assert (row["music"], row["vocal"]) == ("Song 0", "Song 1")
    assert row["meet"].startswith("bars 2–5 of Song 1 on bars 1–4 of Song 0 (0:00), −2 semitones")
    assert row["meet"].endswith("4 % faster; sure 0.75")


def test_the_limits_hold(small_library):
    proposals, _ = proposals_of(small_library, bases_of(small_library), Limits(6, (0.95, 1.05)))
    ratios = [p.guests["vocal"].tempo_ratio for p in proposals]
    assert 0 < len(ratios) < 12
    assert all(0.95 <= ratio <= 1.05 for ratio in ratios)


def test_best_comes_first_and_of_equals_the_one_that_is_moved_less(small_library):
    proposals, _ = proposals_of(small_library, bases_of(small_library), WIDE)
    chosen = proposals[-1]
    values = {p.proposal_id: 0.5 for p in proposals} | {chosen.proposal_id: 0.9}
    ranked = ranking(proposals, values)
    assert ranked["rank"].to_list() == list(range(1, 13))
    assert ranked["score"].to_list() == [0.9] + 11 * [0.5]
    assert ranked["proposal_id"][0] == chosen.proposal_id
    others = [p for p in proposals if p is not chosen]
    moved = {p.proposal_id: p.distance for p in others}
    distances = [moved[i] for i in ranked["proposal_id"][1:]]
    assert distances == sorted(distances)
    row = ranked.row(0, named=True)
    assert row["semitones"] == chosen.guests["vocal"].semitones
    assert row["tempo_ratio"] == pytest.approx(chosen.guests["vocal"].tempo_ratio)


def test_titles_are_found_in_any_case_and_as_they_are():
    table = pl.DataFrame({"music": ["A (x)", "b", "c"], "vocal": ["q", "BB", "a.x"]})
    assert with_title(table, " bb ")["music"].to_list() == ["b"]
    assert with_title(table, "(")["music"].to_list() == ["A (x)"]  # no pattern
    assert with_title(table, "a")["music"].to_list() == ["A (x)", "c"]
    assert with_title(table, "").equals(table)


def test_songs_of_one_title_are_told_apart(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=3)
    names = pl.Series(["Same", "Same", "Other"])
    database.write_table("clips", database.clips.with_columns(title=names))
    proposals, _ = proposals_of(database, bases_of(database), WIDE)
    ranked = ranking(proposals, {p.proposal_id: 0.0 for p in proposals})
    assert set(ranked["music"]) == {
        "Same (C major, 100 bpm)",
        "Same (C major, 104 bpm)",
        "Other",
    }


def test_a_library_with_nothing_to_put_together_says_so(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=2)
    database.write_table("stems", database.stems.filter(pl.col("role") != "vocal"))
    with pytest.raises(DatabaseError, match="nothing to put together"):
        bases_of(database)


def test_songs_without_beats_or_key_are_no_bases(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=3)
    clips = database.clips.with_row_index()
    clips = clips.with_columns(
        tempo_bpm=pl.when(pl.col("index") == 0).then(None).otherwise("tempo_bpm"),
        key_tonic=pl.when(pl.col("index") == 1).then(None).otherwise("key_tonic"),
    )
    database.write_table("clips", clips.drop("index"))
    assert [base.title for base in bases_of(database)] == ["Song 2"]


def test_the_original_is_the_base_with_its_own_vocal(small_library, tmp_path):
    base = bases_of(small_library)[0]
    own = original_of(base)
    stems = small_library.stems.filter(pl.col("clip_id") == base.clip_id)
    vocal = stems.filter(pl.col("role") == "vocal")["stem_id"].to_list()
    assert list(own.candidate["vocal"].stem_ids) == vocal
    assert set(own.query) == {"harmonic", "percussion"}
    # Beside a phrase of four bars its own vocal is heard in these bars alone.
    phrase = original_of(base, Placement(0, 1, 4))
    starts_s, bar_s = base.row["downbeats"], 4 * 60 / base.row["tempo_bpm"]
    for part in (*phrase.query.values(), *phrase.candidate.values()):
        assert part.place_s == pytest.approx(-starts_s[1])
        assert part.duration_s == pytest.approx(min(4 * bar_s, 12 - starts_s[1]))
    database = make_tiny_database(tmp_path / "db", songs=2)
    first = bases_of(database)[0]
    mute = (pl.col("clip_id") == first.clip_id) & (pl.col("role") == "vocal")
    database.write_table("stems", database.stems.filter(~mute))
    assert original_of(bases_of(database)[0]) is None
