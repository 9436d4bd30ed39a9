"""What one half of a clip says of the whole: lines by hand, and estimates that are kept."""

import numpy as np
import pytest

from mashnet.audio.annotate import Annotation
from mashnet.evaluation.subjects.apart import ApartFacts, extrapolated
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts
from tests.phrase_songs import phrase_database

FACTS = SongFacts("a song", 10.0, key=Key(3, "minor"), tempo_bpm=99.0)


def half(beats, downbeats, metre=4, key=(0, "major")):
    return {
        "beats": list(beats),
        "downbeats": list(downbeats),
        "beats_per_bar": metre,
        "key": list(key) if key else None,
    }


def test_a_line_goes_on_both_ways():
    # 120 bpm in seconds 5 to 10, from 5.2 on; the bar begins at the second beat, 5.7.
    found = extrapolated(FACTS, half(np.arange(5.2, 10, 0.5), [5.7, 7.7, 9.7]))
    assert found.beats_s == pytest.approx(np.arange(0.2, 10, 0.5))
    assert found.downbeats_s == pytest.approx([1.7, 3.7, 5.7, 7.7, 9.7])
    assert found.tempo_bpm == pytest.approx(120)
    assert found.key == Key(0, "major")
    assert found.duration_s == 10.0


def test_a_beat_off_the_line_does_not_bend_it():
    beats = np.arange(0.2, 5, 0.5)
    beats[4] += 0.1
    found = extrapolated(FACTS, half(beats, [0.2, 2.2, 4.2]))
    assert found.beats_s == pytest.approx(np.arange(0.2, 10, 0.5), abs=1e-6)


@pytest.mark.parametrize(
    "found", [half([], []), half([1, 2, 3], [1]), half([1, 2, 3, 4, 5], []), half(range(6), [1], 0)]
)
def test_too_little_says_nothing(found):
    assert extrapolated(FACTS, found) is None


def test_no_key_is_no_key():
    assert extrapolated(FACTS, half(np.arange(0, 5, 0.5), [0.0, 2.0], key=None)).key is None


def test_halves_are_estimated_once_and_kept(tmp_path, monkeypatch):
    database = phrase_database(tmp_path / "db", songs=1)
    (clip,) = database.clip_rows
    lengths = []

    def estimated(audio, sample_rate):
        lengths.append(audio.shape[1] / sample_rate)
        beats = tuple(np.arange(0.0, lengths[-1], 0.5).tolist())
        return Annotation(
            tempo_bpm=120.0,
            beats=beats,
            downbeats=beats[::4],
            beats_per_bar=4,
            key=Key(7, "major"),
            key_confidence=0.5,
        )

    monkeypatch.setattr("mashnet.evaluation.subjects.apart.annotate", estimated)
    first, second = ApartFacts(database).of([clip])[clip]
    duration_s = database.clip_rows[clip]["duration_s"]
    assert lengths == pytest.approx([duration_s / 2] * 2, abs=1e-3)
    assert first.beats_s[0] == pytest.approx(0.0)
    # The second half has its first beat, a downbeat, in the middle of the clip.
    nearest = min(second.downbeats_s, key=lambda t: abs(t - duration_s / 2))
    assert nearest == pytest.approx(duration_s / 2, abs=1e-3)
    assert ApartFacts(database).of([clip])[clip] == (first, second)
    assert len(lengths) == 2


def test_a_stem_that_cannot_be_read_says_nothing(tmp_path):
    database = phrase_database(tmp_path / "db", songs=1)
    (clip,) = database.clip_rows
    (database.root / f"audio/{clip}/vocal.flac").write_bytes(b"no sound")
    assert ApartFacts(database).of([clip])[clip] == (None, None)
