"""source=stems with the files of ../shared/people, and with hand-made ones beside them."""

import json
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import polars as pl
import pytest

from data_pipelines.mashupdb.stage import build
from data_pipelines.sources.song import RawSong
from data_pipelines.sources.songs import find as find_recordings
from data_pipelines.sources.stems import find

PEOPLE = Path(__file__).resolve().parents[3] / ".." / "shared" / "people" / "inputs.zip"


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> Path:
    """Return the folder of files as people's tools write them."""
    if not PEOPLE.is_file():
        pytest.skip("the files of ../shared/people are not here")
    folder = tmp_path_factory.mktemp("people")
    with zipfile.ZipFile(PEOPLE) as packed:
        packed.extractall(folder)
    return folder


def found(make, root: Path, *settings: str) -> tuple[dict[str, RawSong], dict[str, str]]:
    """Return songs by title, and what rejects say by the end of their input's name."""
    songs, rejects = {}, {}
    for item in find(make.pipeline(root, root.parent / "db", *settings)):
        if isinstance(item, RawSong):
            songs[item.title] = item
        else:
            rejects[Path(item.input).name] = f"{item.stage}: {item.reason}"
    return songs, rejects


def kinds(song: RawSong) -> dict[str, str]:
    return {stem.label: stem.kind for stem in song.stems}


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"RIFF")
    return folder


def test_one_folder_with_two_songs(make, people):
    folder = people / "02 one folder, files named by song and stem"
    for root in (folder, people):  # in the root, and in a folder under it
        songs, rejects = found(make, root)
        parts = {"vocals": "vocal", "drums": "percussion", "bass": "harmonic"}
        assert kinds(songs["First Song"]) == kinds(songs["Second Song"]) == parts
    assert not [name for name in rejects if name.endswith("Song")]


def test_vocals_and_the_rest(make, people):
    songs, rejects = found(make, people / "03 vocals and the rest")
    assert rejects == {}
    assert kinds(songs["Artist - Title"]) == {"vocals": "vocal", "no_vocals": "accompaniment"}
    assert sorted(kinds(songs["Artist - Other Title"]).values()) == ["accompaniment", "vocal"]


def test_a_folder_of_one_song_keeps_its_name_whatever_its_files_share(make, people):
    songs, _ = found(make, people / "04 names that say little")
    assert list(songs["My Track"].stems[0].path.parts[-2:-1]) == ["My Track"]
    assert sorted(kinds(songs["My Track"]).values()) == ["harmonic", "lead", "percussion"]


def test_a_stem_file_is_a_song_of_its_streams(make, people):
    songs, rejects = found(make, people / "05 stem files")
    song = songs["Title"]
    assert (song.artist, rejects) == ("Artist", {})
    assert [(stem.label, stem.kind, stem.stream) for stem in song.stems] == [
        ("drums", "percussion", 1), ("bass", "harmonic", 2), ("other", "other", 3),
        ("vocals", "vocal", 4),
    ]  # fmt: skip


def test_a_stem_file_becomes_clips(make, people, tmp_path, quick_tracker):
    database = build(make.pipeline(people / "05 stem files", tmp_path / "db"))
    assert dict(database.stems.select("label", "role").rows()) == {
        "drums": "percussion", "bass": "harmonic", "other": "harmonic", "vocals": "vocal",
    }  # fmt: skip


def with_stem_box(path: Path, out: Path, names: list[str]) -> Path:
    """Copy an MP4 whose last box is moov, with a udta/stem at its end."""
    content = path.read_bytes()
    at = content.rindex(b"moov") - 4
    stem = json.dumps({"stems": [{"name": name, "color": "#FFF"} for name in names]}).encode()
    stem = struct.pack(">I", len(stem) + 8) + b"stem" + stem
    udta = struct.pack(">I", len(stem) + 8) + b"udta" + stem
    size = struct.unpack(">I", content[at : at + 4])[0] + len(udta)
    out.write_bytes(content[:at] + struct.pack(">I", size) + content[at + 4 :] + udta)
    return out


