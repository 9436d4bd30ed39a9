from pathlib import Path

import pytest
import soundfile
import torch
from demucs.htdemucs import HTDemucs
from omegaconf import OmegaConf

from data_pipelines.mashupdb.stage import build
from data_pipelines.sources.lookup import SOURCES, load_source
from data_pipelines.sources.song import kind_of, printable
from data_pipelines.sources.stems import find, known_of
from mashnet.commands.hydra_program import CONFIGS
from mashnet.errors import ConfigError, MashnetError

ROLES = OmegaConf.to_container(OmegaConf.load(CONFIGS / "pipeline" / "source" / "stems.yaml").roles)


def test_every_source_has_a_config_of_its_name_and_a_function_find(make, tmp_path):
    configs = {path.stem for path in (CONFIGS / "pipeline" / "source").glob("*.yaml")}
    # A source may have more configs: choices of what it takes.
    named = {make.pipeline(tmp_path, tmp_path, source=name).source.name for name in configs}
    assert named == set(SOURCES.names()) <= configs
    assert all(callable(load_source(name)) for name in SOURCES.names())


def test_an_unknown_source_names_the_near_miss():
    with pytest.raises(ConfigError, match="source 'song' is not available. Did you mean 'songs'?"):
        load_source("song")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vocals", "vocal"),
        ("Lead Vocals", "vocal"),
        ("backing vocals", "vocal"),
        ("01 - LeadVox", "vocal"),
        ("drums", "percussion"),
        ("03_Drum-Kit_L", "percussion"),
        ("bass drum", "percussion"),
        ("hi-hat", "percussion"),
        ("bass", "harmonic"),
        ("Bass Guitar (DI)", "harmonic"),
        ("AcGtr2", "harmonic"),
        ("ac_gtr2", "harmonic"),
        ("guitar", "harmonic"),
        ("lead", "lead"),
        ("other", "other"),
        ("backing", "composite"),
        ("mixture", "ignored"),
        ("Song - Full Mix", "ignored"),
        ("xyzzy", None),
        ("", None),
    ],
)
def test_stem_names_are_read_as_people_write_them(name, kind):
    assert kind_of(name, ROLES) == kind


def test_names_that_are_not_text_can_be_printed():
    assert printable("caf\udce9") == "caf\\xe9"
    assert printable("half \ud83d a character") == "half \\ud83d a character"


def test_meta_json_and_nested_folders(make, tmp_path):
    folder = make.song(tmp_path / "artist" / "album" / "song", 1, ("a", "b", "mix"))
    make.song(folder / "fine", 2, ("kick", "snare"))
    (folder / "meta.json").write_text(
        '{"title": "T", "artist": "A", "licence": "CC0-1.0", "bpm_exact": 97.5, "key": "Am",'
        ' "stems": [{"file": "a.wav", "role": "guitar", "label": "guitar/lead"},'
        ' {"file": "b.wav", "role": "drums"}, {"file": "fine/kick.wav", "role": "drums"}]}'
    )
    (song,) = find(make.pipeline(tmp_path, tmp_path / "db"))
    assert (song.title, song.artist, song.license, song.group) == ("T", "A", "CC0-1.0", "A")
    assert [(stem.path.name, stem.kind, stem.label) for stem in song.stems] == [
        ("a.wav", "harmonic", "guitar/lead"),
        ("b.wav", "percussion", "drums"),
    ]
    assert (song.known.tempo_bpm, song.known.key) == (97.5, "Am")
    (withheld,) = find(make.pipeline(tmp_path, tmp_path / "db", "source.use_annotations=false"))
    assert withheld.known.tempo_bpm is None


def test_bars_of_a_meta_json():
    known, problem = known_of(
        {"bpm_exact": 120, "bar_duration_s": 2.5, "first_bar_time_s": 0.4, "timesig": "5/4"}
    )
    assert (problem, known.beats_per_bar, known.bar_starts) == ("", 5, (0.4,))
    known, problem = known_of({"bpm_exact": 120, "pattern_start_times_s": [0, 8, 16.0]})
    assert (problem, known.beats_per_bar, known.bar_starts) == ("", None, (0.0, 8.0, 16.0))


@pytest.fixture
def weights(tmp_path) -> Path:
    """Return a folder with a tiny random HTDemucs."""
    torch.manual_seed(0)
    sizes = {"channels": 4, "dconv_comp": 2, "t_layers": 1, "t_heads": 2, "bottom_channels": 16}
    settings = {"sources": ["drums", "bass", "other", "vocals"], "segment": 2, **sizes}
    model = HTDemucs(**settings)
    package = {"klass": HTDemucs, "args": (), "kwargs": settings, "state": model.state_dict()}
    (tmp_path / "weights").mkdir()
    torch.save(package, tmp_path / "weights" / "tiny.th")
    return tmp_path / "weights"


def test_whole_songs_are_separated_and_stored(make, tmp_path, weights, quick_tracker):
    root = tmp_path / "music"
    (root / "Band").mkdir(parents=True)
    soundfile.write(root / "Band" / "first.wav", make.sound(1, channels=2), 22050)
    soundfile.write(root / "Band" / "second.flac", make.sound(2), 22050)
    soundfile.write(root / "loose.ogg", make.sound(3), 22050)
    soundfile.write(root / "short.wav", make.sound(4, duration_s=1.0), 22050)
    (root / "diary.mp3").write_text("no music today\n" * 50)
    (root / "copy.wav").write_bytes((root / "Band" / "first.wav").read_bytes())
    settings = ["separate.model=tiny", f"separate.repo={weights}"]
    database = build(make.pipeline(root, tmp_path / "db", *settings, source="songs"))
    assert set(database.clips["title"]) == {"copy", "second", "loose"}
    assert set(database.stems["label"]) == {"drums", "bass", "other", "vocals"}
    assert dict(database.stems.select("label", "role").rows()) == {
        "vocals": "vocal",
        "drums": "percussion",
        "bass": "harmonic",
        "other": "harmonic",
    }
    reasons = {
        Path(row["input"]).name: row["reason"] for row in database.rejects.iter_rows(named=True)
    }
    assert reasons["short.wav"] == "lasts 1.0 s, less than clip.min_s=10"
    assert "cannot be decoded" in reasons["diary.mp3"]
    assert reasons["first.wav"].startswith("the same song as")
    assert len(reasons) == 3


def test_missing_weights_end_the_run_with_advice(make, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "empty").mkdir()
    soundfile.write(tmp_path / "music" / "a.wav", make.sound(1), 22050)
    settings = [f"separate.repo={tmp_path / 'empty'}", "separate.model=htdemucs"]
    config = make.pipeline(tmp_path / "music", tmp_path / "db", *settings, source="songs")
    with pytest.raises(MashnetError, match=r"Download https://.* separate\.repo=FOLDER"):
        build(config)
