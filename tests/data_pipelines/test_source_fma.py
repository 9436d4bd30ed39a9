"""FMA in the layout of its archives: tracks.csv with its headings, fma_full/000/000002.mp3."""

import csv
from pathlib import Path

import polars as pl
import pytest
import soundfile

from data_pipelines.mashupdb.stage import build
from data_pipelines.separation.recordings import with_stems
from data_pipelines.sources.fma import find
from data_pipelines.sources.song import RawSong, Reject
from mashnet.errors import ConfigError, MashnetError
from mashnet.execution.local import LocalExecutor

# Some of the 52 columns of tracks.csv, in their order; names alone do not tell them apart.
HEADINGS = [
    ("", ""),
    ("album", "id"), ("album", "title"), ("artist", "bio"), ("artist", "id"), ("artist", "name"),
    ("set", "split"), ("set", "subset"), ("track", "duration"), ("track", "genre_top"),
    ("track", "license"), ("track", "listens"), ("track", "title"),
]  # fmt: skip
TRACK = {
    ("album", "id"): "1",
    ("album", "title"): "AWOL - A Way Of Life",
    ("artist", "bio"): '<p>A Way Of Life,\nA Collective of "Hip-Hop" from New Jersey</p>',
    ("artist", "id"): "1",
    ("artist", "name"): "AWOL",
    ("set", "split"): "training",
    ("set", "subset"): "small",
    ("track", "duration"): "168",
    ("track", "genre_top"): "Hip-Hop",
    ("track", "license"): "Attribution-NonCommercial-ShareAlike 3.0 International",
    ("track", "listens"): "1293",
    ("track", "title"): "Food",
}


