import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_pipelines.loops import clip_loops
from data_pipelines.loops import stage as loops
from mashnet.audio.io import read_audio, write_flac
from mashnet.commands.hydra_program import compose
from mashnet.data.loops.loops import KINDS, LOOP_SAMPLES, part_of
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, DatabaseError, MashnetError
from tests.metronome import MetronomeDB

RATE = 44_100
BARS = 10  # of one second


def bar(kind: str, song: int) -> np.ndarray:
    """Return a bar of one second, another one in each song."""
    random = np.random.default_rng(song)
    out = np.zeros(RATE + 6000)
    time_s = np.arange(6000) / RATE
    hertz = {"low": 110.0, "high": 1760.0}.get(kind, 0.0) * 2 ** (song / 12)
    for step in range(4 if kind == "noise" else 2):
        if kind == "noise":
            note = 2 * random.standard_normal(6000) * np.exp(-60 * time_s)
        else:
            note = np.sin(2 * np.pi * hertz * time_s) * np.exp(-8 * time_s)
        start = step * RATE // 4 + (RATE // 8 if kind == "high" else 0)
        out[start : start + 6000] += 0.3 * note
    return out[:RATE].astype(np.float32)


def melody(song: int, gain: float = 1.0) -> np.ndarray:
    """Return bars of a low figure, then of a high one."""
    return gain * np.concatenate([bar("low", song)] * 5 + [bar("high", song)] * 5)


def drums(song: int, gain: float = 1.0) -> np.ndarray:
    """Return drums in bars 3 to 6."""
    out = np.zeros(BARS * RATE, np.float32)
    out[3 * RATE : 7 * RATE] = gain * np.tile(bar("noise", song), 4)
    return out


def add_song(songs: MetronomeDB, gain: float = 1.0, **changed: object) -> str:
    """Add a song of ten bars of one second from its beginning on; return the clip's id."""
    song = len(songs.clips)
    settings = {"tempo_bpm": 240.0, "first_s": 0.0, "duration_s": BARS + 0.3} | changed
    clip_id = songs.add(roles=("harmonic", "percussion"), **settings)
    folder = songs.database.root / "audio" / clip_id
    write_flac(folder / "harmonic.flac", np.stack([melody(song, gain)] * 2), RATE)
    write_flac(folder / "percussion.flac", drums(song, gain)[None], RATE)
    return clip_id


def make(root: Path, *overrides: str) -> MashupDB:
    settings = [f"db={root}", "workers=1", "loops.max_iterations=20", *overrides]
    loops.make(compose("loops", settings, loops.CONFIG_DIR))
    return MashupDB.open(root)


