"""Real songs are brought to each other's tuning: `python -m benchmarks.tuning`, small."""

from pathlib import Path

import pytest

from benchmarks import tuning

SONGS = (
    "tracker-vor__mph",
    "tracker-flobopuyo__flobopuyo-game1",
    "midi-openmsx__be-sharp-bw-redfarn",
)


@pytest.fixture(scope="module")
def songs(corpus: Path) -> dict[str, object]:
    return {name: tuning.pitched_sum(corpus / "songs" / name, 8) for name in SONGS}


@pytest.mark.corpus
def test_guests_sound_within_five_cents_of_the_base(songs, tmp_path):
    report = tuning.pairs_report(tuning.library_of(tmp_path, songs))
    assert report["pairs"] == 6 and report["untuned_within_5_cents"] < 0.5
    for what in ("scored", "played"):
        assert report[what]["worst_cents"] <= tuning.GOAL_CENTS
    # Its opposite: without tuning they are as far off as they were.
    database = tuning.library_of(tmp_path / "again", songs)
    for error in tuning.pair_error_cents(database, SONGS[2], SONGS[0], tuned=False):
        assert error == pytest.approx(report["off_a440_cents"][SONGS[0]], abs=5)


@pytest.mark.corpus
def test_a_song_that_is_moved_is_followed_and_brought_back(songs, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "MOVES_CENTS", (-50, -20, 35, 50))
    for row in tuning.moved_report(tmp_path, songs[SONGS[0]]):
        assert abs(row["estimate_off"]) < 3, row
        assert abs(row["scored_off"]) < 5 and abs(row["played_off"]) < 5, row
