import json
from pathlib import Path

import pytest
import soundfile

from data_pipelines.mashupdb.lengths import UnusableError, begun_together
from data_pipelines.mashupdb.stage import build
from data_pipelines.sources.song import Known, RawSong, RawStem
from mashnet.audio.io import read_audio

RATE_HZ = 22050


def asked(lengths: list[float], mixes: tuple[Path, ...] = (), tempo_bpm: float | None = None):
    """Return the lengths of the stems that are kept, and what is said: (of what, stage, why)."""
    stems = [RawStem(path=Path(f"s{i}.wav"), kind="", label="") for i in range(len(lengths))]
    words = dict.fromkeys(("title", "artist", "source", "license", "group"), "")
    song = RawSong(origin="song", **words, mixes=mixes, known=Known(tempo_bpm=tempo_bpm))
    rejects: list[dict[str, str]] = []
    kept = begun_together(song, stems, lengths, rejects)
    said = [(row["input"], row["stage"], row["reason"]) for row in rejects]
    return [lengths[index] for index in kept], said


def test_stems_that_end_early_are_silent_to_the_end_and_named_in_one_line(
    make, tmp_path, quick_tracker
):
    folder = make.song(tmp_path / "in" / "song", names=("drums",))
    soundfile.write(folder / "bass.wav", make.sound(1, duration_s=8.0), RATE_HZ)
    soundfile.write(folder / "other.wav", make.sound(2, duration_s=9.5), RATE_HZ)
    database = build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    assert database.clips["duration_s"].to_list() == [12.0]
    assert set(database.stems["label"]) == {"drums", "bass", "other"}
    for label, ends_s in (("bass", 8.0), ("other", 9.5), ("drums", 12.0)):
        row = database.stems.filter(label=label).row(0, named=True)
        audio, rate = read_audio(database.audio_path(row["stem_id"]))
        assert audio.shape == (1, 12 * rate)
        assert audio[:, : round((ends_s - 0.1) * rate)].std() > 0.01
        assert not audio[:, round((ends_s + 0.1) * rate) :].any()
    ends = "bass.wav from 8.0 s, other.wav from 9.5 s"
    reason = f"stems that end early are silent to the end, at 12.0 s: {ends}"
    assert database.rejects.rows() == [(str(folder), "length", reason)]


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ([12.0, 12.4, 12.0], 3),  # not worth a word
        ([180.0, 178.7, 179.2], 3),  # MoisesDB
        ([30.0, 180.0, 180.0, 12.0], 4),
        ([180.0, 180.0, 60.0, 60.0], 4),  # two go on: that is the song
        ([170.0, 200.0], 2),  # a vocal, and music with an outro
    ],
)
def test_what_may_have_begun_together_is_used(lengths, kept):
    assert len(asked(lengths)[0]) == kept


@pytest.mark.parametrize(
    ("lengths", "left_out"),
    [([12.0, 12.4, 12.0, 30.0], {30.0}), ([12.0, 12.0, 12.0, 30.0, 31.0], {30.0, 31.0})],
)
def test_what_goes_on_long_after_most_others_is_left_out_with_a_word(lengths, left_out):
    kept, said = asked(lengths)
    assert set(lengths) - set(kept) == left_out
    assert {what for what, _, _ in said} == {f"s{lengths.index(length)}.wav" for length in left_out}
    assert all("of another song?" in reason for _, _, reason in said)


def test_of_two_that_are_far_apart_neither_is_chosen():
    with pytest.raises(UnusableError) as error:
        asked([12.0, 30.0])
    assert error.value.args == ("stems", "its stems differ in length: 12.0, 30.0 s")


@pytest.mark.parametrize(("tempo_bpm", "words"), [(60.0, 0), (120.0, 1), (None, 1)])
def test_more_than_a_bar_alone_is_said(tempo_bpm, words):
    """At 60 bpm a bar lasts 4 s, at 120 bpm 2 s; with no tempo known, 3 s are taken."""
    kept, said = asked([20.0, 20.0, 23.5], tempo_bpm=tempo_bpm)
    assert len(kept) == 3
    alone = [reason for _, _, reason in said if "goes on alone after 20.0 s, to 23.5 s" in reason]
    assert len(alone) == words


def test_the_mix_tells_how_long_the_song_is(make, tmp_path):
    """Beyond it by a bar, a stem is another song's; within it, two stems may be far apart."""
    mix = tmp_path / "mix.wav"
    soundfile.write(mix, make.sound(0, duration_s=30.0), RATE_HZ)
    assert asked([12.0, 30.0], (mix,))[0] == [12.0, 30.0]
    kept, said = asked([28.0, 30.0, 34.0], (mix,))
    assert kept == [28.0, 30.0]
    assert said[0] == (
        "s2.wav",
        "stems",
        "lasts 34.0 s where the song's mix lasts 30.0 s: of another song?",
    )
    assert asked([200.0, 201.0, 29.0], (mix,))[0] == [200.0, 201.0, 29.0]  # a mix of another song


def test_the_pipeline_hears_of_the_mix(make, tmp_path, quick_tracker):
    folder = make.song(tmp_path / "in" / "song", names=("vocals",))
    for name in ("drums", "mix"):
        soundfile.write(folder / f"{name}.wav", make.sound(3, duration_s=30.0), RATE_HZ)
    database = build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    assert database.stems.height == 2
    assert database.clips["duration_s"].to_list() == [30.0]


def test_a_song_that_was_rejected_for_its_lengths_is_done_again(make, tmp_path, quick_tracker):
    """Records of earlier versions hold what is no reason any more; others stay valid."""
    make.song(tmp_path / "in" / "song")
    build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    (record,) = (tmp_path / "db" / "cache" / "songs").iterdir()
    rows = json.loads(record.read_text("utf-8"))
    del rows["version"]
    record.write_text(json.dumps(rows), "utf-8")
    before = record.stat().st_mtime_ns
    build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    assert record.stat().st_mtime_ns == before
    reason = "lasts 8.0 s where the other stems last 12.0 s"
    rows["rejects"] = [{"input": "bass.wav", "stage": "stems", "reason": reason}]
    record.write_text(json.dumps(rows), "utf-8")
    assert build(make.pipeline(tmp_path / "in", tmp_path / "db")).rejects.is_empty()
