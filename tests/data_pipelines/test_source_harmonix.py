"""The Harmonix Set in the layout of its repository, and recordings beside it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_pipelines.mashupdb.stage import build
from data_pipelines.separation.recordings import with_stems
from data_pipelines.sources.harmonix import clip_parts, find, read_beats, read_segments
from data_pipelines.sources.song import RawSong, Reject
from mashnet.errors import ConfigError, MashnetError
from mashnet.execution.local import LocalExecutor
from mashnet.music.sections import Section

RATE_HZ = 22050
BEAT_S = 0.5
# As in the set: a line a section, then "end"; the second verse begins 3 ms before its downbeat.
SEGMENTS = [
    (0.0, "intro"), (4.0, "verse"), (15.997, "verse"), (26.0, "prechorus"), (28.0, "chorus"),
    (40.0, "quiet"), (44.0, "chorus2"), (50.0, "end"),
]  # fmt: skip
DURATION_S = 52.0


def write_set(root: Path, name: str = "0001_12step") -> Path:
    """Write metadata.csv and the annotations of a song of 26 bars of two seconds."""
    dataset = root / "dataset"
    for folder in ("beats_and_downbeats", "segments"):
        (dataset / folder).mkdir(parents=True, exist_ok=True)
    (dataset / "metadata.csv").write_text(
        "File,Title,Artist,Release,Duration,BPM,Ratio Bars in 4,Time Signature,Genre,"
        "MusicBrainz Id,Acoustid Id\n"
        f'{name},"1, 2 Step",Ciara,Goodies,{DURATION_S},120,100.0,4|4,R&B,0408655f,4708e4ae\n'
        "0003_6foot7foot,6 Foot 7 Foot,Lil Wayne,Tha Carter IV,157.347,84,100.0,4|4,Hip-Hop,,\n"
    )
    beats = [
        f"{BEAT_S * beat}\t{beat % 4 + 1}\t{beat // 4 + 1}" for beat in range(int(50 / BEAT_S))
    ]
    (dataset / "beats_and_downbeats" / f"{name}.txt").write_text("\n".join(beats) + "\n")
    lines = [f"{time_s} {label}" for time_s, label in SEGMENTS]
    (dataset / "segments" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def root(make, tmp_path) -> Path:
    """Return the clone of the set; ../audio has a recording of its first song."""
    (tmp_path / "audio" / "pop").mkdir(parents=True)
    wave = make.sound(0, DURATION_S)
    soundfile.write(tmp_path / "audio" / "pop" / "0001_12step.mp3", wave, RATE_HZ)
    return write_set(tmp_path / "harmonixset")


def config_of(make, root: Path, *settings: str):
    where = f"source.audio={root.parent / 'audio'}"
    return make.pipeline(root, root.parent / "db", where, *settings, source="harmonix")


def found(config) -> tuple[list[RawSong], list[tuple[str, str]]]:
    items = with_stems(list(find(config)), config, LocalExecutor(1))
    rejects = [(Path(i.input).name, i.reason) for i in items if isinstance(i, Reject)]
    return [i for i in items if isinstance(i, RawSong)], rejects


def test_verses_and_choruses_become_clips_with_exact_beats(
    make, root, quick_tracker, quick_separator
):
    database = build(config_of(make, root))
    clips = database.clips.to_dicts()
    # The verses and the prechorus follow each other; the last chorus is too short for a clip.
    assert [(clip["section"], clip["duration_s"]) for clip in clips] == [
        ("verse", 24.0),
        ("chorus", 12.0),
    ]
    verse, chorus = clips
    assert verse["title"] == "1, 2 Step" and verse["artist"] == "Ciara"
    assert verse["beats"] == np.arange(0, 24, BEAT_S).tolist()
    assert verse["downbeats"] == chorus["downbeats"] + [12.0, 14.0, 16.0, 18.0, 20.0, 22.0]
    assert verse["tempo_bpm"] == pytest.approx(120.0) and verse["beats_per_bar"] == 4
    assert database.sections_of(verse["clip_id"]) == [
        Section(0.0, 12.0, "verse"),
        Section(12.0, 22.0, "verse"),
        Section(22.0, 24.0, "verse"),
    ]
    assert database.sections_of(chorus["clip_id"]) == [Section(0.0, 12.0, "chorus")]
    assert set(database.sections["origin"]) == {"annotated"}
    assert set(database.rejects.select("stage", "reason").rows()) == {
        ("sections", "the section name 'quiet' is not known, taken for a bridge"),
        ("clips", "its chorus from 44.0 to 50.0 s is shorter than clip.min_s=10"),
    }
    # The same command finds everything done; another choice of sections is another database.
    assert build(config_of(make, root)).clips.equals(database.clips)
    both = build(config_of(make, root, "source.clips=[verse]"))
    assert both.clips["section"].to_list() == ["verse"]
    assert set(both.sections["clip_id"]) == set(both.clips["clip_id"])


def test_long_parts_are_cut_on_downbeats(make, root, quick_tracker, quick_separator):
    database = build(config_of(make, root, "clip.max_s=20"))
    lengths = [clip["duration_s"] for clip in database.clips.to_dicts()]
    assert lengths == [12.0, 12.0, 12.0]
    labels = [
        [section.label for section in database.sections_of(clip_id)]
        for clip_id in database.clips["clip_id"]
    ]
    assert labels == [["verse"], ["verse", "verse"], ["chorus"]]


def test_other_recordings_are_named_and_left_out(make, root, quick_separator):
    audio = root.parent / "audio"
    soundfile.write(audio / "0003_6foot7foot.wav", make.sound(3), RATE_HZ)  # no annotations
    soundfile.write(audio / "0001_12step.flac", make.sound(4), RATE_HZ)
    soundfile.write(audio / "unknown.wav", make.sound(5), RATE_HZ)
    _, rejects = found(config_of(make, root))
    reasons = dict(rejects)  # the last of each file
    assert "its annotations cannot be used" in reasons["0003_6foot7foot.wav"]
    assert "is called like no File of metadata.csv" in reasons["unknown.wav"]
    assert "lasts 12.0 s and what was annotated 52.0 s" in reasons["0001_12step.flac"]
    assert "is another recording of 0001_12step" in reasons["0001_12step.mp3"]


def test_damaged_sound_is_a_reject(make, root, quick_separator):
    path = root.parent / "audio" / "pop" / "0001_12step.mp3"
    path.write_bytes(b"no music")
    songs, ((_, unknown), (name, reason)) = found(config_of(make, root))
    assert songs == [] and name == path.name and "cannot be decoded" in reason
    assert "the section name 'quiet' is not known" in unknown


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("beats_and_downbeats", "0.0\t1\t1\n0.5\n", "'0.5' is not a beat"),
        ("beats_and_downbeats", "0.5\t1\t1\n0.5\t2\t1\n", "not in order of time"),
        ("beats_and_downbeats", "", "fewer than two"),
        ("beats_and_downbeats", "-1.0\t1\t1\n0.5\t2\t1\n", "not ≥ 0 seconds"),
        ("beats_and_downbeats", "x\t1\t1\n", "could not convert"),
        ("segments", "0.0\n", "'0.0' is not a section"),
        ("segments", "4.0 verse\n0.0 chorus\n", "not in order of time"),
        ("segments", "0.0 intro\n52.0 end\n", "has no section that is verse or chorus"),
    ],
)
def test_spoiled_annotations_cost_their_song_only(
    make, root, quick_separator, file, content, reason
):
    (root / "dataset" / file / "0001_12step.txt").write_text(content)
    songs, ((_, why),) = found(config_of(make, root))
    assert songs == [] and reason in why


def test_neighbours_of_one_kind_are_one_part():
    sections = [
        Section(0, 4, "verse"), Section(4, 8, "verse"), Section(8, 9, "inst"),
        Section(9, 12, "verse"), Section(12, 20, "chorus"),
    ]  # fmt: skip
    assert clip_parts(sections, ["verse"]) == (Section(0, 8, "verse"), Section(9, 12, "verse"))
    assert clip_parts(sections, ["chorus", "inst"]) == (
        Section(8, 9, "inst"),
        Section(12, 20, "chorus"),
    )


def test_annotations_are_read_as_the_set_writes_them(root):
    dataset = root / "dataset"
    beats, downbeats = read_beats(dataset / "beats_and_downbeats" / "0001_12step.txt")
    assert len(beats) == 100 and downbeats == tuple(np.arange(0, 50, 2.0))
    sections, unknown = read_segments(dataset / "segments" / "0001_12step.txt", downbeats)
    assert unknown == ("quiet",)
    assert [section.label for section in sections] == [
        "intro", "verse", "verse", "verse", "chorus", "bridge", "chorus",
    ]  # fmt: skip
    assert sections[2].start_s == 16.0 and sections[-1].end_s == 50.0


def test_a_folder_that_is_not_the_set_is_one_line(make, root, tmp_path):
    with pytest.raises(MashnetError, match="holds no metadata.csv"):
        list(find(make.pipeline(tmp_path, tmp_path, "source.audio=x", source="harmonix")))
    with pytest.raises(MashnetError, match="source.audio: .* does not exist"):
        list(find(config_of(make, root, "source.audio=/nowhere")))
    with pytest.raises(ConfigError, match="must name some of"):
        list(find(config_of(make, root, "source.clips=[verses]")))
    (root / "dataset" / "metadata.csv").write_text("File,Title\n")
    with pytest.raises(MashnetError, match="has no column Artist, Duration"):
        list(find(config_of(make, root)))
