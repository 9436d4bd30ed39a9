from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_pipelines.mixes import stage as mixes
from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.mixes.recipes import Recipe
from mashnet.data.schemas import CONDITIONS
from mashnet.errors import ConfigError, DatabaseError
from tests.metronome import RATE, MetronomeDB

SMALL = "{original: 2, matched: 1, unmatched_key: 1, unmatched_tempo: 1, unmatched_key_tempo: 1}"
TINY = (f"sample_rate={RATE}", "engine=pylibrb_r2", "duration.min_s=3.0", "workers=2")


def make(database: MashupDB, *overrides: str) -> MashupDB:
    counts = [f"per_seed.{split}={SMALL}" for split in ("train", "val", "test")]
    settings = [f"db={database.root}", *TINY, *counts, *overrides]
    mixes.make(compose("mixes", settings, mixes.CONFIG_DIR))
    return MashupDB.open(database.root)


def songs_in(root: Path) -> MashupDB:
    songs = MetronomeDB(root)
    for index in range(6):
        songs.add(
            tempo_bpm=100 + 3 * index,
            tonic=(2 * index) % 5,
            first_s=0.1 * index,
            duration_s=5.5,
            split="train" if index < 4 else "test",
            roles=ROLES if index % 2 else ROLES[1:],
        )
    return songs.write()


def files_under(root: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def database(tmp_path: Path) -> MashupDB:
    return songs_in(tmp_path / "db")


def test_recipes_are_drawn_and_rendered(database: MashupDB, capsys) -> None:
    made = make(database)
    assert set(made.mixes["condition"]) == set(CONDITIONS)
    assert set(made.mixes["split"]) == {"train", "test"}
    assert made.manifest["mixes"]["engine"] == "pylibrb_r2"
    store = PartStore(made)
    for row in made.mixes.iter_rows(named=True):
        recipe = Recipe.from_row(row)
        for role in ROLES:
            part = store.part(recipe, role)
            assert part.path.is_file()
            wave = part.waveform(RATE)
            assert wave.shape == (round(recipe.duration_s / recipe.common_ratio * RATE),)
            # Neither end is silent, whatever the condition (percussion only clicks).
            if role != "percussion":
                assert np.abs(wave[:400]).max() > 0.01
                assert np.abs(wave[-400:]).max() > 0.005
    said = capsys.readouterr().out
    assert "6 clips can be mixed" in said
    assert "0 were there" in said


def test_splits_never_mix(database: MashupDB) -> None:
    made = make(database, "render=false")
    for row in made.mixes.iter_rows(named=True):
        clips = [made.stem_rows[s]["clip_id"] for role in ROLES for s in row[role]]
        assert {made.clip_rows[clip]["split"] for clip in clips} == {row["split"]}


def test_the_same_settings_redo_nothing(database: MashupDB, capsys) -> None:
    make(database)
    before = files_under(database.root)
    make(database)
    assert files_under(database.root) == before
    assert "0 rendered now" in capsys.readouterr().out


def test_the_other_setting_of_artefact_control_adds_rows(database: MashupDB) -> None:
    controlled = make(database, "render=false").mixes
    both = make(database, "render=false", "artefact_control=false").mixes
    assert both.filter(pl.col("artefact_control")).equals(controlled)
    free = both.filter(~pl.col("artefact_control"))
    originals = free.filter(pl.col("condition") == "original")
    assert len(originals) == 3  # one untouched original per clip with a vocal
    again = make(database, "render=false", "seed=2").mixes
    assert again.filter(~pl.col("artefact_control")).equals(free)
    assert not again.filter(pl.col("artefact_control")).equals(controlled)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for number, workers in enumerate((1, 2)):
        root = make(songs_in(tmp_path / str(number)), f"workers={workers}").root
        files = (p for p in root.rglob("*") if p.is_file() and p.name != "manifest.json")
        found.append({p.relative_to(root): p.read_bytes() for p in files})
    assert found[0] == found[1]


def test_a_damaged_stem_costs_its_own_mixes_only(database: MashupDB, capsys) -> None:
    whole = make(database, "render=false").mixes
    clip = database.stems.filter(pl.col("role") == "harmonic").row(0, named=True)
    sound = database.audio_path(clip["stem_id"]).read_bytes()
    database.audio_path(clip["stem_id"]).write_bytes(b"no sound")
    made = make(database)
    lost = whole.filter(pl.col("harmonic").list.contains(clip["stem_id"]))
    assert 0 < len(lost) < len(whole)
    assert set(made.mixes["mix_id"]) == set(whole["mix_id"]) - set(lost["mix_id"])
    assert f"{len(lost)} mixes left out" in capsys.readouterr().out
    assert set(made.rejects["stage"]) == {"mixes"}
    for row in made.rejects.iter_rows(named=True):
        assert row["input"].startswith("harmonic of ") and "decoded" in row["reason"]
    # Those of the other setting are another matter.
    assert len(make(database, "artefact_control=false").rejects) > len(made.rejects)
    database.audio_path(clip["stem_id"]).write_bytes(sound)
    mended = make(database)
    assert mended.mixes.filter(pl.col("artefact_control")).equals(whole)
    assert all("artefact_control=false" in what for what in mended.rejects["input"])


def test_beatwise_recipes_say_so_and_render(database: MashupDB) -> None:
    made = make(database, "stretch=beatwise", "engine=pylibrb", "artefact_control=false")
    assert set(made.mixes["stretch"]) == {"beatwise"}


def test_what_is_missing_is_counted(tmp_path: Path, capsys) -> None:
    songs = MetronomeDB(tmp_path)
    for _ in range(3):
        songs.add(duration_s=7.0)
    songs.add(duration_s=7.0, beats=[], downbeats=[])
    songs.add(duration_s=7.0, key_tonic=None, key_mode=None)
    songs.add(duration_s=3.0)
    songs.add(duration_s=7.0, roles=())
    make(songs.write(), "render=false")
    said = capsys.readouterr().out
    assert "3 clips can be mixed" in said
    for reason in ("1 without beats", "1 without a key", "1 without stems", "1 without 4 s"):
        assert reason in said


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    songs = MetronomeDB(tmp_path)
    songs.add(duration_s=7.0, beats=[], downbeats=[])
    songs.add(duration_s=7.0, roles=("harmonic",))
    with pytest.raises(DatabaseError, match=r"1 without beats.*0 have vocal, 1 have harmonic"):
        make(songs.write())
    with pytest.raises(DatabaseError, match="not a MashupDB"):
        make(MashupDB(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("engine=pylibrp", "Did you mean 'pylibrb'"),
        ("stretch=beatwize", "Did you mean 'beatwise'"),
        ("+per_seed.trian={original: 1}", "Did you mean 'train'"),
        ("+per_seed.train.matchd=1", "Did you mean 'matched'"),
        ("per_seed.train.matched=-1", "must be a count"),
        ("tempo_ratio=[1.1,1.2]", "must contain 1"),
        ("duration.min_s=90.0", "at most max_s"),
        ("max_semitones=9", r"lie in \[0, 6\]"),
        ("sample_rate=100", "8000"),
        ("workers=-1", "0 \\(one per core\\)"),
    ],
)
def test_wrong_settings_are_named(database: MashupDB, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(database, override)


def test_an_engine_that_cannot_follow_beats_is_refused(database: MashupDB) -> None:
    with pytest.raises(ConfigError, match="cannot follow beats"):
        make(database, "stretch=beatwise", "engine=pedalboard")
