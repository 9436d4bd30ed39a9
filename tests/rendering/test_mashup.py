"""Mashups of songs of clicks and tones, whose beats and keys are known exactly."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mashnet.audio.io import read_audio, write_flac
from mashnet.audio.limiter import master, true_peaks
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError
from mashnet.rendering.keyframes import Piece
from mashnet.rendering.mashup import (
    Mashup,
    plan_parts,
    render_mashup,
    render_original,
    render_part,
)
from mashnet.rendering.pieces import Mix, Pending, add_moved
from mashnet.rendering.plan import TECHNIQUES, plan_guest
from mashnet.rendering.songs import SongOfLibrary, song_of_library
from tests.metronome import RATE, MetronomeDB, click_near, pitch_class

BASE, GUEST, THIRD, SLOW, FREE = range(5)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("mashups"))
    collected.add(tempo_bpm=120, tonic=0, duration_s=16)
    collected.add(tempo_bpm=108, tonic=11, first_s=0.7, duration_s=20, gain=0.5)
    collected.add(tempo_bpm=131, tonic=9, mode="minor", first_s=0.2, duration_s=9)
    collected.add(tempo_bpm=61, tonic=2, first_s=0.4, duration_s=20)
    collected.add(tempo_bpm=112, tonic=1, first_s=0.3, duration_s=20, jitter_s=0.03)
    return collected.write()


def song(library: MashupDB, index: int) -> SongOfLibrary:
    return song_of_library(library, f"Song {index}")[0]


def mashup(library: MashupDB, base: int, technique: str = "tempo+key", **guests: int) -> Mashup:
    found = {name: song(library, index) for name, index in guests.items()}
    return render_mashup(song(library, base), found, technique=technique)


def layer(base: SongOfLibrary, guest: SongOfLibrary, role: str, technique: str) -> np.ndarray:
    """Return what a guest adds to a mashup at its own level, before mastering, (samples,)."""
    (part,) = [p for p in plan_parts(base, {role: guest}, technique)[0] if p.plan is not None]
    length = {"duration_s": base.facts.duration_s, "sample_rate": base.sample_rate}
    return render_part(replace(part, gain_db=0.0), **length)[0]


@pytest.mark.parametrize("guest", [GUEST, THIRD, SLOW, FREE])
def test_beats_of_guest_and_base_agree(library: MashupDB, guest: int) -> None:
    base = song(library, BASE)
    sounding = layer(base, song(library, guest), "percussion", "tempo")
    inside = [time_s for time_s in base.facts.beats_s if 0.6 < time_s < 15.5]
    wanted = inside if guest != SLOW else inside[::2]  # its beats are two of the base's
    errors = [min(click_near(sounding, t), click_near(sounding, t - 0.5)) for t in wanted]
    assert np.median(errors) < 0.006
    assert np.mean(np.array(errors) < 0.025) > 0.95


def test_pitched_stems_move_to_the_bases_key_and_drums_do_not(library: MashupDB) -> None:
    base, guest = song(library, BASE), song(library, GUEST)
    plan = plan_guest(base.facts, guest.facts, "tempo+key")
    assert plan.semitones == 1
    assert pitch_class(layer(base, guest, "vocal", "tempo+key")) == pytest.approx(0, abs=0.1)
    assert pitch_class(layer(base, guest, "vocal", "tempo")) == pytest.approx(11, abs=0.1)
    relative = plan_guest(base.facts, song(library, THIRD).facts, "tempo+key")
    assert relative.semitones == 0


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_length_loudness_and_peaks(library: MashupDB, technique: str) -> None:
    made = mashup(library, BASE, technique, vocals=GUEST)
    assert made.audio.shape == (1, 16 * RATE)
    assert np.isfinite(made.audio).all()
    assert 20 * np.log10(true_peaks(made.audio).max()) <= -1.0 + 1e-4
    assert np.abs(made.audio).max() < 1
    # Clicks have little loudness for their peaks: -14 is out of reach, and that is said.
    if abs(made.mastered.lufs + 14) > 0.5:
        assert any("LUFS instead of -14" in line for line in made.warnings)


def test_any_stem_from_any_song(library: MashupDB) -> None:
    made = mashup(library, BASE, vocals=GUEST, drums=THIRD, harmonic=SLOW)
    given = {part.song.title: [stem.role for stem in part.stems] for part in made.parts}
    assert given == {
        "Song 0": [],
        "Song 1": ["vocal"],
        "Song 2": ["percussion"],
        "Song 3": ["harmonic"],
    }
    two = mashup(library, BASE, vocals=GUEST, drums=GUEST)
    assert [[stem.role for stem in part.stems] for part in two.parts] == [
        ["harmonic"],
        ["vocal", "percussion"],
    ]


def test_guests_are_brought_to_the_bases_level(library: MashupDB, tmp_path: Path) -> None:
    assert [part.gain_db for part in mashup(library, BASE, vocals=GUEST).parts] == [0, 0]
    database = MashupDB(library.root)
    quiet = database.stems.with_columns(rms_db=database.stems["rms_db"] - 6)
    louder = song(library, GUEST)
    database._tables["stems"] = quiet
    made = render_mashup(song(database, BASE), {"vocals": louder})
    assert made.parts[1].gain_db == pytest.approx(-6)


def test_a_song_laid_on_itself_is_itself(library: MashupDB) -> None:
    base = song(library, BASE)
    sounding = layer(base, base, "vocal", "tempo+key")
    original = read_audio(base.stems_named("vocal")[0].path)[0][0]
    middle = slice(RATE, 15 * RATE)
    assert sounding[middle] == pytest.approx(original[middle], abs=1e-6)


def test_parts_add_up_to_the_mashup(library: MashupDB) -> None:
    base = song(library, BASE)
    guests = {"vocals": song(library, GUEST), "drums": song(library, THIRD)}
    made = render_mashup(base, guests)
    length = {"duration_s": base.facts.duration_s, "sample_rate": base.sample_rate}
    parts = [render_part(part, **length) for part in made.parts]
    together = np.sum(parts, axis=0)
    assert together.shape == made.audio.shape and all(np.abs(part).max() > 0 for part in parts)
    master(together, RATE)
    assert together == pytest.approx(made.audio, abs=1e-6)


def test_an_original_is_all_stems_of_the_song_at_the_mashups_loudness(library: MashupDB) -> None:
    base = song(library, BASE)
    made = render_original(base)
    assert [part.plan for part in made.parts] == [None]
    wanted = np.sum([read_audio(stem.path)[0] for stem in base.stems], axis=0, dtype=np.float32)
    mastered = master(wanted, RATE)
    assert np.array_equal(made.audio, wanted)
    assert made.mastered == mastered and mastered.true_peak_db <= -1 + 1e-4


def test_workers_do_not_change_a_bit(library: MashupDB) -> None:
    guests = {"vocals": song(library, THIRD), "drums": song(library, FREE)}
    once, again = (
        render_mashup(song(library, BASE), guests, workers=workers).audio for workers in (1, 3)
    )
    assert np.array_equal(once, again)


def test_a_missing_stem_is_said_and_the_rest_is_rendered(library: MashupDB) -> None:
    made = mashup(library, BASE, vocals=GUEST, guitar=THIRD)
    assert len(made.parts) == 2
    assert any("Song 2 has no guitar (it has vocal, harmonic" in line for line in made.warnings)
    nothing = mashup(library, BASE, guitar=THIRD)
    assert [len(part.stems) for part in nothing.parts] == [3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"technique": "temp"}, "Did you mean 'tempo'"),
        ({"engine": "pedalboard"}, "cannot follow beats"),
        ({"engine": "rubber"}, "engine 'rubber' is not available"),
    ],
)
def test_wrong_settings_are_refused(library: MashupDB, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        render_mashup(song(library, BASE), {"vocals": song(library, GUEST)}, **settings)
    with pytest.raises(ConfigError, match="needs a guest"):
        render_mashup(song(library, BASE), {})


# --- splices, and what is not heard


def tone_file(path: Path, wave: np.ndarray, rate: int = RATE) -> Path:
    write_flac(path, wave, rate)
    return path


def moved(path: Path, pieces: list[Piece], duration_s: float, length_s: float) -> np.ndarray:
    mix = Mix(round(length_s * RATE), RATE)
    with ThreadPoolExecutor(1) as executor:
        pending = Pending(mix, executor, 1)
        add_moved(
            pending,
            path,
            pieces,
            duration_s=duration_s,
            semitones=0,
            pitched=True,
            gain=1.0,
            engine="pylibrb_r2",
        )
        pending.finish()
    return mix.audio


def test_no_click_at_a_splice(tmp_path: Path) -> None:
    time_s = np.arange(8 * RATE) / RATE
    wave = 0.5 * np.sin(2 * np.pi * 110 * time_s)[None]
    path = tone_file(tmp_path / "tone.flac", wave)
    # Four jumps to places that are out of phase, one end and one begin.
    jumps = [(0.5, 2.0), (1.237, 3.0), (0.5, 4.0), (3.111, 5.0), (2.004, 7.0)]
    pieces = [Piece(((g, b), (g + 0.97, b + 1.0))) for g, b in jumps]
    sounding = moved(path, pieces, 8.0, 9.0)[0]
    # The tone's own steepest slope; crossfades may add a half of it.
    steepest = 0.5 * 2 * np.pi * 110 / RATE
    assert np.abs(np.diff(sounding)).max() < 1.6 * steepest
    assert np.abs(sounding[: round(1.9 * RATE)]).max() == 0
    assert np.abs(sounding[round(6.05 * RATE) : round(6.9 * RATE)]).max() == 0
    assert np.abs(sounding).max() < 0.5 * 1.5
    # The crossfade is over before the beat.
    for _, base_s in jumps:
        at = round(base_s * RATE)
        assert np.abs(sounding[at : at + 200]).max() == pytest.approx(0.5, rel=0.15)


def test_silence_is_not_stretched_but_what_follows_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mashnet.rendering import pieces as module

    wave = np.zeros((1, 20 * RATE))
    for start_s in (2.0, 14.0):
        wave[0, round(start_s * RATE) :][:400] = np.random.default_rng(0).uniform(-0.5, 0.5, 400)
    path = tone_file(tmp_path / "two.flac", wave)
    stretched_s = []
    engine = module.stretch

    def counted(audio: np.ndarray, *args: object, **settings: object) -> np.ndarray:
        stretched_s.append(audio.shape[1] / RATE)
        return engine(audio, *args, **settings)

    monkeypatch.setattr(module, "stretch", counted)
    sounding = moved(path, [Piece(((0.0, 0.0), (20.0, 18.0)))], 20.0, 18.0)[0]
    assert len(stretched_s) == 2 and sum(stretched_s) < 1
    assert click_near(sounding, 1.8) < 0.004 and click_near(sounding, 12.6) < 0.004


def test_what_comes_back_is_stretched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mashnet.rendering import pieces as module

    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 12 * RATE))
    path = tone_file(tmp_path / "noise.flac", noise)
    calls = []
    engine = module.stretch
    monkeypatch.setattr(module, "stretch", lambda *a, **k: calls.append(1) or engine(*a, **k))
    again = [Piece(((2.0, 4.0 * i + 1), (6.0, 4.0 * i + 4.9))) for i in range(5)]
    sounding = moved(path, again, 12.0, 22.0)[0]
    assert len(calls) == 1
    one, other = (sounding[round((s + 1.5) * RATE) :][: 2 * RATE] for s in (0, 16))
    assert np.array_equal(one, other)


def test_stereo_stays_stereo_and_other_rates_are_met(library: MashupDB, tmp_path: Path) -> None:
    left, right = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 5 * 22050))
    path = tone_file(tmp_path / "wide.flac", np.stack([left, 0.1 * right]), 22050)
    sounding = moved(path, [Piece(((0.0, 0.0), (5.0, 5.2)))], 5.0, 6.0)
    assert sounding.shape == (2, 6 * RATE)
    levels = np.sqrt((sounding[:, RATE : 4 * RATE] ** 2).mean(axis=1))
    assert levels[0] / levels[1] == pytest.approx(10, rel=0.05)
    assert np.abs(sounding[:, round(5.25 * RATE) :]).max() < 1e-3
    mix = Mix(100, RATE)
    mix.add(np.ones((1, 50), np.float32), 0)
    mix.add(np.ones((2, 50), np.float32), 80)
    mix.add(np.ones((1, 50), np.float32), -20)
    assert mix.audio.shape == (2, 100) and mix.audio.sum() == 2 * (50 + 20 + 30)


def test_a_stem_that_is_a_little_shorter_than_its_clip(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 5 * RATE))
    path = tone_file(tmp_path / "short.flac", noise)
    pieces = [Piece(((0.0, 0.0), (5.03, 5.0))), Piece(((5.2, 5.0), (6.2, 6.0)))]
    assert moved(path, pieces, 5.03, 6.0).shape == (1, 6 * RATE)
