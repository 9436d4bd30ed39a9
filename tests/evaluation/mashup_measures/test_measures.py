"""Finished mashups of songs whose beats, keys and levels are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mashnet.audio.io import write_flac
from mashnet.audio.limiter import master
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.evaluation.mashup_measures.measures import MEASURES, measure
from mashnet.evaluation.mashup_measures.spectral_balance import long_term_spectrum_db
from mashnet.rendering.mashup import Mashup, render_mashup, render_original
from mashnet.rendering.songs import SongOfLibrary, song_of_library
from tests.metronome import RATE, MetronomeDB

BASE, GUEST, BEATLESS, SILENT, NO_VOCAL = range(5)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("measured"))
    collected.add(tempo_bpm=120, tonic=0, duration_s=12)
    collected.add(tempo_bpm=110, tonic=1, duration_s=14, first_s=0.4)
    collected.add(tempo_bpm=110, duration_s=12, beats=[], downbeats=[])
    collected.add(tempo_bpm=115, duration_s=12, gain=0.0)
    collected.add(tempo_bpm=118, duration_s=12, roles=("harmonic", "percussion"))
    return collected.write()


class Counting:
    """Gives 7 to everything and remembers what it heard."""

    name = "counting"

    def __init__(self) -> None:
        self.heard: list[tuple[dict, dict]] = []

    def score(self, query, candidates):
        self.heard += [(dict(query), dict(group)) for group in candidates]
        return torch.full((len(candidates),), 7.0)


def song(library: MashupDB, index: int) -> SongOfLibrary:
    return song_of_library(library, f"Song {index}")[0]


def written(mashup: Mashup, folder: Path) -> Path:
    path = folder / "mashup.flac"
    write_flac(path, mashup.audio, mashup.sample_rate)
    return path


def measured(library: MashupDB, folder: Path, base: int, technique="tempo+key", **guests: int):
    songs = {role: song(library, index) for role, index in guests.items()}
    made = render_mashup(song(library, base), songs, technique=technique)
    judge = Counting()
    path = written(made, folder)
    found = measure(path, song(library, base), songs, technique=technique, judge=judge)
    assert list(found) == list(MEASURES)
    return found, made, judge


def test_a_guest_in_key_and_in_time(library: MashupDB, tmp_path: Path) -> None:
    found, made, judge = measured(library, tmp_path, BASE, vocal=GUEST)
    assert found["beat_error_ms"] < 8 and found["planned_beat_error_ms"] < 0.1
    assert found["onset_error_ms"] < 20  # the engine smears a click at 16 kHz
    assert found["key_clash"] < 0.05
    assert found["lufs"] == pytest.approx(made.mastered.lufs, abs=0.01)
    assert found["true_peak_db"] == pytest.approx(made.mastered.true_peak_db, abs=0.01)
    assert 0 <= found["loudness_range_lu"] < 3  # clicks and tones go on evenly
    assert found["judge_score"] == 7
    ((query, answer),) = judge.heard
    assert set(query) == {"harmonic", "percussion"} and set(answer) == {"vocal"}
    layers = {**query, **answer}
    together = sum(part.waveform(RATE) for part in layers.values())[None]
    master(together, RATE)
    assert together == pytest.approx(made.audio, abs=1e-4)


def test_a_guest_whose_key_is_left_alone_clashes(library: MashupDB, tmp_path: Path) -> None:
    # A semitone apart: the voice's tone is beside the music's only one.
    found, _, _ = measured(library, tmp_path, BASE, "tempo", vocal=GUEST)
    assert found["key_clash"] > 0.9


def test_beats_that_were_annotated_wrongly_are_heard_off_the_grid(
    library: MashupDB, tmp_path: Path
) -> None:
    base, guest = song(library, BASE), song(library, GUEST)
    wrong = tuple(beat + 0.06 for beat in guest.facts.beats_s)
    facts = replace(guest.facts, beats_s=wrong, downbeats_s=wrong[::4])
    guests = {"vocal": replace(guest, facts=facts)}
    made = render_mashup(base, guests, technique="tempo")
    found = measure(written(made, tmp_path), base, guests, technique="tempo")
    assert found["planned_beat_error_ms"] < 0.1  # the plan believes them
    assert found["onset_error_ms"] > 30  # 60 ms are nearly half a sixteenth
    assert np.isnan(found["judge_score"])


def test_a_louder_base_buries_the_guest(library: MashupDB, tmp_path: Path) -> None:
    base, guests = song(library, BASE), {"vocal": song(library, GUEST)}
    path = written(render_mashup(base, guests), tmp_path)
    shares = [
        measure(path, replace(base, level_db=base.level_db + gain), guests)["masked"]
        for gain in (-10.0, 0.0, 10.0)  # guests are brought to it: a louder base, a louder guest
    ]
    assert shares[0] > shares[1] > shares[2]


def test_an_original(library: MashupDB, tmp_path: Path) -> None:
    base = song(library, BASE)
    made = render_original(base)
    found = measure(written(made, tmp_path), base, {}, judge=Counting())
    assert np.isnan(found["beat_error_ms"]) and np.isnan(found["planned_beat_error_ms"])
    assert found["onset_error_ms"] < 4 and found["key_clash"] < 0.05
    assert found["judge_score"] == 7
    own = long_term_spectrum_db(made.audio, RATE)
    far = measure(written(made, tmp_path), base, {}, usual_spectrum_db=own)
    assert far["spectrum_distance_db"] == pytest.approx(0, abs=0.2)


def test_music_from_elsewhere_under_the_bases_voice(library: MashupDB, tmp_path: Path) -> None:
    base, guest = song(library, BASE), song(library, GUEST)
    guests = {"harmonic": guest, "percussion": guest}
    made = render_mashup(base, guests, technique="tempo+key")
    judge = Counting()
    path = written(made, tmp_path)
    found = measure(path, base, guests, stays=("vocal",), technique="tempo+key", judge=judge)
    ((query, answer),) = judge.heard
    assert set(query) == {"vocal"} and set(answer) == {"harmonic", "percussion"}
    assert found["beat_error_ms"] < 8 and found["onset_error_ms"] < 20


@pytest.mark.parametrize("guest", [BEATLESS, SILENT, NO_VOCAL])
def test_what_cannot_be_had_is_nan(library: MashupDB, tmp_path: Path, guest: int) -> None:
    found, _, judge = measured(library, tmp_path, BASE, vocal=guest)
    assert np.isfinite([found["lufs"], found["true_peak_db"], found["loudness_range_lu"]]).all()
    assert np.isnan(found["spectrum_distance_db"])
    if guest == SILENT:
        assert np.isnan([found[n] for n in ("beat_error_ms", "masked", "key_clash")]).all()
        assert np.isnan(found["judge_score"]) and not judge.heard
    else:
        assert np.isnan(found["planned_beat_error_ms"])


def test_silence_throughout(library: MashupDB, tmp_path: Path) -> None:
    silent = song(library, SILENT)
    path = written(render_mashup(silent, {"vocal": silent}), tmp_path)
    usual = np.zeros_like(long_term_spectrum_db(np.ones((1, 99), np.float32), RATE))
    found = measure(path, silent, {"vocal": silent}, judge=Counting(), usual_spectrum_db=usual)
    del found["planned_beat_error_ms"]  # beats meet, whether they sound or not
    assert np.isnan(list(found.values())).all()
    assert set(ROLES) == {stem.role for stem in silent.stems}