def test_a_stem_file_that_names_its_stems(make, people, tmp_path):
    path = people / "05 stem files" / "Artist - Title.stem.m4a"
    folder = tmp_path / "music" / "deep" / "down"
    folder.mkdir(parents=True)
    with_stem_box(path, folder / "X.stem.mp4", ["Kick & Snare", "Moog", "Blurb", "Vox"])
    with_stem_box(path, folder / "Y.stem.m4a", ["Drums", "Bass"])
    songs, rejects = found(make, tmp_path / "music")
    assert kinds(songs["X"]) == {
        "Kick & Snare": "percussion", "Moog": "harmonic", "Blurb": "", "Vox": "vocal",
    }  # fmt: skip
    assert kinds(songs["Y"]) == {
        "Drums": "percussion", "Bass": "harmonic", "stem 3": "", "stem 4": "",
    }  # fmt: skip
    assert rejects["Y.stem.m4a"] == "source: names 2 stems and has 4"
    assert "matches no pattern" in rejects["X.stem.mp4 (Blurb)"]


def test_a_stem_file_that_is_none(make, tmp_path, monkeypatch):
    folder = touch(tmp_path / "music", "a.stem.mp4")
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=1"]
    subprocess.run([*command, folder / "b.stem.m4a"], check=True)
    songs, rejects = found(make, folder)
    assert list(songs) == ["a"]  # what cannot be read is said when it is read
    assert rejects["b.stem.m4a"].endswith("but one sound stream: no stems")
    monkeypatch.setattr("data_pipelines.sources.stem_files.ffmpeg_is_installed", lambda: False)
    songs, rejects = found(make, folder)
    assert songs == {} and "apt install ffmpeg" in rejects["a.stem.mp4"]


def test_what_meta_json_knows(make, people):
    songs, rejects = found(make, people / "07 metadata")
    assert rejects == {}
    assert songs["Camelot"].known.key == "8A"
    assert songs["Ünïcode"].known.key == "A minor"
    known = songs["rounded tempo"].known
    assert (known.tempo_bpm, known.tempo_hint_bpm, known.key) == (None, 125.0, "A minor")
    withheld, _ = found(make, people / "07 metadata", "source.use_annotations=false")
    assert withheld["rounded tempo"].known.tempo_hint_bpm is None


def test_a_rounded_tempo_decides_the_level_and_the_music_the_grid(
    make, people, tmp_path, quick_tracker
):
    root = tmp_path / "music" / "song"
    shutil.copytree(people / "07 metadata" / "rounded tempo", root)
    (root / "meta.json").write_text('{"tempo": "60 bpm", "camelot": "8A", "bmp": 61}')
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db"))
    clip = database.clips.row(0, named=True)
    assert clip["tempo_bpm"] == 60.0  # 120 was heard
    assert (clip["beats"][:2], clip["key_tonic"], clip["key_mode"]) == ([0.25, 1.25], 9, "minor")
    assert database.rejects["reason"].to_list() == ["'bmp' is not known; did you mean 'bpm'?"]
    (root / "meta.json").write_text('{"tempo": 97}')
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db"))
    assert database.clips["tempo_bpm"].to_list() == [120.0]
    said = database.rejects.filter(pl.col("stage") == "meta")["reason"].to_list()
    assert said == [
        "a tempo of 97 bpm is written down, and no metrical level of the 120.0 bpm that were "
        "heard; not used"
    ]


def test_the_grid_of_music_at_140_stays_whatever_is_written_down(make, people, tmp_path):
    folder = tmp_path / "music" / "rounded tempo"
    shutil.copytree(people / "07 metadata" / "rounded tempo", folder)
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db"))
    clip = database.clips.row(0, named=True)
    assert clip["tempo_bpm"] == pytest.approx(140.0, abs=0.2)  # as its project has it; it says 125
    assert (clip["key_tonic"], clip["key_mode"], clip["key_confidence"]) == (9, "minor", 1.0)
    assert "no metrical level of the 140.0 bpm" in database.rejects["reason"][0]


