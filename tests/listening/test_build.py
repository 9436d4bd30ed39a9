"""Building a test: blind, equally loud, and saying what it could not use."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mashnet.audio.io import read_audio, write_sound
from mashnet.audio.loudness import integrated_lufs, step_powers
from mashnet.errors import AudioError, ConfigError, DatabaseError
from mashnet.files import write_json
from mashnet.listening import __main__ as program
from mashnet.listening.build import Settings, build
from mashnet.listening.excerpts import excerpt_of
from mashnet.listening.folder import read_key, read_test
from mashnet.listening.ratings import Rating
from mashnet.listening.ratings_file import folder_lock, write_ratings
from mashnet.listening.systems import Stimulus, drawn, stimuli_of
from tests.listening.conftest import RATE, tone, write_tone


def collection(folder: Path, rows: list[dict[str, object]]) -> Path:
    """Write a folder as python -m mashnet.mashup does; a row needs kind, audio, and a pitch."""
    manifest = []
    for number, row in enumerate(rows, start=1):
        path = folder / f"{row['audio']}.flac"
        if not path.is_file():
            write_tone(path, float(row["hz"]))  # type: ignore[arg-type]
        manifest.append(
            {
                "name": row["audio"],
                "system": row.get("system", "alignnet"),
                "kind": row["kind"],
                "rank": number,
                "score": 0.5,
                "scores": row.get("scores", {"keytempo": 1.5}),
                "audio": path.name,
                "base": {"clip_id": "c"},
                "guests": [],
                "technique": "tempo",
                "engine": "e",
            }
        )
    write_json(folder / "mashups.json", {"mashups": manifest})
    return folder


def test_nothing_that_listeners_get_says_who_is_who(built: Path) -> None:
    key = read_key(built / "key.json")
    assert {i["systems"][0]["system"] for i in key["items"].values()} == {
        "loud-rules",
        "quiet-nets",
    }
    telling = [b"loud-rules", b"quiet-nets", b"my-mash", str(built.parent).encode()]
    telling.append(key["secret"].encode())
    served = [path for path in (built / "page").rglob("*") if path.is_file()]
    assert len(served) == 8
    for path in served:
        content = path.read_bytes()
        assert not any(word in content for word in telling), path
    excerpts = sorted((built / "page" / "audio").iterdir())
    assert [path.stem for path in excerpts] == sorted(key["items"])
    assert all(re.fullmatch(r"[0-9a-f]{16}\.flac", path.name) for path in excerpts)
    for path in excerpts:
        with soundfile.SoundFile(path) as file:
            assert not {k: v for k, v in file.copy_metadata().items() if k != "software"}
            assert (file.samplerate, file.channels, file.subtype) == (44100, 2, "PCM_16")
    # A server tells browsers when a file was written: systems are built one after the other.
    assert {path.stat().st_mtime for path in excerpts} == {0}


def test_names_depend_on_a_secret(tmp_path: Path, two_systems: list[Path]) -> None:
    keys = [build(Settings(tuple(two_systems)), tmp_path / name) for name in ("one", "two")]
    assert not set(keys[0]["items"]) & set(keys[1]["items"])


def test_building_again_keeps_names_until_there_are_ratings(
    built: Path, two_systems: list[Path], make_rating: Callable[..., Rating]
) -> None:
    before = read_key(built / "key.json")
    write_tone(two_systems[0] / "another.wav", 500)
    after = build(Settings(tuple(two_systems), listen_s=1, title="B"), built)
    assert set(before["items"]) < set(after["items"]) and after["test"] != before["test"]
    fewer = build(Settings((two_systems[1],)), built)
    assert [p.stem for p in (built / "page" / "audio").iterdir()] == list(fewer["items"])
    write_ratings(built / "ratings.csv", [make_rating()])
    with pytest.raises(ConfigError, match="holds ratings"):
        build(Settings((two_systems[1],)), built)
    assert read_key(built / "key.json") == fewer


def test_loud_and_soft_stereo_and_mono_become_alike(tmp_path: Path) -> None:
    made = [
        write_tone(tmp_path / "soft.wav", 300, level=0.01),
        write_tone(tmp_path / "loud.wav", 300, level=0.95, channels=2, seconds=9),
    ]
    for path in made:
        excerpt = excerpt_of(path, excerpt_s=6)
        assert excerpt.audio.shape == (2, 6 * RATE)
        loudness = integrated_lufs(step_powers(excerpt.audio, RATE))
        assert loudness == pytest.approx(-23, abs=0.05)
        assert np.abs(excerpt.audio[:, [0, -1]]).max() == 0


def test_the_middle_is_heard(tmp_path: Path) -> None:
    silence = np.zeros((1, 3 * RATE), np.float32)
    path = tmp_path / "late.wav"
    write_sound(path, np.concatenate([silence, tone(300, seconds=6), silence], axis=1), RATE)
    excerpt = excerpt_of(path, excerpt_s=6)
    assert excerpt.start_s == 3
    original = read_audio(path, start_s=3.2, duration_s=5)[0][0]
    ours = excerpt.audio[0, round(0.2 * RATE) : round(5.2 * RATE)]
    assert np.corrcoef(original, ours)[0, 1] > 0.9999


def test_peaks_that_the_loudness_would_clip_are_limited(tmp_path: Path) -> None:
    clicks = np.zeros((1, 6 * RATE), np.float32)
    clicks[0, RATE // 2 :: RATE] = 0.9
    clicks += tone(300, seconds=6, level=0.0005)
    write_sound(tmp_path / "clicks.wav", clicks, RATE)
    excerpt = excerpt_of(tmp_path / "clicks.wav", excerpt_s=6)
    assert np.abs(excerpt.audio).max() <= 10 ** (-1 / 20)


def test_what_cannot_be_used_is_a_line_each(
    tmp_path: Path, two_systems: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = two_systems[0]
    (folder / "broken.wav").write_bytes(b"RIFF nothing")
    write_tone(folder / "short.wav", 300, seconds=4)
    write_tone(folder / "silent.wav", 300, level=0)
    key = build(Settings((folder,)), tmp_path / "out")
    assert [item["name"] for item in key["items"].values()] == ["my-mash"]
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3 and all(line.startswith("warning: left out: ") for line in lines)
    assert "4.0 s long" in "".join(lines) and "silent" in "".join(lines)
    (folder / "my-mash.wav").unlink()
    with pytest.raises(AudioError, match="none of 3 pieces"):
        build(Settings((folder,)), tmp_path / "out")


def test_collections_keep_kinds_and_originals_are_one_system(tmp_path: Path) -> None:
    first = collection(
        tmp_path / "first",
        [
            {
                "kind": "best",
                "audio": "x",
                "hz": 200,
                "scores": {"alignnet": 0.9, "keytempo": 2, "lost": None},
            },
            {"kind": "worst", "audio": "y", "hz": 250},
            {"kind": "original", "audio": "o", "hz": 300},
            {"kind": "original", "audio": "o", "hz": 300},
            # another Scorer chose the first one too: heard once, counts for both
            {"kind": "top", "audio": "x", "hz": 200, "system": "keytempo", "scores": {"c": 0}},
        ],
    )
    second = collection(tmp_path / "second", [{"kind": "original", "audio": "p", "hz": 300}])
    key = build(Settings((first, second)), tmp_path / "out")
    by_name = {item["name"]: item for item in key["items"].values()}
    assert sorted(by_name) == ["o", "x", "y"]
    chosen_by = [(c["system"], c["kind"], c["rank"]) for c in by_name["x"]["systems"]]
    assert chosen_by == [("alignnet", "best", 1), ("keytempo", "top", 5)]
    assert by_name["x"]["scores"] == {"alignnet": 0.9, "keytempo": 0.5, "c": 0}
    assert by_name["y"]["scores"] == {"alignnet": 0.5, "keytempo": 1.5}
    assert [c["system"] for c in by_name["o"]["systems"]] == ["original"]
    assert "original" not in by_name["o"]["scores"]


def test_two_techniques_of_one_scorer_are_two_systems(tmp_path: Path) -> None:
    folders = [
        collection(tmp_path / name, [{"kind": "best", "audio": name, "hz": hz}])
        for name, hz in (("tempo", 200), ("structure", 220))
    ]
    assert {s.system for s in stimuli_of(folders)} == {"alignnet (tempo)", "alignnet (structure)"}


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    for parent in ("a", "b"):
        write_tone(tmp_path / parent / "mixes" / "x.wav", 200)
    with pytest.raises(ConfigError, match="both called 'mixes'"):
        stimuli_of([tmp_path / "a" / "mixes", tmp_path / "b" / "mixes"])


def test_a_draw_takes_all_kinds_in_turn_and_depends_on_the_seed() -> None:
    pieces = {
        f"{kind}{n:02d}": [Stimulus("s", kind, n, "x", Path("x"))]
        for kind in ("best", "worst")
        for n in range(20)
    }
    found = drawn(pieces, 6, seed=0)
    assert sorted(name[:-2] for name in found) == ["best"] * 3 + ["worst"] * 3
    assert found == drawn(dict(reversed(pieces.items())), 6, seed=0)
    assert found != drawn(pieces, 6, seed=1)
    assert drawn(pieces, 50, seed=0) == pieces
    # What another system chose as well counts for both, whoever it was drawn for.
    pieces["best00"].append(Stimulus("t", "top", 1, "x", Path("x")))
    both = drawn(pieces, 2, seed=0)["best00"]
    assert [claim.system for claim in both] == ["s", "t"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "build|serve|What|what"),
        (["biuld"], "Did you mean 'build'"),
        (["build"], "systems=…, out=… must be given"),
        (["build", "systems=a", "out=b", "seed"], "not key=value"),
        (["build", "systems=a", "out=b", "excerpts=3"], "Did you mean 'excerpt_s'"),
        (["build", "systems=a", "out=b", "excerpt_s=2"], "5 or more"),
        (["build", "systems=a", "out=b", "excerpt_s=nan"], "expected a number"),
        (["build", "systems=a", "out=b", "per_system=1.5"], "whole number"),
        (["build", "systems=[nowhere]", "out=b"], "no folder nowhere"),
        (["serve", "folder=nowhere"], "nowhere"),
        (["analyse", "ratings=nowhere/ratings.csv"], "nowhere"),
        (["collect", "ratings=nowhere.csv", "out=/proc/x/ratings.csv"], "/proc/x"),
    ],
)
def test_wrong_commands_are_one_error(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, DatabaseError), match=said):
        program.main(arguments)


def test_the_command_builds(
    tmp_path: Path, two_systems: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    systems = ",".join(map(str, two_systems))
    out = tmp_path / "test"
    program.main(["build", f"systems=[{systems}]", f"out={out}", "excerpt_s=5", "title=Mash"])
    assert "2 clips: loud-rules 1, quiet-nets 1" in capsys.readouterr().out
    assert read_test(out)["title"] == "Mash"
    assert [item["duration_s"] for item in read_test(out)["items"]] == [5, 5]
    assert "Mash" in (out / "page" / "index.html").read_text()


def test_a_folder_that_is_served_is_not_changed(built: Path, two_systems: list[Path]) -> None:
    lock = folder_lock(built)
    with pytest.raises(DatabaseError, match="another process"):
        build(Settings(tuple(two_systems)), built)
    os.close(lock)
    (built / "key.json").write_text(json.dumps({"secret": 3})[:5])
    with pytest.raises(DatabaseError, match="damaged"):
        build(Settings(tuple(two_systems)), built)
