"""A folder of mashups: what its rows say, and that nothing is rendered twice."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError
from mashnet.mashups import collection as module
from mashnet.mashups import recipe
from mashnet.mashups.collection import Collection, read_collection
from mashnet.mashups.proposals import (
    LibraryClip,
    Proposal,
    music_under_vocals,
    original,
    vocals_on_music,
)
from mashnet.rendering.mashup import render_mashup
from mashnet.rendering.songs import song_of_library
from tests.metronome import RATE, MetronomeDB


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("collection"))
    collected.add(tempo_bpm=120, tonic=0, duration_s=6, title="Ça va? (live)")
    collected.add(tempo_bpm=115, tonic=2, duration_s=6)
    collected.add(tempo_bpm=122, tonic=11, duration_s=6, title=None)
    return collected.write()


@pytest.fixture(scope="module")
def proposals(library: MashupDB) -> list[Proposal]:
    return vocals_on_music(library)


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the bases of all mashups that are really rendered."""
    done: list[str] = []

    def counted(base, *arguments, **settings):
        done.append(base.title)
        return render_mashup(base, *arguments, **settings)

    monkeypatch.setattr(recipe, "render_mashup", counted)
    return done


def test_a_row_says_what_the_renderer_did(
    tmp_path: Path, library: MashupDB, proposals: list[Proposal]
) -> None:
    proposal = proposals[0]
    collection = Collection(tmp_path / "new", technique="tempo+key")
    row = collection.add(proposal, system="rule", kind="best", rank=1, score=0.5)
    guest = proposal.guests["vocal"]
    mashup = render_mashup(
        song_of_library(library, proposal.base.clip_id)[0],
        {"vocal": song_of_library(library, guest.clip.clip_id)[0]},
        technique="tempo+key",
    )
    heard, rate = soundfile.read(str(tmp_path / "new" / row["audio"]), always_2d=True)
    assert rate == RATE and np.abs(heard.T - mashup.audio).max() < 2e-7
    assert row["guests"][0]["semitones"] == guest.semitones == mashup.parts[1].plan.semitones
    assert row["guests"][0]["gain_db"] == mashup.parts[1].gain_db
    assert row["lufs"] == pytest.approx(mashup.mastered.lufs)
    assert row["warnings"] == list(mashup.warnings)
    assert (row["system"], row["kind"], row["rank"], row["score"]) == ("rule", "best", 1, 0.5)
    assert row["scores"] == {"rule": 0.5}
    assert row["audio"].startswith("ca-va-live--song-1--")
    assert read_collection(tmp_path / "new") == [row]
    beside = json.loads((tmp_path / "new" / f"{row['name']}.json").read_text("utf-8"))
    assert beside.items() <= row.items()


def test_two_guests_and_an_original(tmp_path: Path, library: MashupDB) -> None:
    collection = Collection(tmp_path)
    proposal = music_under_vocals(library, library)[0][0]
    row = collection.add(proposal, system="rule", kind="top", rank=1, score=1.0)
    assert [guest["role"] for guest in row["guests"]] == ["harmonic", "percussion"]
    assert row["guests"][1]["semitones"] == 0  # drums do not move
    song = original(LibraryClip(library, proposal.base.clip_id))
    row = collection.add(song, system="original", kind="original", rank=1, score=1.0)
    assert row["guests"] == [] and row["technique"] == "" and row["lufs"] < 0
    assert len(read_collection(tmp_path)) == 2


def test_a_role_is_all_stems_that_have_it_whatever_their_labels(tmp_path: Path) -> None:
    collected = MetronomeDB(tmp_path / "db")
    clips = [collected.add(duration_s=6) for _ in range(2)]
    for stem in list(collected.stems):
        if stem["role"] == "harmonic":
            stem["label"] = "percussion/vibraphone"
        elif stem["role"] == "percussion":
            stem["label"] = "drums"
        else:
            stem["label"] = "vocals"
            choir = {"stem_id": stem["stem_id"][::-1], "label": "backing vocals"}
            collected.stems.append(stem | choir)
    database = collected.write()
    row = Collection(tmp_path / "out").add(
        music_under_vocals(database, database)[0][0], system="a", kind="top", rank=1, score=0.0
    )
    assert row["base"]["stems"] == ["vocals", "backing vocals"]
    assert [guest["stems"] for guest in row["guests"]] == [["percussion/vibraphone"], ["drums"]]
    proposal = next(p for p in vocals_on_music(database) if p.base.clip_id == clips[0])
    row = Collection(tmp_path / "out").add(proposal, system="a", kind="b", rank=1, score=0.0)
    assert row["base"]["stems"] == ["percussion/vibraphone", "drums"]
    assert row["guests"][0]["stems"] == ["vocals", "backing vocals"]


def test_nothing_is_rendered_twice(
    tmp_path: Path, proposals: list[Proposal], renderings: list[str]
) -> None:
    first = Collection(tmp_path)
    rows = [first.add(p, system="a", kind="best", rank=1, score=1.0) for p in proposals[:2]]
    second = Collection(tmp_path)
    assert read_collection(tmp_path) == []  # a new choice
    again = second.add(proposals[0], system="b", kind="worst", rank=3, score=0.0)
    assert len(renderings) == 2
    assert again["audio"] == rows[0]["audio"] and again["system"] == "b"
    other = Collection(tmp_path, technique="tempo")
    assert other.add(proposals[0], system="b", kind="x", rank=1, score=0.0)["audio"] not in [
        row["audio"] for row in rows
    ]
    assert len(renderings) == 3


def test_new_sections_are_rendered_anew(
    tmp_path: Path, library: MashupDB, renderings: list[str]
) -> None:
    copy = MashupDB(library.root)
    copy.update_manifest()
    names = []
    for sections in ([], [(0.0, 3.1, "verse"), (3.1, 6.0, "chorus")]):
        rows = [
            {"clip_id": clip, "start_s": a, "end_s": b, "label": name, "origin": "annotated"}
            for clip in copy.clip_rows
            for a, b, name in sections
        ]
        try:
            copy.write_table("sections", rows)
            proposal = vocals_on_music(copy)[0]
            row = Collection(tmp_path).add(proposal, system="a", kind="b", rank=1, score=0.0)
            names.append(row["name"])
        finally:
            copy.write_table("sections", [])
    assert names[0] != names[1] and len(renderings) == 2


def test_a_kill_leaves_no_half_mashup(
    tmp_path: Path,
    proposals: list[Proposal],
    renderings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(path: Path, *_: object) -> None:
        (path.parent / f".{path.stem}.x.partial.flac").write_bytes(b"half")
        path.write_bytes(b"whole, but its recipe is not written")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_sound", killed)
        with pytest.raises(KeyboardInterrupt):
            Collection(tmp_path).add(proposals[0], system="a", kind="b", rank=1, score=0.0)
    row = Collection(tmp_path).add(proposals[0], system="a", kind="b", rank=1, score=0.0)
    assert len(renderings) == 2
    assert soundfile.info(str(tmp_path / row["audio"])).frames == 6 * RATE
    assert not list(tmp_path.glob(".*"))


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ConfigError, match="cannot be written to"):
        Collection(tmp_path / "file" / "folder")
    for content in (None, "{", "[]", '{"other": 1}'):
        if content is not None:
            (tmp_path / "mashups.json").write_text(content, "utf-8")
        with pytest.raises(ConfigError, match="is no collection of mashups.*mashnet.mashup"):
            read_collection(tmp_path)
