"""Half and double time: what is proposed, what a Scorer hears, and what the renderer plays."""

import numpy as np
import pytest

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.mashups.proposals import Proposal, music_under_vocals, vocals_on_music
from mashnet.mashups.recipe import recipe_of, render, song_of
from mashnet.music.tempo_levels import ONE_LEVEL, THREE_HALVES, TWO_THIRDS
from mashnet.rendering.mashup import Part, plan_parts, render_part
from tests.metronome import RATE, MetronomeDB, click_near

SONGS = (  # title, tempo, beats per bar
    ("fast", 140.0, 4),
    ("slow", 72.0, 4),
    ("middle", 100.0, 4),
    ("waltz", 150.0, 3),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("levels"))
    for index, (title, tempo_bpm, bar) in enumerate(SONGS):
        collected.add(
            title=title,
            tempo_bpm=tempo_bpm,
            beats_per_bar=bar,
            first_s=0.2 + 0.1 * index,
            duration_s=14.0,
        )
    return collected.write()


def proposed(library: MashupDB, limits: Limits = Limits()) -> dict[tuple[str, str], Proposal]:  # noqa: B008
    found = vocals_on_music(library, limits=limits)
    return {(p.base.title, p.guests["vocal"].clip.title): p for p in found}


def moves(found: dict[tuple[str, str], Proposal]) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        pair: (p.guests["vocal"].tempo_level, p.guests["vocal"].tempo_ratio)
        for pair, p in found.items()
    }


def test_tempi_meet_at_levels_and_metres_decide_about_thirds(library: MashupDB) -> None:
    found = moves(proposed(library))
    assert found == {
        ("fast", "slow"): pytest.approx((2, 140 / 144)),
        ("slow", "fast"): pytest.approx((1 / 2, 72 / 70)),
        ("fast", "waltz"): pytest.approx((1, 140 / 150)),
        ("waltz", "fast"): pytest.approx((1, 150 / 140)),
        ("slow", "waltz"): pytest.approx((1 / 2, 72 / 75)),
        ("waltz", "slow"): pytest.approx((2, 75 / 72)),
        ("middle", "waltz"): pytest.approx((TWO_THIRDS, 1)),
        ("waltz", "middle"): pytest.approx((THREE_HALVES, 1)),
    }


def test_the_papers_rule_takes_tempi_as_they_are_written(library: MashupDB) -> None:
    plain = moves(proposed(library, Limits(levels=ONE_LEVEL)))
    assert set(plain) == {("fast", "waltz"), ("waltz", "fast")}
    # Music under a vocal is the paper's task: its default.
    guests = {
        (p.base.title, guest.clip.title)
        for proposals in music_under_vocals(library, library)
        for p in proposals
        for guest in p.guests.values()
    }
    assert guests == set(plain)
    more = music_under_vocals(library, library, limits=Limits())
    assert sum(map(len, more)) > sum(map(len, music_under_vocals(library, library)))


def heard_alone(proposal: Proposal, sample_rate: int) -> tuple[np.ndarray, float]:
    """Return what the renderer adds of the guest, mono, and its level."""
    base, guest = song_of(proposal.base), song_of(proposal.guests["vocal"].clip)
    part: Part = plan_parts(base, {"vocal": guest}, "tempo+key")[0][1]
    layer = render_part(part, duration_s=base.facts.duration_s, sample_rate=sample_rate)
    assert part.plan is not None
    return layer.mean(axis=0), part.plan.tempo_level


def test_a_scorer_hears_the_placement_that_is_rendered(library: MashupDB) -> None:
    for pair, proposal in proposed(library).items():
        scored = proposal.candidate["vocal"].waveform(RATE)
        played, level = heard_alone(proposal, RATE)
        guest = proposal.guests["vocal"]
        assert level == guest.tempo_level, pair
        first_s = proposal.base.row["downbeats"][0]
        # One beat of the guest for so many of the base, from downbeat to downbeat.
        step_s = level * 60 / proposal.base.row["tempo_bpm"]
        times_s = np.arange(first_s + 2 * step_s, 11, step_s)
        for name, wave in (("scored", scored), ("played", played)):
            late_s = np.array([click_near(wave, time_s) for time_s in times_s])
            assert np.median(late_s) < 0.015, (pair, name, late_s)
            between = np.array([click_near(wave, t + step_s / 2, 0.05) for t in times_s[:-1]])
            assert np.mean(between < 0.02) < 0.3, (pair, name)  # nothing half-way: no other level


def test_the_level_is_in_the_recipe(library: MashupDB) -> None:
    found = proposed(library)
    how = {"technique": "tempo", "engine": "pylibrb_r2"}
    for pair, level in ((("fast", "slow"), 2), (("fast", "waltz"), 1)):
        recipe = recipe_of(found[pair], render(found[pair], **how), **how)
        assert [guest["tempo_level"] for guest in recipe["guests"]] == [level]