def contents(root: Path) -> dict[str, bytes]:
    paths = [*root.glob("*.parquet"), *root.glob("audio/loops/*")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def songs(tmp_path: Path) -> MetronomeDB:
    songs = MetronomeDB(tmp_path / "db")
    add_song(songs)
    add_song(songs, split="test")
    songs.write()
    return songs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same songs after the stage; not to be changed."""
    songs = MetronomeDB(tmp_path_factory.mktemp("made") / "db")
    add_song(songs)
    add_song(songs, split="test")
    songs.write()
    return make(songs.database.root).root


@pytest.fixture
def looped(made: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(made, tmp_path / "looped"))


def check_tables(database: MashupDB) -> None:
    """Assert what holds for the tables of any input."""
    clips = database.clip_rows
    rows = {row["loop_id"]: row for row in database.loops.iter_rows(named=True)}
    assert len(rows) == len(database.loops)
    for row in rows.values():
        clip = clips[row["clip_id"]]
        assert (row["split"], row["song_id"]) == (clip["split"], clip["song_id"])
        assert row["kind"] in KINDS
        assert len(row["layout"]) == len(clip["downbeats"]) - 1
        assert 0 <= min(row["layout"]) and max(row["layout"]) <= 1
        assert row["layout"][row["bar"]] > 0
        samples = part_of(database, row).waveform(RATE)
        assert samples.shape == (LOOP_SAMPLES,)
        assert np.abs(samples).max() <= 1
    pairs = database.pairs.filter(pl.col("strategy") == "together")
    assert pairs["pair_id"].is_unique().all()
    assert set(pairs["label"]) == {1} and set(pairs["params"]) == {"{}"}
    for pair in pairs.iter_rows(named=True):
        one, other = rows[pair["loop_a"]], rows[pair["loop_b"]]
        assert one["clip_id"] == other["clip_id"] and one is not other
        assert pair["split"] == one["split"]
    unordered = {frozenset(pair) for pair in pairs.select("loop_a", "loop_b").rows()}
    assert len(unordered) == len(pairs)
    files = {p.relative_to(database.root).as_posix() for p in database.root.glob("audio/loops/*")}
    assert files == set(database.loops["path"])


def test_loops_of_the_mix(songs, capsys):
    database = make(songs.database.root)
    check_tables(database)
    assert database.loops["clip_id"].n_unique() == 2
    assert set(database.pairs["split"]) == {"train", "test"}
    assert "drum" in set(database.loops["kind"])
    # In every bar that sounds the normalised layouts have norm one.
    for (_,), group in database.loops.group_by("clip_id"):
        np.testing.assert_allclose(
            np.linalg.norm(np.array(group["layout"].to_list()), axis=0), 1, atol=1e-4
        )
    assert database.manifest["loops"]["from"] == "mix"
    printed = capsys.readouterr().out
    assert f"2 of 2 clips: {len(database.loops)} loops" in printed
    assert f"{len(database.pairs)} pairs (train " in printed


def test_loops_of_stems_are_those_that_were_played(songs):
    database = make(songs.database.root, "loops.from=stems")
    check_tables(database)
    for clip_id in database.clips["clip_id"]:
        rows = database.loops.filter(pl.col("clip_id") == clip_id)
        assert sorted(rows["kind"]) == ["drum", "harmonic", "harmonic"]
        layouts = {tuple(layout) for layout in rows["layout"]}
        low, high, drum = (
            tuple(float(first <= n < end) for n in range(BARS))
            for first, end in ((0, 5), (5, 10), (3, 7))
        )
        assert layouts == {low, high, drum}
        together = database.pairs.filter(pl.col("loop_a").is_in(rows["loop_id"].implode()))
        assert len(together) == 2  # drums with each figure; the figures take turns
        kinds = dict(rows.select("loop_id", "kind").rows())
        assert {frozenset(kinds[i] for i in p) for p in together["loop_a", "loop_b"].rows()} == {
            frozenset({"drum", "harmonic"})
        }
    assert database.manifest["loops"]["from"] == "stems"


def test_the_same_input_gives_the_same_bytes(songs, made):
    tables = ("loops.parquet", "pairs.parquet")
    one, other = contents(make(songs.database.root).root), contents(made)
    assert {k: v for k, v in one.items() if k in tables or "loops/" in k} == {
        k: v for k, v in other.items() if k in tables or "loops/" in k
    }


def test_a_second_run_does_nothing_again_and_other_settings_replace_all(
    looped, monkeypatch, capsys
):
    root = looped
    before = contents(root)
    with monkeypatch.context() as patched:
        patched.setattr(clip_loops, "mix_of", lambda parts: pytest.fail("was read again"))
        make(root)
    assert contents(root) == before
    assert "2 clips were done before" in capsys.readouterr().out
    changed = make(root, "loops.from=stems")
    check_tables(changed)
    assert not set(changed.loops["path"]) & {name for name in before if name.endswith(".flac")}


def test_a_killed_run_is_continued_clip_by_clip(looped, monkeypatch):
    root = looped
    whole = contents(root)
    for path in [*root.glob("audio/loops/*"), *root.glob("cache/loops/*")]:
        path.unlink()
    for name in ("loops", "pairs", "rejects"):
        (root / f"{name}.parquet").unlink()
    read = []
    mix_of = clip_loops.mix_of

    def killed(parts):
        read.append(parts)
        if len(read) == 2:
            raise KeyboardInterrupt
        return mix_of(parts)

    monkeypatch.setattr(clip_loops, "mix_of", killed)
    with pytest.raises(KeyboardInterrupt):
        make(root)
    assert len(list(root.glob("cache/loops/*.json"))) == 1
    (root / "audio" / "loops" / ".half.partial.flac").write_bytes(b"fLaC")
    make(root)
    assert len(read) == 3  # the first song was not read again
    assert contents(root) == whole


def test_a_missing_sound_and_a_damaged_record_are_made_again(looped):
    root = looped
    whole = contents(root)
    next(root.glob("audio/loops/*.flac")).unlink()
    make(root)
    assert contents(root) == whole
    for record in root.glob("cache/loops/*.json"):
        record.write_text("{")
    make(root)
    assert contents(root) == whole


def test_bad_clips_become_rejects_and_the_run_goes_on(songs, capsys):
    root = songs.database.root
    no_stems = add_song(songs)
    songs.stems = [row for row in songs.stems if row["clip_id"] != no_stems]
    waltz = add_song(songs, beats_per_bar=3)
    lost = add_song(songs, downbeats=None, beats=[])
    short = add_song(songs, downbeats=[float(n) for n in range(8)])
    wild = add_song(songs, downbeats=(0.1 * np.arange(10) ** 2).tolist())
    quiet = add_song(songs)
    write_flac(root / "audio" / quiet / "harmonic.flac", np.zeros((1, BARS * RATE)), RATE)
    same = add_song(songs)
    write_flac(root / "audio" / same / "harmonic.flac", np.tile(bar("low", 1), BARS)[None], RATE)
    write_flac(root / "audio" / same / "percussion.flac", np.zeros((1, BARS * RATE)), RATE)
    alone = add_song(songs)
    write_flac(root / "audio" / alone / "percussion.flac", np.zeros((1, BARS * RATE)), RATE)
    damaged = add_song(songs)
    (root / "audio" / damaged / "harmonic.flac").write_bytes(b"no sound")
    missing = add_song(songs)
    (root / "audio" / missing / "percussion.flac").unlink()
    database = songs.write()
    earlier = [("x", "read", "is empty"), ("y", "loops", "old")]
    rejects = pl.DataFrame(earlier, schema=database.rejects.schema, orient="row")
    database.write_table("rejects", rejects)
    made = make(root, "loops.from=stems")
    check_tables(made)
    assert made.loops["clip_id"].n_unique() == 2
    assert made.rejects.row(0) == ("x", "read", "is empty")
    rows = {row["input"]: row["reason"] for row in made.rejects[1:].iter_rows(named=True)}
    for clip_id, reason in {
        no_stems: "has no stems",
        waltz: "has 3 beats in a bar",
        lost: "has no downbeats",
        short: "has 7 bars, less than loops.min_bars=8",
        wild: "changes its tempo",
        quiet: "only 4 of its bars sound",
        same: "only one distinct loop",
        alone: "no two of its 2 loops sound together",
        damaged: "cannot be decoded",
        missing: "does not exist",
    }.items():
        (found,) = [why for what, why in rows.items() if clip_id in what]
        assert reason in found
    assert len(rows) == 10
    assert set(made.rejects["stage"][1:]) == {"loops"}
    printed = capsys.readouterr().out
    assert "10 clips left out" in printed and "rejects.parquet" in printed
    # What could not be read may be put right; the rest is not looked at again.
    write_flac(root / "audio" / missing / "percussion.flac", drums(9)[None], RATE)
    again = make(root, "loops.from=stems")
    assert again.loops["clip_id"].n_unique() == 3
    assert "3 clips" not in capsys.readouterr().out.splitlines()[0]


def test_a_database_without_anything_usable_says_why(tmp_path):
    songs = MetronomeDB(tmp_path / "db")
    songs.add(beats_per_bar=3)
    songs.write()
    with pytest.raises(MashnetError, match="none of its 1 clips gave loops; Song 0.*3 beats"):
        make(tmp_path / "db")
    assert len(MashupDB.open(tmp_path / "db").rejects) == 1
    with pytest.raises(DatabaseError):
        make(tmp_path / "nothing")


def test_a_clip_with_its_annotation_put_right_gets_new_loops(songs):
    root = songs.database.root
    first, second = songs.database.clips["clip_id"]

    def ids() -> tuple[set[str], set[str]]:
        table = make(root, "loops.from=stems").loops
        one, other = (set(table.filter(pl.col("clip_id") == c)["loop_id"]) for c in (first, second))
        return one, other

    before = ids()
    moved = songs.clips[0]["downbeats"]
    songs.clips[0]["downbeats"] = [time_s + 0.25 for time_s in moved[:-1]]
    songs.write()
    after = ids()
    assert not before[0] & after[0]
    assert before[1] == after[1]


def test_negatives_stay_while_the_pairs_are_the_same(songs):
    root = songs.database.root
    database = make(root, "loops.from=stems")
    negative = {
        "pair_id": "n",
        "loop_a": database.loops["loop_id"][0],
        "loop_b": database.loops["loop_id"][1],
        "label": 0,
        "strategy": "reverse",
        "params": json.dumps({"reverse": True}),
        "split": "train",
    }
    database.write_table("pairs", [*database.pairs.to_dicts(), negative])
    assert "n" in make(root, "loops.from=stems").pairs["pair_id"]
    changed = make(root)
    assert "n" not in changed.pairs["pair_id"]
    assert set(changed.pairs["strategy"]) == {"together"}


def test_too_loud_loops_are_brought_down(tmp_path):
    songs = MetronomeDB(tmp_path / "db")
    clip_id = add_song(songs, gain=3.3)
    songs.write()
    path = tmp_path / "db" / "audio" / clip_id
    stem, _ = read_audio(path / "harmonic.flac")
    assert np.abs(stem).max() > 0.98
    database = make(tmp_path / "db", "loops.from=stems")
    check_tables(database)
    peaks = [np.abs(read_audio(tmp_path / "db" / p)[0]).max() for p in database.loops["path"]]
    assert max(peaks) <= 0.9901


def test_tasks_and_results_can_travel_between_processes(songs, through_pickle):
    """Processes themselves are tested with the executor; starting them takes half a minute."""
    root = songs.database.root
    one = contents(make(root, "loops.from=stems").root)
    for path in root.glob("cache/loops/*"):
        path.unlink()
    killed = through_pickle()
    assert contents(make(root, "loops.from=stems", "workers=2").root) == one
    assert killed[0]["reject"]


@pytest.mark.parametrize(
    "setting",
    [
        "loops.from=drums",
        "loops.engine=none",
        "loops.min_bars=1",
        "loops.max_iterations=0",
        "loops.co_occurrence=1.5",
        "workers=-1",
    ],
)
def test_settings_that_make_no_sense_are_refused(songs, setting):
    with pytest.raises(ConfigError, match=setting.split("=")[0].split(".")[-1]):
        make(songs.database.root, setting)
