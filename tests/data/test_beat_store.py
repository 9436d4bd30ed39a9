"""Sides in beat time on disk: what the frontend reads of the sum of stems, computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mashnet.audio.beat_features import SAMPLE_RATE, BeatFrontend
from mashnet.audio.io import read_audio, write_flac
from mashnet.data import embedding_store
from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases import beat_store
from mashnet.data.phrases.beat_store import BeatStore, Side
from mashnet.data.phrases.pairs import music_side, pairs_of, vocal_side
from tests.metronome import RATE, MetronomeDB, stem_id

DURATION_S = 9.0


@pytest.fixture
def songs(tmp_path: Path) -> MetronomeDB:
    collected = MetronomeDB(tmp_path / "db")
    collected.add(tempo_bpm=100, tonic=2, duration_s=DURATION_S, tuning_cents=20.0)
    collected.add(tempo_bpm=120, tonic=0, duration_s=DURATION_S)
    collected.clips[0]["tuning_confidence"] = 0.9
    return collected


def sides_of(database: MashupDB) -> list[Side]:
    return [
        side
        for clip in sorted(database.clip_rows)
        for side in (vocal_side(database, clip), music_side(database, clip))
        if side
    ]


class Counted:
    """Stands for what encodes a side, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._real = beat_store._encode
        monkeypatch.setattr(beat_store, "_encode", self)

    def __call__(self, job: tuple) -> np.ndarray | str:
        self.count += 1
        return self._real(job)

    def taken(self) -> int:
        """Return how many were encoded since the last question."""
        count, self.count = self.count, 0
        return count


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def wave(database: MashupDB, clip: str, role: str) -> torch.Tensor:
    path = database.audio_path(stem_id(clip, role))
    return torch.from_numpy(read_audio(path, sample_rate=SAMPLE_RATE, mono=True)[0])


def test_what_is_kept_is_what_the_frontend_reads_of_the_sum(songs: MetronomeDB) -> None:
    database = songs.write()
    store = BeatStore(database)
    found = store.read(sides_of(database))
    assert len(found) == 4
    for clip, cents in zip(database.clip_rows, (20.0, 0.0), strict=True):
        bars = store.bars(clip)
        assert bars is not None
        harmonic, percussion = wave(database, clip, "harmonic"), wave(database, clip, "percussion")
        with torch.inference_mode():
            expected = BeatFrontend()(harmonic, harmonic + percussion, bars.times_s, cents)[0]
        side = music_side(database, clip)
        assert side is not None
        kept = found[side]
        assert kept.whole.tolist() == bars.whole.tolist() and kept.whole.sum() >= 3
        for name in ("onsets", "pitches", "level", "brightness"):
            one, other = getattr(kept.features, name), getattr(expected, name)
            assert one.shape == other.shape
            assert torch.allclose(one, other, atol=1e-5), name


def test_what_was_read_once_is_not_computed_again(songs: MetronomeDB, counted: Counted) -> None:
    database = songs.write()
    first = BeatStore(database).read(sides_of(database))
    assert counted.taken() == 4
    again = BeatStore(database).read(sides_of(database))
    assert counted.taken() == 0
    for side, kept in first.items():
        assert torch.equal(again[side].features.pitches, kept.features.pitches)
    # A few of them, and then all: nothing was forgotten in between.
    BeatStore(database).read(sides_of(database)[:1])
    BeatStore(database).read(sides_of(database))
    assert counted.taken() == 0


def test_sides_of_new_songs_are_appended(songs: MetronomeDB, counted: Counted) -> None:
    database = songs.write()
    BeatStore(database).read(sides_of(database))
    before = set(database.root.glob("cache/beats/*/*.npy"))
    counted.taken()
    songs.add(tempo_bpm=90, duration_s=DURATION_S, beats_per_bar=3)
    songs.add(tempo_bpm=130, duration_s=DURATION_S)
    database = songs.write()
    found = BeatStore(database).read(sides_of(database))
    assert counted.taken() == 4 and len(found) == 8
    after = set(database.root.glob("cache/beats/*/*.npy"))
    assert before < after and len({path.parent for path in after}) == 2  # a folder per metre


