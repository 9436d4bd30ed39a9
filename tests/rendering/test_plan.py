"""Plans, from beats and sections written by hand: no audio anywhere."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mashnet.errors import ConfigError
from mashnet.music.keys import Key
from mashnet.music.sections import Section
from mashnet.music.song_facts import SongFacts
from mashnet.rendering.keyframes import straightened
from mashnet.rendering.plan import TECHNIQUES, GuestPlan, plan_guest
from tests.rendering.songs import guest_time, song


def at_beats(plan: GuestPlan, base: SongFacts) -> list[float | None]:
    """Return the guest's time a little after each beat of the base: after splices."""
    return [guest_time(plan, beat_s + 1e-6) for beat_s in base.beats_s]


# --- tempo


def test_tempo_lays_beat_on_beat_from_the_first_downbeats_on() -> None:
    base, guest = song(120, first_s=0.3), song(100, first_s=1.0, duration_s=60)
    plan = plan_guest(base, guest, "tempo")
    assert plan.semitones == 0 and plan.warnings == ()
    assert len(plan.pieces) == 1 and len(plan.pieces[0].keyframes_s) == 2
    wanted = 1.0 + 0.6 * np.arange(len(base.beats_s))
    assert at_beats(plan, base) == pytest.approx(wanted, abs=1e-4)


def test_what_the_guest_plays_before_its_first_bar_is_heard_before_the_bases() -> None:
    beats = np.arange(0.0, 30, 0.5)
    base = SongFacts("base", 30.0, beats.tolist(), beats[3::4].tolist(), 4)
    plan = plan_guest(base, song(120, first_s=1.0, duration_s=60), "tempo")
    # Two beats before its first downbeat, at 1.5 s of the base, the guest begins.
    assert guest_time(plan, 1.0) == pytest.approx(0.5)
    assert guest_time(plan, 0.6) == pytest.approx(0.1)


def test_a_guest_that_ends_begins_again_on_a_bar_line() -> None:
    base, guest = song(120, duration_s=40), song(120, duration_s=11.2)
    plan = plan_guest(base, guest, "tempo")
    # 22 whole beats are left of the guest: five bars.
    starts = [piece.start_s for piece in plan.pieces]
    assert starts == pytest.approx([0, 10, 20, 30])
    assert at_beats(plan, base) == pytest.approx([0.5 * (i % 20) for i in range(80)], abs=1e-4)
    assert plan.pieces[-1].end_s >= 40


def test_half_and_double_tempo_are_not_stretched_to_death() -> None:
    for guest_bpm in (65, 130, 260):
        guest = song(guest_bpm, duration_s=90)
        plan = plan_guest(song(128), guest, "tempo")
        (first, start_s), (last, end_s) = plan.pieces[0].keyframes_s
        assert (last - first) / (end_s - start_s) == pytest.approx(128 / 130)


def test_another_metre_is_laid_beat_by_beat_with_a_warning() -> None:
    base, guest = song(120), song(120, bar=3, duration_s=60)
    plan = plan_guest(base, guest, "tempo")
    assert at_beats(plan, base) == pytest.approx(list(base.beats_s), abs=1e-4)
    assert any("bars are not" in line for line in plan.warnings)


def test_a_bar_with_a_beat_too_many_does_not_put_bars_out_of_step() -> None:
    beats = np.arange(0, 40, 0.5)
    downbeats = np.concatenate([beats[:20:4], beats[21::4]])  # bar 5 has five beats
    guest = SongFacts("guest", 40.0, beats.tolist(), downbeats.tolist(), 4)
    base = song(120)
    plan = plan_guest(base, guest, "tempo")
    for downbeat_s in base.downbeats_s:
        time_s = guest_time(plan, downbeat_s + 1e-6)
        assert np.abs(downbeats - time_s).min() < 1e-3
    assert len(plan.pieces) == 2


