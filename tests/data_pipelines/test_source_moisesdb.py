"""MoisesDB in the layout of its archive: data.json and a folder per stem."""

import json
import uuid
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from omegaconf import OmegaConf

from data_pipelines.mashupdb.stage import build
from data_pipelines.sources.song import kind_of, label_path
from mashnet.commands.hydra_program import CONFIGS

RATE_HZ = 44100
ROLES = OmegaConf.to_container(
    OmegaConf.load(CONFIGS / "pipeline" / "source" / "moisesdb.yaml").roles
)
BAND = {
    "vocals": ["lead_female_singer", "background_vocals"],
    "drums": ["kick_drum", "snare_drum"],
    "bass": ["bass_guitar"],
    "guitar": ["distorted_electric_guitar", "distorted_electric_guitar"],
    "other_keys": ["synth_pad"],
}


def identity(*names: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, names))))


def moises_song(root: Path, name: str, stems=BAND, artist="The Band", rate: int = RATE_HZ) -> Path:
    """Write <uuid>/data.json and <uuid>/<stem>/<track uuid>.wav; every track is its own noise."""
    folder = root / identity(name)
    entries = []
    for stem, types in stems.items():
        (folder / stem).mkdir(parents=True)
        tracks = []
        for index, kind in enumerate(types):
            track = identity(name, stem, index)
            random = np.random.default_rng(int(track[:8], 16))
            noise = 0.05 * random.standard_normal((2 * rate, 2))
            soundfile.write(folder / stem / f"{track}.wav", noise, rate, subtype="PCM_24")
            tracks.append(
                {
                    "trackType": kind,
                    "id": track,
                    "type": "audio/x-wav",
                    "extension": "wav",
                    "has_bleed": kind == "snare_drum",
                }
            )
        entries.append({"id": identity(name, stem), "stemName": stem, "tracks": tracks})
    data = {"song": name, "artist": artist, "genre": "rock", "stems": entries}
    (folder / "data.json").write_text(json.dumps(data))
    return folder


@pytest.fixture
def root(tmp_path) -> Path:
    """Return the folder `moisesdb_v0.1`, with one song in it."""
    moises_song(tmp_path / "moisesdb" / "moisesdb_v0.1", "first")
    return tmp_path / "moisesdb" / "moisesdb_v0.1"


def test_tracks_become_stems_with_a_label_from_coarse_to_fine(make, root, tmp_path, quick_tracker):
    moises_song(root, "second", artist="Somebody Else")
    database = build(make.pipeline(root.parent, tmp_path / "db", "clip.min_s=1", source="moisesdb"))
    assert database.rejects.height == 0
    assert set(database.clips.select("title", "artist").rows()) == {
        ("first", "The Band"),
        ("second", "Somebody Else"),
    }
    assert set(database.clips["license"]) == {"CC-BY-NC-SA-4.0"}
    first = database.clips.filter(pl.col("title") == "first")["clip_id"][0]
    stems = database.stems.filter(pl.col("clip_id") == first)
    assert stems.select("label", "role").rows() == [
        ("vocals/lead female singer", "vocal"),
        ("vocals/background vocals", "vocal"),
        ("drums/kick drum", "percussion"),
        ("drums/snare drum", "percussion"),
        ("bass/bass guitar", "harmonic"),
        ("guitar/distorted electric guitar", "harmonic"),
        ("guitar/distorted electric guitar", "harmonic"),
        ("other keys/synth pad", "harmonic"),
    ]
    assert stems["path"].n_unique() == stems["stem_id"].n_unique() == 8


def test_the_artist_is_the_group(make, root):
    moises_song(root, "nobody's", artist="")
    songs = {song.title: song for song in make.found("moisesdb", root)[0]}
    assert songs["first"].group == "The Band"
    assert songs["nobody's"].group == identity("nobody's")
    assert songs["first"].splits == ("train", "val", "test")


@pytest.mark.parametrize(
    ("stem", "track", "label", "kind"),
    [
        ("vocals", "other_(vocoder,_beatboxing_etc)",
         "vocals/other (vocoder, beatboxing etc)", "vocal"),
        ("bass", "contrabass/double_bass_(bass_of_instrings)",
         "bass/contrabass or double bass (bass of instrings)", "harmonic"),
        ("bass", "bassoon_(bass_of_woodwind)", "bass/bassoon (bass of woodwind)", "harmonic"),
        ("drums", "full_acoustic_drumkit", "drums/full acoustic drumkit", "percussion"),
        ("drums", "hi-hat", "drums/hi-hat", "percussion"),
        ("other", "fx", "other/fx", "composite"),
        ("other", "click_track", "other/click track", "ignored"),
        ("guitar", "acoustic_guitar", "guitar/acoustic guitar", "harmonic"),
        ("other_plucked", "banjo,_mandolin,_ukulele,_harp_etc",
         "other plucked/banjo, mandolin, ukulele, harp etc", "harmonic"),
        ("percussion", "a-tonal_percussion_(claps,_shakers,_congas,_cowbell_etc)",
         "percussion/a-tonal percussion (claps, shakers, congas, cowbell etc)", "percussion"),
        ("percussion", "pitched_percussion_(mallets,_glockenspiel,_...)",
         "percussion/pitched percussion (mallets, glockenspiel, ...)", "harmonic"),
        ("piano", "grand_piano", "piano/grand piano", "harmonic"),
        ("other_keys", "organ,_electric_organ", "other keys/organ, electric organ", "harmonic"),
        ("other_keys", "synth_lead", "other keys/synth lead", "lead"),
        ("bowed_strings", "other_strings", "bowed strings/other strings", "harmonic"),
        ("wind", "other_wind", "wind/other wind", "harmonic"),
        ("kazoo", "bass_kazoo", "kazoo/bass kazoo", None),
    ],
)  # fmt: skip
def test_the_taxonomy_has_roles(stem, track, label, kind):
    assert label_path(stem, track) == label
    assert kind_of(label, ROLES) == kind