def write_fma(root: Path, tracks: dict[int, dict], audio: str = "fma_full", make=None) -> Path:
    """Write tracks.csv and, where `make` is given, an MP3 of 12 s for each track."""
    (root / "fma_metadata").mkdir(parents=True)
    with (root / "fma_metadata" / "tracks.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        for part in (0, 1):
            lines.writerow([heading[part] for heading in HEADINGS])
        lines.writerow(["track_id", *[""] * (len(HEADINGS) - 1)])
        for track_id, changed in tracks.items():
            row = TRACK | changed
            lines.writerow([track_id, *(row[heading] for heading in HEADINGS[1:])])
    (root / audio).mkdir()
    for track_id in tracks if make else ():
        name = f"{track_id:06d}"
        (root / audio / name[:3]).mkdir(exist_ok=True)
        soundfile.write(root / audio / name[:3] / f"{name}.mp3", make.sound(track_id), 22050)
    return root


def found(config) -> tuple[list[RawSong], list[Reject]]:
    items = with_stems(list(find(config)), config, LocalExecutor(1))
    return [i for i in items if isinstance(i, RawSong)], [i for i in items if isinstance(i, Reject)]


def test_tracks_become_clips_with_their_own_licence(make, tmp_path, quick_tracker, quick_separator):
    changed = {
        2: {},
        5: {("track", "title"): "", ("set", "split"): "test", ("artist", "id"): "2"},
        100010: {("set", "split"): "validation", ("track", "license"): "CC0 1.0 Universal"},
    }
    root = write_fma(tmp_path / "fma", changed, make=make)
    database = build(make.pipeline(root, tmp_path / "db", source="fma"))
    assert database.rejects.height == 0
    rows = database.clips.select("title", "artist", "split", "license").rows()
    nc = TRACK["track", "license"]
    assert set(rows) == {
        ("Food", "AWOL", "train", nc),
        ("000005", "AWOL", "test", nc),
        ("Food", "AWOL", "val", "CC0 1.0 Universal"),
    }
    assert quick_separator == ["000002.mp3", "000005.mp3", "100010.mp3"]
    assert set(database.stems["role"]) == {"vocal", "harmonic", "percussion"}
    assert set(database.clips["source"]) == {"fma"}


def test_an_archive_of_clips_has_the_tracks_of_its_subset(make, tmp_path, quick_separator, capsys):
    changed = {
        n: {("set", "subset"): name} for n, name in ((1, "small"), (2, "medium"), (3, "large"))
    }
    root = write_fma(tmp_path / "fma", changed, "fma_medium", make)
    (root / "fma_medium" / "000" / "000002.mp3").write_bytes(b"no music")
    (root / "fma_medium" / "000" / "000001.mp3").unlink()
    config = make.pipeline(root, tmp_path / "db", "source.audio=fma_medium", source="fma")
    songs, rejects = found(config)
    assert songs == []
    assert "2 tracks chosen, 1 of them" in capsys.readouterr().out
    absent, damaged = rejects
    assert absent.reason == "lacks 1 of the tracks that were chosen: 000001"
    assert damaged.stage == "separate" and "cannot be decoded" in damaged.reason


def test_splits_are_the_official_ones_or_by_artist(make, tmp_path, quick_separator):
    root = write_fma(tmp_path / "fma", {2: {}, 3: {("set", "split"): ""}}, make=make)
    songs, _ = found(make.pipeline(root, tmp_path / "db", source="fma"))
    assert [song.splits for song in songs] == [("train",), ("train", "val", "test")]
    config = make.pipeline(root, tmp_path / "db", "source.official_split=false", source="fma")
    assert {song.splits for song in found(config)[0]} == {("train", "val", "test")}
    assert {song.group for song in songs} == {"1"}


def test_the_choice_of_the_study(make, tmp_path, quick_separator):
    """Major, within two semitones of C, 184–194 s, of a popular genre; each row but two fails."""
    fits = {("track", "duration"): "189", ("track", "genre_top"): "Rock"}
    rows = {
        10: ("D Major", {}),
        11: ("Bb Major", {("track", "duration"): "184"}),
        12: ("C minor", {}),
        13: ("D# Major", {}),
        14: ("A Major", {}),
        15: (None, {}),
        16: ("C Major", {("track", "duration"): "183"}),
        17: ("C Major", {("track", "duration"): "195"}),
        18: ("C Major", {("track", "genre_top"): ""}),
        19: ("C Major", {("track", "genre_top"): "Instrumental"}),
        20: ("C Major", {("track", "title"): "Futurey Gamey"}),
    }
    tracks = {number: fits | changed for number, (_, changed) in rows.items()}
    root = write_fma(tmp_path / "fma", tracks, make=make)
    keys = [f"{number},spotify:track:x,{key}" for number, (key, _) in rows.items() if key]
    lines = ["track_id,spotify_uri,key_and_mode", *keys, "21,spotify:track:x,H Major"]
    (root / "fma_metadata" / "keys.csv").write_text("\n".join(lines))
    songs, rejects = found(make.pipeline(root, tmp_path / "db", source="fma_automashup"))
    assert [Path(song.origin).stem for song in songs] == ["000010", "000011"]
    assert [song.known.key for song in songs] == ["D Major", "Bb Major"]
    (reject,) = rejects
    assert "'H Major' is not a key" in reject.reason


def test_exact_keys_win(make, tmp_path, quick_tracker, quick_separator):
    root = write_fma(tmp_path / "fma", {2: {}}, make=make)
    (root / "keys.csv").write_text("track_id,key_and_mode\n2,F# minor\n")
    config = make.pipeline(root, tmp_path / "db", "source.key_file=keys.csv", source="fma")
    clip = build(config).clips.select("key_tonic", "key_mode", "key_confidence")
    assert clip.equals(pl.DataFrame([(6, "minor", 1.0)], schema=clip.schema, orient="row"))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (["source.audio=fma_large"], MashnetError, "source.audio: .*fma_large does not exist"),
        (["source.select.near_key=C major"], ConfigError, "near_key needs source.key_file"),
        (["source.select.near_key=H major"], ConfigError, "near_key: 'H major' is not a key"),
        (["source.key_file=keys.csv"], MashnetError, "source.key_file: .*keys.csv cannot be read"),
        (["source.key_file=fma_metadata/tracks.csv"], MashnetError, "has no column 'key_and_mode'"),
        (["source.select.without_genres=[Hip-Hop]"], MashnetError, "no track is what"),
    ],
)
def test_what_cannot_be_is_one_line(make, tmp_path, settings, error, message):
    root = write_fma(tmp_path / "fma", {2: {}})
    with pytest.raises(error, match=message):
        list(find(make.pipeline(root, tmp_path / "db", *settings, source="fma")))


@pytest.mark.parametrize("content", ["", "a,b\nc,d\n", ",track\n,title\ntrack_id,\n2,x\n"])
def test_another_table_is_named(make, tmp_path, content):
    root = write_fma(tmp_path / "fma", {2: {}})
    (root / "fma_metadata" / "tracks.csv").write_text(content)
    with pytest.raises(MashnetError, match="tracks.csv: cannot be read as FMA's table.*no column"):
        list(find(make.pipeline(root, tmp_path / "db", source="fma")))
    whole = write_fma(tmp_path / "whole", {2: {}, 3: {}}) / "fma_metadata" / "tracks.csv"
    (root / "fma_metadata" / "tracks.csv").write_text(whole.read_text()[:-40])
    with pytest.raises(MashnetError, match="tracks.csv: cannot be read.* is cut off"):
        list(find(make.pipeline(root, tmp_path / "db", source="fma")))
    (root / "fma_metadata" / "tracks.csv").unlink()
    with pytest.raises(MashnetError, match="tracks.csv: cannot be read"):
        list(find(make.pipeline(root, tmp_path / "db", source="fma")))