def test_beats_that_waver_are_followed() -> None:
    free = np.cumsum(0.5 + 0.06 * np.sin(np.arange(80) / 6))
    base = SongFacts("base", float(free[-1]), free.tolist(), free[::4].tolist(), 4)
    guest = song(115, duration_s=120)
    plan = plan_guest(base, guest, "tempo")
    times = [guest_time(plan, time_s + 1e-6) for time_s in free[:-1]]
    errors = np.array(times) - np.array(guest.beats_s)[: len(times)]
    assert np.abs(errors).max() < 0.012
    assert len(plan.pieces) == 1


# --- key


@pytest.mark.parametrize(
    ("guest_key", "base_key", "semitones"),
    [
        (Key(0, "major"), Key(11, "major"), -1),
        (Key(11, "major"), Key(0, "major"), 1),
        (Key(9, "minor"), Key(0, "major"), 0),
        (Key(0, "major"), Key(9, "minor"), 0),
        (Key(0, "major"), Key(6, "major"), 6),
        (Key(4, "minor"), Key(9, "minor"), 5),
    ],
)
def test_key_moves_by_the_smallest_shift(guest_key: Key, base_key: Key, semitones: int) -> None:
    base, guest = song(key=base_key), song(key=guest_key)
    for technique in TECHNIQUES:
        wanted = semitones if technique.endswith("+key") else 0
        assert plan_guest(base, guest, technique).semitones == wanted


def test_no_pair_of_keys_is_ever_moved_by_more_than_six_and_always_meets() -> None:
    keys = [Key(tonic, mode) for tonic in range(12) for mode in ("major", "minor")]
    for base_key in keys:
        for guest_key in keys:
            plan = plan_guest(song(key=base_key), song(key=guest_key), "tempo+key")
            assert abs(plan.semitones) <= 6
            moved = guest_key.transposed(plan.semitones)
            assert moved.relative_major_tonic == base_key.relative_major_tonic


def test_an_unknown_key_is_said() -> None:
    plan = plan_guest(song(key=Key(0, "major")), song(name="Fog"), "tempo+key")
    assert plan.semitones == 0
    assert plan.warnings == ("Fog has no key: nothing is transposed to or from it",)


# --- structure


def test_verse_goes_to_verse_and_a_shorter_one_is_repeated_on_a_bar_line() -> None:
    base = song(120, sections=[(0, 8, "verse"), (8, 16, "chorus")], duration_s=32)
    guest = song(120, sections=[(2, 6, "chorus"), (6, 9, "verse")], duration_s=40)
    plan = plan_guest(base, guest, "structure")
    bars = [guest_time(plan, bar_s + 1e-6) for bar_s in base.downbeats_s]
    verse, chorus = [12.0, 14.0, 16.0], [4.0, 6.0, 8.0, 10.0]
    assert bars == pytest.approx((verse * 3)[:8] + chorus * 2, abs=1e-4)
    assert all(piece.start_s % 2 == pytest.approx(0, abs=1e-6) for piece in plan.pieces)
    assert plan.warnings == ()


def test_a_section_with_an_odd_end_is_repeated_from_its_last_whole_bar() -> None:
    base = song(120, sections=[(0, 8, "verse")], duration_s=16)
    guest = song(120, duration_s=40)
    verse = Section(4.0, 4.0 + 2 * 2 + 1.0, "verse")  # ends in the middle of a bar
    guest = SongFacts("g", 40.0, guest.beats_s, guest.downbeats_s, 4, None, (verse,))
    plan = plan_guest(base, guest, "structure")
    bars = [guest_time(plan, bar_s + 1e-6) for bar_s in base.downbeats_s]
    assert bars == pytest.approx([4.0, 6.0] * 4, abs=1e-4)