@pytest.mark.parametrize("changed", ["beats", "tuning", "sound", "key", "title"])
def test_a_song_is_computed_anew_when_what_it_depends_on_changes(
    songs: MetronomeDB, counted: Counted, changed: str
) -> None:
    database = songs.write()
    BeatStore(database).read(sides_of(database))
    counted.taken()
    clip = songs.clips[0]
    if changed == "beats":
        clip["beats"] = [time + 0.01 for time in clip["beats"]]
        clip["downbeats"] = [time + 0.01 for time in clip["downbeats"]]
    elif changed == "tuning":
        clip["tuning_cents"] = -10.0
    elif changed == "sound":
        path = database.audio_path(stem_id(clip["clip_id"], "vocal"))
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, round(DURATION_S * RATE)))
        write_flac(path, noise.astype(np.float32), RATE)
    elif changed == "key":  # pitches are read relative to it when phrases are cut
        clip["key_tonic"] = 7
    else:
        clip["title"] = "another"
    database = songs.write()
    BeatStore(database).read(sides_of(database))
    # Both sides have the beats and the tuning, and only the vocal has its sound.
    assert counted.taken() == {"beats": 2, "tuning": 2, "sound": 1, "key": 0, "title": 0}[changed]


def test_features_of_another_version_are_made_anew(
    songs: MetronomeDB, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = songs.write()
    BeatStore(database).read(sides_of(database))
    (old,) = database.root.glob("cache/beats/*")
    counted.taken()
    monkeypatch.setattr(beat_store, "FEATURES_VERSION", beat_store.FEATURES_VERSION + 1)
    assert len(BeatStore(database).read(sides_of(database))) == 4
    assert counted.taken() == 4
    assert not old.exists() and len(list(database.root.glob("cache/beats/*"))) == 1


def test_a_damaged_block_is_made_anew(
    songs: MetronomeDB, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_store, "_MOST_ROWS", 2)
    database = songs.write()
    first = BeatStore(database).read(sides_of(database))
    path = min(database.root.glob("cache/beats/*/*.npy"))
    path.write_bytes(path.read_bytes()[:-100])
    counted.taken()
    again = BeatStore(database).read(sides_of(database))
    assert counted.taken() == 2
    for side, kept in first.items():
        assert torch.equal(again[side].features.onsets, kept.features.onsets)


def test_a_run_that_was_killed_goes_on(songs: MetronomeDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_store, "_MOST_ROWS", 1)
    database = songs.write()
    real, asked = beat_store._encode, []

    def killed(job: tuple) -> np.ndarray | str:
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(job)
        return real(job)

    monkeypatch.setattr(beat_store, "_encode", killed)
    with pytest.raises(KeyboardInterrupt):
        BeatStore(database).read(sides_of(database))
    asked.clear()
    assert len(BeatStore(database).read(sides_of(database))) == 4
    assert len(asked) == 1  # three had been written


def test_a_stem_that_cannot_be_read_is_reported_until_it_is_mended(songs: MetronomeDB) -> None:
    database = songs.write()
    clip = min(database.clip_rows)
    vocal = vocal_side(database, clip)
    assert vocal is not None
    path = database.audio_path(vocal.stem_ids[0])
    sound = path.read_bytes()
    path.write_bytes(b"no sound")
    store = BeatStore(database)
    found = store.read(sides_of(database))
    assert len(found) == 3 and vocal not in found
    assert set(store.unreadable) == {vocal} and "decoded" in store.unreadable[vocal]
    path.unlink()
    assert vocal not in BeatStore(database).read(sides_of(database))
    path.write_bytes(sound)
    assert vocal in store.read(sides_of(database)) and store.unreadable == {}


def test_clips_without_bars_have_nothing_to_be_read(songs: MetronomeDB) -> None:
    clip = songs.add(duration_s=DURATION_S, beats=[], downbeats=[])
    database = songs.write()
    store = BeatStore(database)
    assert store.bars(clip) is None
    assert clip not in {side.clip_id for side in store.read(sides_of(database))}
    assert store.read([]) == {}


def test_a_vocal_leads_its_music_and_a_stem_with_a_pitch_all_others(songs: MetronomeDB) -> None:
    database = songs.write()
    clip = min(database.clip_rows)
    pairs = {(pair.lead.stem_ids, pair.backing.stem_ids) for pair in pairs_of(database, clip)}
    vocal, harmonic, percussion = (
        stem_id(clip, role) for role in ("vocal", "harmonic", "percussion")
    )
    assert pairs == {
        ((vocal,), tuple(sorted((harmonic, percussion)))),
        ((harmonic,), tuple(sorted((vocal, percussion)))),
    }


def test_progress_is_told_of_what_is_not_there_yet(songs: MetronomeDB) -> None:
    database, told = songs.write(), []

    def store() -> BeatStore:
        return BeatStore(database, progress=lambda done, total: told.append((done, total)))

    sides = sides_of(database)
    assert len(store().read(sides[:2])) == 2
    assert told == [(1, 2), (2, 2)]
    assert len(store().read(sides[:3])) == 3
    assert told[2:] == [(1, 1)]