def test_tempo_and_key_of_names_and_tags(make, tmp_path):
    root = touch(
        tmp_path / "music", *(f"my song-{s}-Bmin-120bpm-440hz.wav" for s in ("vocals", "drums"))
    )
    songs, rejects = found(make, root)
    known = songs["my song"].known
    assert (known.tempo_hint_bpm, known.key_hint, rejects) == (120.0, "Bmin", {})
    tagged = tmp_path / "tagged" / "Song"
    tagged.mkdir(parents=True)
    for name in ("bass", "drums"):
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=1"]
        tempo = 125 if name == "bass" else 126
        command += ["-metadata", f"BPM={tempo}", "-metadata", "INITIALKEY=4A"]
        subprocess.run([*command, tagged / f"{name}.flac"], check=True)
    songs, rejects = found(make, tmp_path / "tagged")
    assert songs["Song"].known.key_hint == "F minor"
    assert songs["Song"].known.tempo_hint_bpm is None
    assert rejects["Song"] == "meta: a tag's tempo is not used: its files say 125.0, 126.0"


def test_files_in_the_root(make, tmp_path):
    folder = touch(tmp_path / "Song", "vocals.wav", "bass.wav")
    assert list(found(make, folder)[0]) == ["Song"]  # the root is the song's folder
    whole = touch(tmp_path / "songs", "Bass Culture.wav", "Yesterday.wav")
    songs, rejects = found(make, whole)
    assert songs == {} and len(rejects) == 2
    assert "source=songs" in rejects["Yesterday.wav"]


def test_one_meta_json_for_many_songs(make, tmp_path):
    names = [f"{t} - {s}.wav" for t in ("A Song", "B Song") for s in ("vocals", "bass")]
    folder = touch(tmp_path / "music" / "album", *names, "stray.wav")
    (folder / "meta.json").write_text('{"artist": "X", "title": "Y", "bpm": 120}')
    songs, rejects = found(make, tmp_path / "music")
    assert [(title, song.artist) for title, song in songs.items()] == [
        ("A Song", "X"), ("B Song", "X"),
    ]  # fmt: skip
    assert rejects["meta.json"] == "meta: title, bpm: not used, 2 songs lie beside it"
    assert rejects["stray.wav"].startswith("source: is of none of the songs beside it (A Song")


def test_what_is_left_out_says_so(make, tmp_path):
    touch(
        tmp_path / "music" / "Song", "drums.wav", "bass.wav", "vocals.wav", "no_vocals.wav",
        "mix.wav", "click.wav", "Song.wav", "theremin.wav",
    )  # fmt: skip
    songs, rejects = found(make, tmp_path / "music")
    assert kinds(songs["Song"]) == {
        "drums": "percussion", "bass": "harmonic", "vocals": "vocal", "theremin": "",
    }  # fmt: skip
    assert {name: said.partition(": ")[2][:30] for name, said in rejects.items()} == {
        "no_vocals.wav": "is the sum of stems that lie b",
        "click.wav": "by its name no stem, but a mix",
        "Song.wav": "is called like the song: its m",
        "theremin.wav": "'theremin' matches no pattern ",
    }


def test_possible_songs_that_were_not_taken_apart_are_named(make, tmp_path):
    touch(
        tmp_path / "music" / "Duet", "John Vox.wav", "John Gtr.wav", "Mary Vox.wav", "Mary Gtr.wav"
    )
    songs, rejects = found(make, tmp_path / "music")
    assert list(songs) == ["Duet"]
    assert "taken as one song" in rejects["Duet"] and "John, Mary" in rejects["Duet"]


def test_whole_songs_have_hints_too(make, tmp_path):
    root = touch(tmp_path / "music", "8A - 124 - Artist - Title.mp3", "Who I Am.mp3")
    songs = find_recordings(make.pipeline(root, tmp_path / "db", source="songs"))
    assert {song.title: (song.known.tempo_hint_bpm, song.known.key_hint) for song in songs} == {
        "8A - 124 - Artist - Title": (124.0, "8A"),
        "Who I Am": (None, None),
    }