def test_the_second_verse_gets_the_second_verse() -> None:
    base = song(120, sections=[(0, 4, "verse"), (4, 8, "verse"), (8, 12, "verse")], duration_s=24)
    guest = song(120, sections=[(1, 5, "verse"), (10, 14, "verse")], duration_s=40)
    plan = plan_guest(base, guest, "structure")
    assert guest_time(plan, 0.1) == pytest.approx(2.1)
    assert guest_time(plan, 8.1) == pytest.approx(20.1)
    assert guest_time(plan, 16.1) == pytest.approx(2.1)


def test_a_missing_section_leaves_the_base_alone() -> None:
    base = song(120, sections=[(0, 4, "intro"), (4, 12, "verse"), (12, 16, "outro")], name="Base")
    guest = song(120, sections=[(0, 8, "verse")], name="Guest")
    plan = plan_guest(base, guest, "structure")
    assert guest_time(plan, 3.0) is None and guest_time(plan, 28.0) is None
    assert guest_time(plan, 8.5) == pytest.approx(0.5)
    assert plan.warnings == ("Guest has no intro, no outro: Base is alone there",)


def test_sections_lie_on_the_nearest_bar_lines() -> None:
    base = song(120, duration_s=32)
    rough = (Section(0.2, 7.7, "verse"), Section(7.7, 31.9, "chorus"))
    base = SongFacts("b", 32.0, base.beats_s, base.downbeats_s, 4, None, rough)
    guest = song(120, sections=[(0, 4, "verse"), (4, 16, "chorus")])
    plan = plan_guest(base, guest, "structure")
    assert guest_time(plan, 8.0 + 1e-6) == pytest.approx(8.0, abs=1e-3)
    assert guest_time(plan, 31.5) == pytest.approx(31.5, abs=1e-3)


@pytest.mark.parametrize("section", [Section(8.0, 8.0, "verse"), Section(8.0, 8.3, "verse")])
def test_a_section_without_a_bar_is_skipped_and_said(section: Section) -> None:
    whole = song(120, sections=[(0, 4, "verse"), (4, 8, "verse")], name="Whole")
    holey = SongFacts(
        "Holey",
        whole.duration_s,
        whole.beats_s,
        whole.downbeats_s,
        4,
        None,
        (Section(0, 8, "verse"), section),
    )
    for base, guest in ((whole, holey), (holey, whole)):
        plan = plan_guest(base, guest, "structure")
        assert guest_time(plan, 1.0) == pytest.approx(1.0)
        assert any("verse at 8.0 s of Holey has no bar" in line for line in plan.warnings)


def test_songs_without_sections_are_aligned_as_a_whole() -> None:
    base, guest = song(120, sections=[(0, 4, "verse")]), song(110, duration_s=60, name="Plain")
    plan = plan_guest(base, guest, "structure")
    assert plan.pieces == plan_guest(base, guest, "tempo").pieces
    assert any("Plain has no sections" in line for line in plan.warnings)


def test_songs_without_beats_still_get_a_plan() -> None:
    none = SongFacts("Drone", 20.0)
    for base, guest in ((song(), none), (none, song()), (none, none)):
        plan = plan_guest(base, guest, "structure+key")
        assert guest_time(plan, 5.0) == pytest.approx(5.0)
        assert any("Drone has no beats" in line for line in plan.warnings)
        assert plan.pieces[-1].end_s == pytest.approx(20.0)


def test_songs_without_downbeats_count_from_the_first_beat() -> None:
    base = song()
    guest = SongFacts("Flat", 60.0, np.arange(0.7, 60, 0.5).tolist())
    plan = plan_guest(base, guest, "tempo")
    assert guest_time(plan, 1e-6) == pytest.approx(0.7, abs=1e-4)
    assert any("Flat has no downbeats" in line for line in plan.warnings)


def test_long_songs_are_cut_into_pieces_that_go_on() -> None:
    base, guest = song(120, duration_s=1200), song(100, duration_s=1800)
    plan = plan_guest(base, guest, "tempo")
    assert len(plan.pieces) > 4
    for piece, following in zip(plan.pieces, plan.pieces[1:], strict=False):
        assert piece.keyframes_s[-1] == following.keyframes_s[0]
        assert piece.end_s - piece.start_s <= 120


