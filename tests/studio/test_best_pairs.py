"""The page opens on the best pairs of the library, says where they meet, and plays them so."""

import shlex

import polars as pl
import pytest
import streamlit as st

from mashnet.data.mashupdb import MashupDB
from mashnet.library.placing import best_pairs
from mashnet.mashups.scorer_choice import ScorerChoice, scorer_choices
from mashnet.mashups.shortlist import placer_of
from mashnet.music.placement_words import placement_words
from mashnet.studio import placing
from tests.conftest import make_tiny_database
from tests.phrase_songs import phrase_database
from tests.studio.on_the_page import button, chosen, clip_of, numbers, table, without_bars


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> MashupDB:
    """Four songs in C, F, B♭ and E♭: six ordered pairs are within three semitones."""
    return phrase_database(tmp_path_factory.mktemp("best") / "db", songs=4)


@pytest.fixture(scope="module")
def found(library):
    return best_pairs(library, placer_of(None, scorer_choices())).pairs


def titles(database, pair):
    return tuple(database.clip_rows[clip]["title"] for clip in (pair.base, pair.guest))


def words(database, pair):
    return placement_words(
        pair.placement, database.facts_of(pair.base), database.facts_of(pair.guest)
    )


def test_the_page_opens_on_the_best_pairs_and_says_where_they_meet(page, library, found):
    app = page(f"library={library.root}", "scorer=keytempo")
    assert not app.exception and not app.error
    frame = table(app)
    together = {frozenset(pair) for pair in zip(frame["music"], frame["vocal"], strict=True)}
    assert len(frame) == 6
    assert together == {frozenset({f"Song {a}", f"Song {b}"}) for a, b in ("02", "03", "13")}
    pairs = list(zip(frame["music"], frame["vocal"], strict=True))
    assert pairs == [titles(library, pair) for pair in found]
    assert list(frame["meet"]) == [words(library, pair) for pair in found]
    assert list(frame["score"]) == [pair.placement.score for pair in found]
    assert list(frame["sure"]) == [pair.placement.confidence for pair in found]
    # The best is looked at; its headline says the same, and it would be played so.
    base, guest = titles(library, found[0])
    assert app.header[1].value == f"{guest} sings over {base}"
    assert words(library, found[0]) in [text.value.replace("\\", "") for text in app.markdown]
    assert chosen(app, "Technique").value == "placed"
    # Whoever judges has heard this one and the song's own vocal, and nothing else.
    assert -1 <= float(numbers(app)["Score"]) <= 1
    assert numbers(app)["Own vocal's score"] != "–"
    (kept,) = (library.root / "cache" / "scores").glob("scores-*")
    assert len(pl.read_json(kept).columns) == 2


def test_a_pair_is_chosen_and_played_where_it_was_placed(page, library, found, monkeypatch):
    draw = st.dataframe

    def third_row(*args, **settings):  # what a browser answers when its box is clicked
        draw(*args, **settings)
        return {"selection": {"rows": [2]}}

    monkeypatch.setattr(st, "dataframe", third_row)
    app = page(f"library={library.root}", "scorer=keytempo")
    base, guest = titles(library, found[2])
    assert app.header[1].value == f"{guest} sings over {base}"
    button(app, "Render").click().run()
    assert not app.exception and not app.error
    assert len(app.get("audio")) == 3
    placement = found[2].placement
    (command,) = app.code
    typed = dict(word.split("=", 1) for word in shlex.split(command.value) if "=" in word)
    assert typed["technique"] == "placed"
    assert typed["guest_bar"] == str(placement.guest_bar + 1)
    assert typed["base_bar"] == str(placement.base_bar + 1)
    button(app, "Explain the score").click().run()
    assert not app.exception and not app.error
    assert any("What fits" in text.value for text in app.markdown)


def test_pairs_of_a_library_are_compared_once(page, library, monkeypatch):
    asked = []

    def counted(database, scorer, **settings):
        asked.append(settings["limits"].max_semitones)
        return best_pairs(database, scorer, **settings)

    monkeypatch.setattr(placing, "best_pairs", counted)
    app = page(f"library={library.root}", "scorer=keytempo")
    app.text_input[0].set_value("song 3").run()
    assert set(table(app)["rank"]) < set(range(1, 7))  # ranks stay those of the library
    page(f"library={library.root}", "scorer=keytempo")
    page(f"library={library.root}", "scorer=alignment")  # another judge, and the same placer
    assert asked == [3]
    (semitones,) = (slider for slider in app.slider if slider.label == "Semitones")
    semitones.set_value(2).run()
    assert asked == [3, 2]
    assert set(table(app)["music"]) == {"Song 1", "Song 3"}  # C and E♭ are three apart