def test_label_paths_are_tidy():
    assert label_path("Drums", "Drums") == "drums"
    assert label_path("piano", None) == label_path("", "piano") == "piano"
    assert label_path("Strings ", "Choir  Aahs") == "strings/choir aahs"


def test_bleeding_tracks_can_be_left_out(make, root):
    (song,), rejects = make.found("moisesdb", root, "source.use_bleeding=false")
    assert "drums/snare drum" not in {stem.label for stem in song.stems}
    (what, reason) = rejects[0]
    assert what.endswith(f"drums/{identity('first', 'drums', 1)}.wav")
    assert "bleed" in reason


def test_rates_and_short_tails_are_evened_out(make, tmp_path, quick_tracker):
    folder = moises_song(tmp_path / "db0.1", "mixed", {"bass": ["bass_guitar"], "drums": ["toms"]})
    toms = next((folder / "drums").iterdir())
    soundfile.write(toms, make.sound(1, duration_s=1.6, channels=2, rate=48000), 48000)
    database = build(
        make.pipeline(tmp_path / "db0.1", tmp_path / "db", "clip.min_s=1", source="moisesdb")
    )
    assert database.rejects.height == 0
    frames = {soundfile.info(tmp_path / "db" / path).frames for path in database.stems["path"]}
    assert frames == {2 * RATE_HZ}


def test_files_and_data_json_that_disagree_get_one_line_each(make, root):
    folder = root / identity("first")
    lost = folder / "bass" / f"{identity('first', 'bass', 0)}.wav"
    lost.unlink()
    soundfile.write(folder / "bass" / "extra.wav", make.sound(1), 22050)
    data = json.loads((folder / "data.json").read_text())
    data["stems"][0]["tracks"].append(data["stems"][0]["tracks"][0])
    data["stems"].append({"stemName": "kazoo", "tracks": []})
    data["stems"].append({"stemName": "..", "tracks": [{"id": "../../secret", "trackType": "x"}]})
    (folder / "data.json").write_text(json.dumps(data))
    (song,), rejects = make.found("moisesdb", root)
    assert len(song.stems) == 7
    assert [(Path(what).name, reason) for what, reason in rejects] == [
        (f"{identity('first', 'vocals', 0)}.wav", "in data.json named twice"),
        (lost.name, "in data.json named, but no sound file that is there"),
        ("secret.wav", "in data.json named, but no sound file that is there"),
        ("extra.wav", "is not named in data.json, left out"),
    ]


def test_an_unknown_label_keeps_the_stem_without_a_role(make, tmp_path, quick_tracker):
    root = tmp_path / "moisesdb_v0.1"
    moises_song(root, "odd", {"drums": ["toms"], "kazoo": ["bass_kazoo"], "other": ["click_track"]})
    database = build(make.pipeline(root, tmp_path / "db", "clip.min_s=1", source="moisesdb"))
    assert dict(database.stems.select("label", "role").rows()) == {
        "drums/toms": "percussion",
        "kazoo/bass kazoo": "",
    }
    (reason,) = database.rejects["reason"]
    assert reason == ("'kazoo/bass kazoo' matches no pattern of source.roles; kept, but in no mix")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{not json", "cannot be used, and so the song: Expecting"),
        ("[]", "there is no list 'stems'"),
        ('{"stems": [{"stemName": "bass"}]}', "a stem has no list 'tracks'"),
        ('{"stems": [{"stemName": "bass", "tracks": ["a.wav"]}]}', "a track is not an object"),
        ('{"stems": []}', "names no track that can be used"),
    ],
)
def test_a_spoiled_data_json_costs_its_song_only(make, root, content, reason):
    folder = moises_song(root, "spoiled", {"drums": []})
    (folder / "data.json").write_text(content)
    songs, rejects = make.found("moisesdb", root)
    assert [song.title for song in songs] == ["first"]
    ((what, why),) = rejects
    assert what.startswith(folder.name)
    assert reason in why


def test_a_song_without_data_json_is_one_line(make, root):
    folder = moises_song(root, "nameless")
    (folder / "data.json").unlink()
    songs, rejects = make.found("moisesdb", root)
    assert len(songs) == 1
    assert rejects == [(folder.name, "has sound files, but no data.json that says what they are")]


def test_a_song_with_one_stem_is_a_reject(make, root, tmp_path, quick_tracker):
    folder = moises_song(root, "solo", {"vocals": ["lead_male_singer"]})
    database = build(make.pipeline(root, tmp_path / "db", "clip.min_s=1", source="moisesdb"))
    assert database.clips["title"].to_list() == ["first"]
    assert database.rejects.rows() == [
        (str(folder), "stems",
         "has 1 usable stem (vocals/lead male singer), source.min_stems=2"),
    ]  # fmt: skip
