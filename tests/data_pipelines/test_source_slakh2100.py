"""Slakh2100 in the layout of its archive: subsets, tracks, metadata.yaml, stems."""

from pathlib import Path

import polars as pl
import pytest
import soundfile
import yaml
from omegaconf import OmegaConf

from data_pipelines.mashupdb.stage import build
from data_pipelines.sources.song import kind_of
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.splits import split_of
from mashnet.errors import MashnetError

RATE_HZ = 44100
ROLES = OmegaConf.to_container(
    OmegaConf.load(CONFIGS / "pipeline" / "source" / "slakh2100.yaml").roles
)
# inst_class, midi_program_name, program_num, as metadata.yaml has them
BAND = (
    ("Guitar", "Distortion Guitar", 30),
    ("Drums", "Drums", 128),
    ("Bass", "Electric Bass (finger)", 33),
    ("Strings (continued)", "Choir Aahs", 52),
    ("Synth Lead", "Lead 2 (sawtooth)", 81),
    ("Sound Effects", "FX 8 (sci-fi)", 103),  # not rendered
)


def slakh_track(
    make, folder: Path, midi: str, band=BAND, suffix: str = "flac", flagged: bool = True
) -> Path:
    """Write TrackNNNNN/{metadata.yaml,mix.flac,all_src.mid,stems/,MIDI/} as the archive has it."""
    (folder / "stems").mkdir(parents=True)
    (folder / "MIDI").mkdir()
    stems = {}
    for index, (inst_class, program, number) in enumerate(band):
        name, rendered = f"S{index:02d}", inst_class != "Sound Effects"
        stems[name] = {
            "audio_rendered": rendered and flagged,
            "inst_class": inst_class,
            "is_drum": number == 128,
            "midi_program_name": program,
            "midi_saved": rendered,
            "plugin_name": "elektrik_guitar.nkm" if rendered else "None",
            "program_num": number,
        }
        if rendered:
            stems[name]["integrated_loudness"] = -12.8
            seed = int(folder.name.removeprefix("Track") + f"{index}")
            sound = make.sound(seed, duration_s=2.0, rate=RATE_HZ)
            soundfile.write(folder / "stems" / f"{name}.{suffix}", sound, RATE_HZ)
            (folder / "MIDI" / f"{name}.mid").write_bytes(b"MThd")
    soundfile.write(folder / f"mix.{suffix}", make.sound(0, duration_s=2.0), RATE_HZ)
    (folder / "all_src.mid").write_bytes(b"MThd")
    metadata = {
        "UUID": midi,
        "audio_dir": f"{folder.name}/stems",
        "lmd_midi_dir": f"lmd_matched/O/O/H/TROOHTB128F931F9DF/{midi}.mid",
        "midi_dir": f"{folder.name}/MIDI",
        "normalization_factor": -13.0,
        "normalized": True,
        "overall_gain": 0.18270259567062658,
        "stems": stems,
        "target_peak": -1.0,
    }
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    return folder


def splits(make, root: Path, *settings: str) -> dict[str, tuple[str, ...]]:
    return {song.title: song.splits for song in make.found("slakh2100", root, *settings)[0]}


@pytest.fixture
def root(make, tmp_path) -> Path:
    """Return a redux archive: a track in each subset, one omitted for its MIDI file."""
    root = tmp_path / "slakh2100_flac_redux"
    slakh_track(make, root / "train" / "Track00001", "1a81ae092884234f3264e2f45927f00a")
    slakh_track(make, root / "validation" / "Track01501", "0c3b7bf33cd3d67970ecfc06339bfc49")
    slakh_track(make, root / "test" / "Track01876", "c613ddce3ded35d2e8cadf3511a1ffb9")
    slakh_track(make, root / "omitted" / "Track00004", "c613ddce3ded35d2e8cadf3511a1ffb9")
    return root


def test_rendered_stems_with_class_and_program_as_labels(make, root, tmp_path, quick_tracker):
    database = build(make.pipeline(root, tmp_path / "db", "clip.min_s=1", source="slakh2100"))
    assert database.rejects.height == 0
    assert dict(database.clips.select("title", "split").rows()) == {
        "Track00001": "train",
        "Track01501": "val",
        "Track01876": "test",
    }
    assert set(database.clips["license"]) == {"CC-BY-4.0"}
    first = database.clips.filter(pl.col("title") == "Track00001")["clip_id"][0]
    stems = database.stems.filter(pl.col("clip_id") == first)
    assert stems.select("label", "role", "path").rows() == [
        ("guitar/distortion guitar", "harmonic", f"audio/{first}/s00.flac"),
        ("drums", "percussion", f"audio/{first}/s01.flac"),
        ("bass/electric bass (finger)", "harmonic", f"audio/{first}/s02.flac"),
        ("strings/choir aahs", "harmonic", f"audio/{first}/s03.flac"),
        ("synth lead/lead 2 (sawtooth)", "vocal", f"audio/{first}/s04.flac"),
    ]