def test_a_clip_of_two_beats_has_a_plan() -> None:
    base, guest = song(40, duration_s=3), song(114, first_s=2.0, duration_s=3)
    for technique in TECHNIQUES:
        assert plan_guest(base, guest, technique).pieces


def test_an_unknown_technique_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'structure\+key'"):
        plan_guest(song(), song(), "structure+keys")


# --- whatever the song

sections = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 5), st.sampled_from(["verse", "chorus", "intro"])),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@example(49.0, 40.0, (3, 4), (0.0, 0.0), (4.0, 3.0), [], [], "tempo")  # two on three
@given(
    base_bpm=st.floats(40, 220),
    guest_bpm=st.floats(40, 220),
    bars=st.tuples(st.sampled_from([3, 4, 8]), st.sampled_from([3, 4, 5])),
    first_s=st.tuples(st.floats(0, 3), st.floats(0, 3)),
    duration_s=st.tuples(st.floats(3, 90), st.floats(3, 90)),
    base_sections=sections,
    guest_sections=sections,
    technique=st.sampled_from(TECHNIQUES),
)
def test_pieces_are_in_order_and_beats_lie_on_beats(
    base_bpm: float,
    guest_bpm: float,
    bars: tuple[int, int],
    first_s: tuple[float, float],
    duration_s: tuple[float, float],
    base_sections: list[tuple[int, int, str]],
    guest_sections: list[tuple[int, int, str]],
    technique: str,
) -> None:
    base, guest = (
        song(
            tempo,
            first_s=first,
            duration_s=length,
            bar=bar,
            sections=[(start, start + count, label) for start, count, label in sorted(spans)],
        )
        for tempo, first, length, bar, spans in zip(
            (base_bpm, guest_bpm),
            first_s,
            duration_s,
            bars,
            (base_sections, guest_sections),
            strict=True,
        )
    )
    plan = plan_guest(base, guest, technique)
    ends = [0.0] if not plan.pieces else [plan.pieces[0].start_s]
    for piece in plan.pieces:
        assert piece.start_s >= ends[-1] - 1e-6
        assert (np.diff(np.array(piece.keyframes_s), axis=0) > 0).all()
        ends.append(piece.end_s)
        guest_times, base_times = np.array(piece.keyframes_s).T
        ratios = np.diff(guest_times) / np.diff(base_times)
        if len(base.beats_s) > 1 and len(guest.beats_s) > 1:
            assert (ratios > 0.65).all() and (ratios < 1.55).all()
            # On beats, halves or quarters; on thirds of these where bars of three meet four.
            steps = 12 if plan.tempo_level in (2 / 3, 3 / 2) else 4
            phase = (guest_times - first_s[1]) / (60 / guest_bpm) * steps % 1
            assert np.minimum(phase, 1 - phase).max() < 1e-3
    assert ends[-1] <= duration_s[0] + 60 / base_bpm + 1e-6


# --- straightening


def test_straight_lines_lose_all_inner_key_frames() -> None:
    frames = [(0.5 * i, 0.45 * i + 0.002 * (-1) ** i) for i in range(100)]
    assert straightened(frames) == (frames[0], frames[-1])


@given(st.lists(st.floats(0.2, 1.0), min_size=2, max_size=60), st.floats(0.001, 0.05))
def test_no_key_frame_is_missed_by_more_than_the_tolerance(
    steps: list[float], tolerance_s: float
) -> None:
    frames = [(float(i), float(t)) for i, t in enumerate(np.cumsum(steps))]
    kept = straightened(frames, tolerance_s)
    assert kept[0] == frames[0] and kept[-1] == frames[-1]
    before, after = np.array(kept).T
    line = np.interp([b for b, _ in frames], before, after)
    assert np.abs(line - [a for _, a in frames]).max() <= tolerance_s + 1e-9
