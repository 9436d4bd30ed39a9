"""The page as Streamlit runs it, without a browser: what is said, chosen and refused."""

import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import mashnet.studio
from tests.accompaniments import database_with_accompaniments
from tests.conftest import make_tiny_database

APP = Path(mashnet.studio.__file__).with_name("app.py")


@pytest.fixture
def page(monkeypatch):
    """Return a function that opens the page with what would be typed."""

    st.cache_resource.clear()  # a Scorer keeps what it has heard

    def opened(*arguments):
        monkeypatch.setattr(sys, "argv", ["app.py", *map(str, arguments)])
        return AppTest.from_file(str(APP), default_timeout=60).run()

    return opened


def only_error(app):
    assert not app.exception
    (error,) = app.error
    assert "\n" not in error.value
    return error.value


def chosen(app, label):
    (box,) = (box for box in app.selectbox if box.label == label)
    return box


def clip_of(database, title):
    (clip_id,) = database.clips.filter(title=title)["clip_id"]
    return clip_id


def table(app):
    (frame,) = app.dataframe
    return frame.value


def test_pairs_of_a_small_library_are_ranked_at_once(page, small_library):
    app = page(f"library={small_library.root}", "scorer=keytempo")
    assert not app.exception
    assert not app.error
    frame = table(app)
    assert len(frame) == 12
    assert list(frame["rank"]) == list(range(1, 13))
    assert list(frame["score"]) == sorted(frame["score"], reverse=True)
    best = frame.iloc[0]
    assert app.header[1].value == f"{best['vocal']} sings over {best['music']}"
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["Score"] == f"{best['score']:.3f}"
    assert float(numbers["Own vocal's score"]) <= 1.0


def test_titles_are_filtered_and_the_first_that_is_left_is_looked_at(page, small_library):
    app = page(f"library={small_library.root}", "scorer=keytempo")
    app.text_input[0].set_value("song 3").run()
    frame = table(app)
    assert len(frame) == 6
    assert all("Song 3" in (row["music"], row["vocal"]) for _, row in frame.iterrows())
    assert "Song 3" in app.header[1].value
    app.text_input[0].set_value("no such song").run()
    assert not app.dataframe
    assert "No title" in app.info[0].value


def test_with_a_base_only_its_pairs_are_shown(page, small_library):
    app = page(f"library={small_library.root}", "scorer=keytempo")
    chosen(app, "Music of").set_value(clip_of(small_library, "Song 2")).run()
    frame = table(app)
    assert set(frame["vocal"]) == {"Song 0", "Song 1", "Song 3"}
    assert app.header[1].value.endswith("sings over Song 2")


def test_in_a_large_library_nothing_is_scored_before_a_base_is_chosen(page, tmp_path):
    database = make_tiny_database(tmp_path / "large", songs=13)
    app = page(f"library={database.root}", "scorer=keytempo")
    assert not app.exception
    assert not app.dataframe
    assert "Choose a song" in app.info[0].value
    assert not list((database.root / "cache" / "scores").glob("scores-*"))
    chosen(app, "Music of").set_value(clip_of(database, "Song 0")).run()
    assert 0 < len(table(app)) <= 12
    (kept,) = (database.root / "cache" / "scores").glob("scores-*")
    assert kept.stat().st_size


def test_a_song_that_cannot_be_read_is_left_out(page, tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=4)
    clip_id = clip_of(database, "Song 1")
    (database.root / "audio" / clip_id / "vocal.flac").write_bytes(b"no sound")
    app = page(f"library={database.root}", "scorer=keytempo")
    assert not app.exception and not app.error
    frame = table(app)
    assert len(frame) == 9 and "Song 1" not in set(frame["vocal"])
    assert "3 of 12 are left out" in app.warning[0].value
    assert "cannot be decoded" in app.warning[0].value.replace("\\", "")


def test_limits_leave_pairs_out(page, small_library):
    app = page(f"library={small_library.root}", "scorer=keytempo")
    (tempo,) = (slider for slider in app.slider if slider.label == "Tempo")
    tempo.set_value(5).run()
    frame = table(app)
    assert 0 < len(frame) < 12
    assert frame["tempo"].abs().max() <= 5
    tempo.set_value(0).run()
    assert not app.dataframe
    assert "move the limits" in app.info[0].value


def test_a_damaged_bundle_is_one_line(page, small_library, tmp_path):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "config.yaml").write_text(
        "name: x\nmodel: {network: premixnet, sizes: {}, frontend: {}}\n"
    )
    app = page(f"library={small_library.root}", f"scorer={bundle}")
    assert "has no checkpoint yet" in only_error(app)


def test_a_damaged_stem_is_one_line_and_the_page_goes_on(page, tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=2)
    for path in database.root.glob("audio/*/vocal.flac"):
        path.write_bytes(b"no sound")
    app = page(f"library={database.root}", "scorer=keytempo")
    assert "cannot be decoded" in only_error(app)
    assert chosen(app, "Library").value == str(database.root)


def test_what_a_mashup_lacks_is_said_beside_its_players(page, small_library):
    app = page(f"library={small_library.root}", "scorer=keytempo")
    assert not app.get("audio")
    (button,) = (b for b in app.button if b.label == "Render")
    button.click().run()
    assert not app.exception
    assert len(app.get("audio")) == 3
    assert any("has no sections" in warning.value for warning in app.warning)
    # Another technique is another mashup, to be asked for anew.
    chosen(app, "Technique").set_value("tempo").run()
    assert not app.get("audio")
    assert not app.warning
    # The first is still there.
    chosen(app, "Technique").set_value("structure+key").run()
    assert len(app.get("audio")) == 3


def test_a_song_with_its_music_in_one_stem_can_be_sung_over(page, tmp_path):
    database = database_with_accompaniments(tmp_path / "library", songs=2)
    app = page(f"library={database.root}", "scorer=alignment")
    chosen(app, "Music of").select(clip_of(database, "Song 1")).run()
    assert not app.exception and not app.error
    assert app.header[1].value == "Song 0 sings over Song 1"
    for label in ("Render", "Explain the score"):
        (button,) = (button for button in app.button if button.label == label)
        button.click().run()
        assert not app.exception and not app.error
    assert any("With the music" in markdown.value for markdown in app.markdown)