def test_babyslakh_has_tracks_in_the_root_and_wav_that_is_flagged_as_not_rendered(make, tmp_path):
    for number in (1, 7):
        folder = tmp_path / f"Track{number:05d}"
        slakh_track(make, folder, f"{number:032x}", suffix="wav", flagged=False)
    songs, rejects = make.found("slakh2100", tmp_path)
    assert rejects == []
    assert [(song.title, len(song.stems), song.splits) for song in songs] == [
        ("Track00001", 5, ("train", "val", "test")),
        ("Track00007", 5, ("train", "val", "test")),
    ]


def test_the_midi_file_is_the_group(make, root):
    songs = make.found("slakh2100", root, "source.official_split=false", "source.omitted=true")[0]
    groups = {song.title: song.group for song in songs}
    assert groups["Track00001"] == "1a81ae092884234f3264e2f45927f00a"
    assert groups["Track00004"] == groups["Track01876"]
    assert {split_of(song.group) for song in songs if song.title != "Track00001"} <= {
        split_of(groups["Track01876"]),
        split_of(groups["Track01501"]),
    }
    assert all(song.splits == ("train", "val", "test") for song in songs)


def test_the_same_midi_file_is_never_in_two_official_splits(make, root):
    """As in Slakh2100-orig, where 390 tracks repeat another's MIDI file."""
    slakh_track(make, root / "train" / "Track00009", "c613ddce3ded35d2e8cadf3511a1ffb9")
    slakh_track(make, root / "train" / "Track00010", "1a81ae092884234f3264e2f45927f00a")
    songs, rejects = make.found("slakh2100", root, "source.omitted=true")
    assert {song.title: song.splits for song in songs} == {
        "Track01876": ("test",),
        "Track01501": ("val",),
        "Track00001": ("train",),
        "Track00010": ("train",),
    }
    reason = "has the MIDI file of Track01876, which is in 'test'"
    assert rejects == [("train/Track00009", reason), ("omitted/Track00004", reason)]


def test_without_a_validation_folder_the_hash_draws_it_from_train(make, root):
    (root / "validation").rename(root.parent / "elsewhere")
    assert splits(make, root) == {"Track01876": ("test",), "Track00001": ("train", "val")}


@pytest.mark.parametrize(
    ("inst_class", "kind"),
    [
        ("Piano", "harmonic"),
        ("Chromatic Percussion", "harmonic"),
        ("Strings (continued)", "harmonic"),
        ("Synth Lead", "lead"),
        ("Synth Pad", "harmonic"),
        ("Ethnic", "harmonic"),
        ("Percussive", "percussion"),
        ("Drums", "percussion"),
        ("Sound effects", "composite"),
        ("Laser Harp", None),
    ],
)
def test_classes_have_roles(inst_class, kind):
    assert kind_of(inst_class, ROLES) == kind


def test_files_and_metadata_that_disagree_get_one_line_each(make, root):
    folder = root / "train" / "Track00001"
    (folder / "stems" / "S02.flac").unlink()
    (folder / "stems" / "S00.flac").rename(folder / "stems" / "S11.flac")
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text())
    metadata["stems"]["S03"]["inst_class"] = "Laser Harp"
    metadata["stems"].pop("S00")
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    songs, rejects = make.found("slakh2100", root)
    (song,) = [song for song in songs if song.title == "Track00001"]
    assert [stem.label for stem in song.stems] == [
        "drums", "laser harp/choir aahs", "synth lead/lead 2 (sawtooth)",
    ]  # fmt: skip
    assert rejects == [
        ("train/Track00001/stems/S02", "was rendered, says metadata.yaml, but is absent"),
        ("train/Track00001/stems/S03.flac",
         "'Laser Harp' matches no pattern of source.roles; kept, but in no mix"),
        ("train/Track00001/stems/S11.flac", "is not named in metadata.yaml, left out"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("stems: [unclosed", "cannot be used, and so the track: while parsing"),
        ("just text", "there is no mapping 'stems'"),
        ("stems: {S00: 5}", "a stem is not a mapping"),
        ("stems: {S00: {audio_rendered: false}}", "has no rendered stems"),
        (None, "No such file"),
    ],
)
def test_a_spoiled_metadata_file_costs_its_track_only(make, root, content, reason):
    folder = slakh_track(make, root / "train" / "Track00002", "2" * 32, band=BAND[-1:])
    (folder / "metadata.yaml").unlink()
    if content is not None:
        (folder / "metadata.yaml").write_text(content)
    songs, rejects = make.found("slakh2100", root)
    assert len(songs) == 3
    ((what, why),) = rejects
    assert what.startswith("train/Track00002")
    assert reason in why
    assert "\n" not in why


def test_a_track_with_one_stem_is_a_reject(make, root, tmp_path, quick_tracker):
    folder = slakh_track(make, root / "train" / "Track00003", "3" * 32, band=BAND[1:2])
    database = build(make.pipeline(root, tmp_path / "db", "clip.min_s=1", source="slakh2100"))
    assert database.clips.height == 3
    assert database.rejects.rows() == [
        (str(folder), "stems", "has 1 usable stem (drums), source.min_stems=2")
    ]


def test_a_root_that_is_something_else_says_which_folder_is_meant(make, tmp_path):
    (tmp_path / "music").mkdir()
    with pytest.raises(MashnetError, match=r"holds no folder train, .*redux\.tar\.gz"):
        make.found("slakh2100", tmp_path)
