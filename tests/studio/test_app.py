"""The page as Streamlit runs it, without a browser: what is said, chosen and refused."""

from tests.accompaniments import database_with_accompaniments
from tests.conftest import make_tiny_database
from tests.studio.on_the_page import (
    button,
    chosen,
    clip_of,
    numbers,
    only_error,
    table,
    without_bars,
)


def test_where_no_bars_are_known_all_pairs_of_a_small_library_are_heard_at_once(page, tmp_path):
    database = without_bars(make_tiny_database(tmp_path / "db", songs=4))
    app = page(f"library={database.root}", "scorer=keytempo")
    assert not app.exception
    assert not app.error
    frame = table(app)
    assert len(frame) == 12
    assert list(frame["rank"]) == list(range(1, 13))
    assert list(frame["score"]) == sorted(frame["score"], reverse=True)
    best = frame.iloc[0]
    assert app.header[1].value == f"{best['vocal']} sings over {best['music']}"
    assert numbers(app)["Score"] == f"{best['score']:.3f}"
    assert float(numbers(app)["Own vocal's score"]) <= 1.0
    assert "could be compared bar by bar" in app.info[0].value
    (expander,) = app.expander
    assert expander.label == "4 songs are left out"
    assert "no 4 whole bars in a row" in expander.markdown[0].value
    assert "structure+key" == chosen(app, "Technique").value


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


def test_of_a_large_one_nothing_is_heard_before_a_base_is_chosen(page, tmp_path):
    database = without_bars(make_tiny_database(tmp_path / "large", songs=13))
    app = page(f"library={database.root}", "scorer=keytempo")
    assert not app.exception
    assert not app.dataframe
    assert "Choose a song" in app.info[1].value
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
    assert "cannot be decoded" in app.expander[0].markdown[0].value.replace("\\", "")
    chosen(app, "Music of").select(clip_of(database, "Song 0")).run()
    assert set(table(app)["vocal"]) == {"Song 2", "Song 3"}
    assert "1 of 3 are left out" in app.warning[0].value
    assert "cannot be decoded" in app.warning[0].value.replace("\\", "")


def test_limits_leave_pairs_out(page, tmp_path):
    database = without_bars(make_tiny_database(tmp_path / "db", songs=4))
    app = page(f"library={database.root}", "scorer=keytempo")
    (tempo,) = (slider for slider in app.slider if slider.label == "Tempo")
    tempo.set_value(5).run()
    frame = table(app)
    assert 0 < len(frame) < 12
    assert frame["tempo"].abs().max() <= 5
    tempo.set_value(0).run()
    assert not app.dataframe
    assert "move the limits" in app.info[-1].value


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
    chosen(app, "Technique").set_value("structure+key").run()
    assert not app.get("audio")
    button(app, "Render").click().run()
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
        button(app, label).click().run()
        assert not app.exception and not app.error
    assert any("With the music" in markdown.value for markdown in app.markdown)
