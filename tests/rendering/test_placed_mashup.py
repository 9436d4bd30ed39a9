"""Placed mashups as sound: clicks on clicks, and the marked bar on the marked bar."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mashnet import render
from mashnet.audio.io import read_audio, write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError
from mashnet.music.placement import Placement
from mashnet.rendering.mashup import plan_parts, render_mashup, render_part
from mashnet.rendering.plan import PLACED
from mashnet.rendering.songs import SongOfLibrary, song_of_library
from tests.metronome import RATE, MetronomeDB, click_near, pitch_class

BASE, GUEST, SLOW = range(3)
MARKED = 3  # bar of the guest and of the slow song whose clicks are loudest


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("placed"))
    collected.add(tempo_bpm=120, tonic=0, first_s=0.1, duration_s=24)
    collected.add(tempo_bpm=108, tonic=10, first_s=0.7, duration_s=20)
    collected.add(tempo_bpm=62, tonic=0, first_s=0.4, duration_s=24)
    database = collected.write()
    for clip, stem in ((collected.clips[i], s) for i in (1, 2) for s in collected.stems):
        if stem["clip_id"] == clip["clip_id"] and stem["role"] == "percussion":
            path = database.root / stem["path"]
            wave, rate = read_audio(path)
            first, last = (round(clip["downbeats"][MARKED + i] * rate) - 80 for i in (0, 1))
            wave[:, :first] *= 0.2
            wave[:, last:] *= 0.2
            write_flac(path, wave, rate)
    return database


def song(library: MashupDB, index: int) -> SongOfLibrary:
    return song_of_library(library, f"Song {index}")[0]


def layer(base: SongOfLibrary, guest: SongOfLibrary, role: str, where: Placement) -> np.ndarray:
    """Return what a placed guest adds to a mashup, at its own level, shape (samples,)."""
    placements = {guest.clip_id: where}
    _, part = plan_parts(base, {role: guest}, PLACED, placements=placements)[0]
    length = {"duration_s": base.facts.duration_s, "sample_rate": base.sample_rate}
    return render_part(replace(part, gain_db=0.0), **length)[0]


def loud_beats(wave: np.ndarray, beats_s: np.ndarray) -> list[int]:
    """Return which beats are at least half as loud as the loudest."""
    around = [wave[max(0, round((t - 0.02) * RATE)) : round((t + 0.06) * RATE)] for t in beats_s]
    peaks = np.array([np.abs(beat).max() for beat in around])
    return np.flatnonzero(peaks > 0.5 * peaks.max()).tolist()


@pytest.mark.parametrize(
    ("guest", "level", "base_bar", "marked_bars"),
    [(GUEST, 1.0, 5, 1), (GUEST, 1.0, 0, 1), (GUEST, 1.0, 10, 1), (SLOW, 2.0, 4, 2)],
)
def test_clicks_are_together_and_the_marked_bar_is_on_the_bar(
    library: MashupDB, guest: int, level: float, base_bar: int, marked_bars: int
) -> None:
    base = song(library, BASE)
    where = Placement(MARKED, base_bar, marked_bars, tempo_level=level)
    heard = layer(base, song(library, guest), "percussion", where)
    # The base's beats are 0.5 s apart; in half time every second one meets a click.
    beats_s = 0.1 + 0.5 * np.arange(48)
    marked = range(4 * base_bar, 4 * (base_bar + marked_bars), round(level))
    assert loud_beats(heard, beats_s) == list(marked)
    assert max(click_near(heard, time_s) for time_s in beats_s[marked]) < 0.012


def test_around_the_phrase_the_guest_runs_on_and_then_the_base_is_alone(library: MashupDB) -> None:
    base, guest = song(library, BASE), song(library, GUEST)
    heard = layer(base, guest, "percussion", Placement(MARKED, 6, 1))
    # The phrase is at 12.1 s; its guest's first click is twelve beats before.
    assert np.abs(heard[: round(6.0 * RATE)]).max() < 1e-3
    early = [click_near(heard, 6.1 + 0.5 * beat) for beat in range(12)]
    later = [click_near(heard, 14.1 + 0.5 * beat) for beat in range(12)]
    assert np.median(early) < 0.006 and np.median(later) < 0.006
    # From its marked bar on, at 7.37 s, the guest lasts for 22.7 beats of 5 / 9 s.
    late = layer(base, guest, "percussion", Placement(MARKED, 2, 1))
    assert np.abs(late[round((4.1 + 23 * 0.5) * RATE) :]).max() < 1e-3
    assert click_near(late, 4.1 + 22 * 0.5) < 0.006


def test_pitched_stems_are_shifted_as_the_placement_says(library: MashupDB) -> None:
    base, guest = song(library, BASE), song(library, GUEST)
    for semitones, cents, wanted in ((2, 0.0, 0.0), (-1, 0.0, 9.0), (1, 40.0, 11.4)):
        heard = layer(base, guest, "vocal", Placement(0, 2, 1, semitones, cents))
        assert pitch_class(heard[6 * RATE : 14 * RATE]) == pytest.approx(wanted % 12, abs=0.1)


def test_workers_do_not_change_a_bit(library: MashupDB) -> None:
    base, guest = song(library, BASE), song(library, GUEST)
    how = {"technique": PLACED, "placements": {guest.clip_id: Placement(1, 3, 2, 2)}}
    once, again = (
        render_mashup(base, {"vocals": guest}, workers=workers, **how).audio for workers in (1, 2)
    )
    assert np.array_equal(once, again)
    other = render_mashup(base, {"vocals": guest}, technique="tempo")
    assert not np.array_equal(once, other.audio)


def test_each_guest_needs_a_placement(library: MashupDB) -> None:
    base, guest, slow = (song(library, index) for index in (BASE, GUEST, SLOW))
    with pytest.raises(ConfigError, match="no placement says on which bar Song 2 begins"):
        render_mashup(
            base,
            {"vocals": guest, "drums": slow},
            technique=PLACED,
            placements={guest.clip_id: Placement(0, 0, 1)},
        )
    with pytest.raises(ConfigError, match="technique=tempo takes no placement"):
        plan_parts(base, {"vocals": guest}, "tempo", placements={guest.clip_id: Placement(0, 0, 1)})


# --- the program


def run(library: MashupDB, out: Path, *arguments: str) -> None:
    render.main(["base=Song 0", f"library={library.root}", f"out={out}", *arguments])


def test_a_placement_is_typed_as_people_count(
    library: MashupDB, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["technique=placed", "guest_bar=2", "base_bar=4", "bars=2", "semitones=+2"]
    run(library, tmp_path / "mash.wav", "vocals=Song 1", *typed, "cents=-12", "tempo_level=1")
    printed = capsys.readouterr().out
    assert (
        "vocal; bars 2–3 of Song 1 on bars 4–5 of Song 0 (0:06), +2 semitones, −12 cents" in printed
    )
    guest = song(library, GUEST)
    expected = render_mashup(
        song(library, BASE),
        {"vocals": guest},
        technique=PLACED,
        placements={guest.clip_id: Placement(1, 3, 2, 2, -12.0)},
    )
    written, _ = read_audio(tmp_path / "mash.wav")
    assert np.abs(written - expected.audio).max() < 2e-7
    run(library, tmp_path / "drums.wav", "drums=Song 1", *typed)
    assert "bars 4–5 of Song 0 (0:06), " in capsys.readouterr().out  # and no shift in pitch


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["technique=placed"], r"guest_bar=…, base_bar=… must be given: technique=placed"),
        (["technique=placed", "guest_bar=1"], r"^base_bar=… must be given"),
        (
            ["guest_bar=1", "base_bar=1"],
            r"structure\+key takes no guest_bar=…, base_bar=…; ",
        ),
        (["technique=tempo", "cents=4"], r"technique=tempo takes no cents=…"),
        (["technique=placed", "guest_bar=0", "base_bar=1"], "guest_bar=0: expected a whole number"),
        (["technique=placed", "guest_bar=1", "base_bar=13"], "Song 0 has 12 bars.* on bar 13"),
        (["technique=placed", "guest_bar=99", "base_bar=1"], "Song 1 has 9 bars.* on bar 99"),
        (
            ["technique=placed", "guest_bar=1", "base_bar=1", "semitones=7"],
            "semitones=7: expected a whole number, from -6 to 6",
        ),
        (
            ["technique=placed", "guest_bar=1", "base_bar=1", "cents=51"],
            "cents=51: expected a number, from -50 to 50",
        ),
        (
            ["technique=placed", "guest_bar=1", "base_bar=1", "tempo_level=3"],
            "tempo_level '3' is not available",
        ),
        (
            ["technique=placed", "guest_bar=1", "base_bar=1", "drums=Song 2"],
            "lays one song on another; 2 are named",
        ),
    ],
)
def test_what_no_placement_can_be_is_one_clear_line(
    library: MashupDB, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        run(library, tmp_path / "out.wav", "vocals=Song 1", *arguments)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
