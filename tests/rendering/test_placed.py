"""Plans of placements, by hand: no audio anywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mashnet.errors import ConfigError
from mashnet.music.placement import Placement
from mashnet.music.song_facts import SongFacts
from mashnet.rendering.plan import PLACED, TECHNIQUES, GuestPlan, plan_guest
from tests.rendering.songs import guest_time, song


def placed(base: SongFacts, guest: SongFacts, placement: Placement) -> GuestPlan:
    return plan_guest(base, guest, PLACED, placement=placement)


def test_the_bar_meets_the_bar_and_the_guest_runs_on_both_ways() -> None:
    base, guest = song(120, first_s=0.3), song(100, first_s=1.0, duration_s=60)
    plan = placed(base, guest, Placement(2, 4, 4, semitones=-3, cents=7.5))
    # Bar 2 of the guest: 1 + 2 · 2.4 s; bar 4 of the base: 0.3 + 4 · 2 s. A beat is 0.6 s on 0.5 s.
    assert guest_time(plan, 8.3) == pytest.approx(5.8)
    assert guest_time(plan, 10.3) == pytest.approx(8.2)
    assert guest_time(plan, 5.8) == pytest.approx(2.8)
    (piece,) = plan.pieces
    # Two beats before its first downbeat, at -0.2 s, the guest begins: ten beats before the phrase.
    assert piece.keyframes_s[0] == pytest.approx((-0.2, 3.3))
    assert guest_time(plan, 3.2) is None
    assert piece.end_s >= 32
    assert (plan.semitones, plan.cents, plan.tempo_level) == (-3, 7.5, 1.0)
    assert plan.warnings == ()


def test_a_guest_that_has_ended_is_not_repeated() -> None:
    base, guest = song(120, duration_s=40), song(120, duration_s=11.2)
    plan = placed(base, guest, Placement(1, 10, 2))
    # Its bar at 2 s begins at 20 s; its last beat ends at 11.5 s, after its last sample.
    (piece,) = plan.pieces
    assert np.array(piece.keyframes_s) == pytest.approx(np.array([(0.0, 18.0), (11.5, 29.5)]))
    assert guest_time(plan, 17.9) is None and guest_time(plan, 29.6) is None


def test_bars_that_come_too_early_are_not_heard() -> None:
    base, guest = song(120, duration_s=20), song(120, first_s=0.5, duration_s=60)
    plan = placed(base, guest, Placement(20, 0, 8))
    assert plan.pieces[0].keyframes_s[0] == pytest.approx((40.5, 0.0))
    assert guest_time(plan, 19.0) == pytest.approx(59.5)


@pytest.mark.parametrize(("guest_bar", "base_bar"), [(0, 0), (0, 15), (15, 0), (15, 15)])
def test_first_and_last_bars_can_be_placed(guest_bar: int, base_bar: int) -> None:
    plan = placed(song(120), song(120), Placement(guest_bar, base_bar, 1))
    assert guest_time(plan, 2.0 * base_bar + 0.25) == pytest.approx(2.0 * guest_bar + 0.25)
    begins_s = 2.0 * max(0, base_bar - guest_bar)
    assert plan.pieces[0].start_s == pytest.approx(begins_s)
    assert plan.pieces[-1].end_s == pytest.approx(min(32, 32 + 2.0 * (base_bar - guest_bar)))


@pytest.mark.parametrize(
    ("level", "guest_bpm", "ratio"),
    [
        (2.0, 65, 128 / 130),  # one beat of the guest on two of the base
        (0.5, 250, 128 / 125),
        (1.0, 65, 128 / 65),  # what would be folded is not, where the placement says so
        (2.0, 120, 128 / 240),
        (0.25, 500, 128 / 125),
    ],
)
def test_the_level_of_the_placement_holds(level: float, guest_bpm: float, ratio: float) -> None:
    base, guest = song(128), song(guest_bpm, first_s=0.4, duration_s=120)
    plan = placed(base, guest, Placement(5, 6, 1, tempo_level=level))
    guest_s = 0.4 + 5 * 240 / guest_bpm
    base_s = 6 * 240 / 128
    assert guest_time(plan, base_s + 1e-6) == pytest.approx(guest_s, abs=1e-4)
    assert guest_time(plan, base_s + 1.0) == pytest.approx(guest_s + ratio, abs=1e-4)
    assert plan.tempo_level == level


@pytest.mark.parametrize("guest_bar", [4, 5])
def test_bars_of_three_beats_meet_at_any_bar_in_double_time(guest_bar: int) -> None:
    # Every second beat of the guest is counted: of odd bars those that even ones leave out.
    base, guest = song(120, bar=3), song(236, bar=3, duration_s=60)
    plan = placed(base, guest, Placement(guest_bar, 4, 2, tempo_level=0.5))
    beat_s = 60 / 236
    assert guest_time(plan, 6.0) == pytest.approx(guest_bar * 3 * beat_s, abs=1e-4)
    assert guest_time(plan, 7.5) == pytest.approx((guest_bar * 3 + 6) * beat_s, abs=1e-4)
    assert guest_time(plan, 4.5) == pytest.approx((guest_bar * 3 - 6) * beat_s, abs=1e-4)
    assert len(plan.pieces) == 1


def test_bars_of_three_on_bars_of_four_as_long() -> None:
    # A bar of six beats at 180 bpm lasts as long as one of four at 120.
    base, guest = song(120), song(180, bar=6, duration_s=60)
    plan = placed(base, guest, Placement(3, 2, 4, tempo_level=2 / 3))
    for bar in range(2, 12):
        assert guest_time(plan, 2.0 * bar + 1e-6) == pytest.approx(2.0 * (bar + 1), abs=1e-4)


def test_bars_of_three_on_bars_of_four_beat_by_beat_with_a_warning() -> None:
    plan = placed(song(120), song(120, bar=3, duration_s=60), Placement(2, 1, 4))
    assert guest_time(plan, 2.0) == pytest.approx(3.0)
    assert guest_time(plan, 20.0) == pytest.approx(21.0)
    assert any("bars are not" in line for line in plan.warnings)


def test_a_bar_with_a_beat_too_many_does_not_put_bars_out_of_step_on_either_side() -> None:
    beats = np.arange(0, 60, 0.5)
    # Bars 3 and 8 have five beats.
    downbeats = np.concatenate([beats[:16:4], beats[17:37:4], beats[38::4]])
    guest = SongFacts("guest", 60.0, beats.tolist(), downbeats.tolist(), 4)
    plan = placed(song(120, duration_s=40), guest, Placement(6, 6, 2))
    for bar in range(18):
        at_s = guest_time(plan, 2.0 * bar + 1e-6)
        assert at_s == pytest.approx(downbeats[bar], abs=1e-3), bar
    # The last of five beats is left out, where the next bar begins.
    assert [piece.start_s for piece in plan.pieces] == pytest.approx([0.0, 8.0, 18.0])


def test_a_song_without_beats_is_laid_from_the_beginning_with_a_warning() -> None:
    drone = SongFacts("Drone", 20.0)
    for base, guest in ((song(), drone), (drone, song())):
        plan = placed(base, guest, Placement(3, 5, 4, semitones=2, cents=-10.0))
        assert guest_time(plan, 5.0) == pytest.approx(5.0)
        assert (plan.semitones, plan.cents) == (2, -10.0)
        assert any("Drone has no beats" in line for line in plan.warnings)


def test_a_song_without_downbeats_is_counted_from_its_first_beat() -> None:
    guest = SongFacts("Flat", 60.0, np.arange(0.7, 60, 0.5).tolist())
    plan = placed(song(), guest, Placement(2, 1, 4))
    assert guest_time(plan, 2.0) == pytest.approx(4.7)
    assert any("Flat has no downbeats" in line for line in plan.warnings)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        (Placement(0, 16, 1), "Base has 16 bars: no phrase lies on bar 17"),
        (Placement(0, 14, 4), "Base has 16 bars: no phrase lies on bars 15 to 18"),
        (Placement(16, 0, 1), "Guest has 16 bars: no phrase lies on bar 17"),
        (Placement(-1, 0, 1), "Guest has 16 bars"),
        (Placement(0, 0, 0), "Base has 16 bars"),
        (Placement(0, 0, 1, semitones=7), "semitones=7: expected from -6 to 6"),
        (Placement(0, 0, 1, tempo_level=1.3), "tempo_level=1.3: beats meet at"),
        (Placement(0, 0, 1, tempo_level=0.0), "tempo_level=0: beats meet at"),
    ],
)
def test_placements_that_no_song_has_are_refused(placement: Placement, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        placed(song(name="Base"), song(name="Guest"), placement)


def test_a_placement_goes_with_its_technique_and_with_no_other() -> None:
    with pytest.raises(ConfigError, match="technique=placed: no placement says on which bar Fog"):
        plan_guest(song(), song(name="Fog"), PLACED)
    for technique in TECHNIQUES:
        with pytest.raises(ConfigError, match="takes no placement; technique=placed does"):
            plan_guest(song(), song(), technique, placement=Placement(0, 0, 1))
    with pytest.raises(ConfigError, match="Did you mean 'placed'"):
        plan_guest(song(), song(), "place")


@settings(max_examples=40, deadline=None)
@given(
    tempi_bpm=st.tuples(st.floats(60, 180), st.floats(60, 180)),
    metres=st.tuples(st.sampled_from([3, 4]), st.sampled_from([3, 4, 6])),
    first_s=st.tuples(st.floats(0, 3), st.floats(0, 3)),
    duration_s=st.tuples(st.floats(12, 60), st.floats(12, 60)),
    share=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    level=st.sampled_from([0.5, 1.0, 2.0, 2 / 3, 3 / 2]),
)
def test_whatever_the_songs_time_runs_on_and_the_phrase_begins_where_it_must(
    tempi_bpm: tuple[float, float],
    metres: tuple[int, int],
    first_s: tuple[float, float],
    duration_s: tuple[float, float],
    share: tuple[float, float],
    level: float,
) -> None:
    base, guest = (
        song(tempo, first_s=first, duration_s=length, bar=bar)
        for tempo, first, length, bar in zip(tempi_bpm, first_s, duration_s, metres, strict=True)
    )
    bars = [int(s * len(x.downbeats_s)) for s, x in zip(share, (base, guest), strict=True)]
    plan = placed(base, guest, Placement(bars[1], bars[0], 1, tempo_level=level))
    at_s, wanted_s = base.downbeats_s[bars[0]], guest.downbeats_s[bars[1]]
    met = [abs(g - wanted_s) < 0.01 for p in plan.pieces for g, b in _near(p.keyframes_s, at_s)]
    assert any(met)
    ends_s = -np.inf
    for piece in plan.pieces:
        assert (np.diff(np.array(piece.keyframes_s), axis=0) > 0).all()
        assert piece.start_s >= ends_s - 1e-6
        ends_s = piece.end_s


def _near(keyframes_s: tuple[tuple[float, float], ...], base_s: float) -> list[tuple[float, float]]:
    """Return the pair at a time of the base, if the key frames go over it."""
    guest, base = np.array(keyframes_s).T
    if not base[0] - 1e-6 <= base_s <= base[-1] + 1e-6:
        return []
    return [(float(np.interp(base_s, base, guest)), base_s)]