def test_over_a_song_chosen_by_hand_vocals_lie_where_they_were_placed(page, library, found):
    app = page(f"library={library.root}", "scorer=keytempo")
    chosen(app, "Music of").select(clip_of(library, "Song 3")).run()
    assert not app.exception and not app.error
    frame = table(app)
    assert set(frame["vocal"]) == {"Song 0", "Song 1"}
    assert list(frame["score"]) == sorted(frame["score"], reverse=True)  # the judge's order
    best = next(p for p in found if titles(library, p) == ("Song 3", frame["vocal"][0]))
    assert words(library, best) in [text.value.replace("\\", "") for text in app.markdown]
    assert chosen(app, "Technique").value == "placed"


def test_songs_that_cannot_be_compared_are_named_beside_the_others(page, tmp_path):
    database = phrase_database(tmp_path / "db", songs=3)
    clips = database.clips.with_columns(
        downbeats=pl.when(pl.col("title") == "Song 1").then(pl.col("downbeats").list.head(3))
        .otherwise("downbeats")
    )  # fmt: skip
    database.write_table("clips", clips)
    app = page(f"library={database.root}", "scorer=keytempo")
    assert set(table(app)["vocal"]) == {"Song 0", "Song 2"}
    (expander,) = app.expander
    assert expander.label == "1 song is left out"
    said = expander.markdown[0].value.replace("\\", "")
    assert said == "Song 1: no 4 whole bars in a row"


def test_one_song_is_no_pair(page, tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=1)
    app = page(f"library={database.root}", "scorer=keytempo")
    assert not app.exception and not app.error and not app.dataframe
    assert [info.value for info in app.info] == [
        "There is one song in this library; a pair takes two."
    ]


def test_a_library_that_cannot_be_compared_opens_on_what_can_be_heard(page, tmp_path):
    database = without_bars(phrase_database(tmp_path / "db", songs=3))
    app = page(f"library={database.root}", "scorer=keytempo")
    assert not app.exception and not app.error
    assert "meet" not in table(app) and "semitones" in table(app)
    assert chosen(app, "Technique").value == "structure+key"


def test_a_judge_that_compares_phrases_has_judged_what_it_lists(page, library, found, monkeypatch):
    judge = placer_of(None, scorer_choices())
    monkeypatch.setattr(ScorerChoice, "load", lambda choice: judge)
    app = page(f"library={library.root}", "scorer=random")
    assert not app.exception and not app.error
    assert numbers(app)["Score"] == f"{table(app)['score'][0]:.3f}"
    assert "placenet" in app.caption[0].value and "hears" not in app.caption[0].value
    own = float(numbers(app)["Own vocal's score"])
    assert own > table(app)["score"][0]  # its own music follows it bar by bar
    chosen(app, "Music of").select(clip_of(library, "Song 3")).run()
    assert not app.exception and not app.error
    expected = [p.placement.score for p in found if titles(library, p)[0] == "Song 3"]
    assert list(table(app)["score"]) == pytest.approx(expected, abs=1e-4)


def test_what_such_a_judge_cannot_compare_stands_last_and_has_no_score(page, tmp_path, monkeypatch):
    database = phrase_database(tmp_path / "db", songs=4)
    clips = database.clips.with_columns(
        downbeats=pl.when(pl.col("title") == "Song 3").then(pl.col("downbeats").list.head(3))
        .otherwise("downbeats")
    )  # fmt: skip
    database.write_table("clips", clips)
    judge = placer_of(None, scorer_choices())
    monkeypatch.setattr(ScorerChoice, "load", lambda choice: judge)
    app = page(f"library={database.root}", "scorer=random")
    chosen(app, "Music of").select(clip_of(database, "Song 0")).run()
    assert list(table(app)["vocal"]) == ["Song 2", "Song 3"]
    assert list(table(app)["score"].notna()) == [True, False]
    app.text_input[0].set_value("song 3").run()
    assert not app.exception and numbers(app)["Score"] == "–"
