import json
import shlex

import numpy as np
import pytest

from mashnet.audio.io import read_audio
from mashnet.data.mixes.candidates import Limits
from mashnet.mashups.recipe import command_of, file_stem, recipe_of, render, song_of
from mashnet.render import main as render_command
from mashnet.rendering.mashup import render_mashup, render_original
from mashnet.rendering.songs import song_of_library
from mashnet.studio.downloads import finished, judged, sound_file
from mashnet.studio.pairs import bases_of, proposals_of
from tests.conftest import make_tiny_database

HOW = {"technique": "tempo+key", "engine": "pylibrb_r2"}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Five songs, the last in another key than the others."""
    return make_tiny_database(tmp_path_factory.mktemp("recipes") / "db", songs=5)


@pytest.fixture(scope="module")
def proposal(library):
    proposals, _ = proposals_of(library, bases_of(library), Limits(6, (0.7, 1.4)))
    return max(proposals, key=lambda p: p.distance)


@pytest.fixture(scope="module")
def mashup(proposal):
    return render(proposal, **HOW)


def test_it_is_what_the_renderer_makes(library, proposal, mashup):
    base, _ = song_of_library(library, proposal.base.clip_id)
    guest, _ = song_of_library(library, proposal.guests["vocal"].clip.clip_id)
    expected = render_mashup(base, {"vocals": guest}, **HOW)
    np.testing.assert_array_equal(mashup.audio, expected.audio)


def test_the_command_of_a_recipe_renders_the_same_file(proposal, mashup, tmp_path, monkeypatch):
    taken = finished(proposal, tmp_path, **HOW)
    recipe = json.loads(json.dumps(taken.recipe))
    program = shlex.split(recipe["command"])
    assert program[:3] == ["python", "-m", "mashnet.render"]
    monkeypatch.chdir(tmp_path)
    render_command(program[3:])
    (made,) = tmp_path.glob("*.wav")
    assert made.read_bytes() == taken.wav


def test_a_recipe_says_who_gave_what_and_who_judged(library, proposal, mashup):
    recipe = judged(recipe_of(proposal, mashup, **HOW), proposal, judge="alignment", score=0.25)
    guest = proposal.guests["vocal"]
    assert recipe["base"]["clip_id"] == proposal.base.clip_id
    assert recipe["base"]["stems"] == ["harmonic", "percussion"]
    (given,) = recipe["guests"]
    assert given["role"] == "vocal"
    assert given["clip_id"] == guest.clip.clip_id
    assert given["stems"] == ["vocal"]
    assert given["license"] == "CC0-1.0"
    assert given["semitones"] == guest.semitones != 0
    assert given["gain_db"] == mashup.parts[1].gain_db
    assert recipe["base"]["library"] == str(library.root)
    assert (recipe["scorer"], recipe["score"]) == ("alignment", 0.25)
    assert recipe["samples"] == mashup.audio.shape[1]
    assert recipe["made_with"]["pylibrb"] == "0.1.2"
    assert recipe["warnings"] == list(mashup.warnings)


def test_names_of_files_are_plain(proposal, monkeypatch):
    base, guest = proposal.base, proposal.guests["vocal"].clip
    assert file_stem(proposal) == f"{guest.title} on {base.title}".lower().replace(" ", "-")
    row = base.database.clip_rows[base.clip_id]
    monkeypatch.setitem(row, "title", "../ö: a/b'c $(rm)")
    assert file_stem(proposal).endswith("-on-o-a-b-c-rm")
    assert "/" not in file_stem(proposal)
    assert shlex.split(command_of(proposal, **HOW))[-1] == f"out={file_stem(proposal)}.wav"


def test_a_song_alone_is_as_loud_as_a_mashup(proposal, tmp_path):
    alone = render_original(song_of(proposal.base))
    assert alone.mastered.lufs == pytest.approx(-14, abs=0.5)
    (tmp_path / "x.flac").write_bytes(sound_file(alone, tmp_path, ".flac"))
    audio, rate = read_audio(tmp_path / "x.flac")
    assert rate == alone.sample_rate
    np.testing.assert_allclose(audio, alone.audio, atol=2**-22)
    assert [path.name for path in tmp_path.iterdir()] == ["x.flac"]
