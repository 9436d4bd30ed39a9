from __future__ import annotations

import pytest
import torch

from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.sensitivity import run
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.moves import Move
from mashnet.models.rules.alignment import AlignmentScorer

MOVES = {
    "semitones": [-6, -1, 0, 1, 6],
    "tempo_percent": [-30, -10, 0, 10, 30],
    "beats": [-0.5, -0.25, 0, 0.25, 0.5],
    "num_songs": 3,
    "duration_s": 10.0,
}


class MovedSource:
    """Parts that know how far they were moved, for a Scorer that reads it off them."""

    name, split, artefact_control = "moved", "test", True

    def __init__(self, named_source):
        rows = [("original", song, "test") for song in "abca"] + [("matched", "d", "test")]
        self.recipes = named_source(rows).recipes
        self.asked = []

    def song_of(self, recipe):
        return recipe.vocal[0]

    def moved_groups(self, moved):
        self.asked += moved
        groups = []
        for recipe, moves in moved:
            parts = {
                role: MovedPart(f"{recipe.mix_id}-{role}", move) for role, move in moves.items()
            }
            groups.append(({"vocal": parts.pop("vocal")}, parts))
        return groups


class MovedPart:
    facts = None

    def __init__(self, part_id, move):
        self.part_id = f"{part_id}-{move}"
        self.move = move


class HearsMoves:
    """Falls by the distance of harmonic to vocal in each way of moving; percussion is ignored."""

    name = "hears"

    def score(self, query, candidates):
        def apart(one, two):
            return (
                abs(one.semitones - two.semitones)
                + abs(one.tempo_percent - two.tempo_percent)
                + abs(one.beats - two.beats)
            )

        return torch.tensor([-apart(query["vocal"].move, c["harmonic"].move) for c in candidates])


@pytest.fixture
def outcome(named_source):
    source = MovedSource(named_source)
    return run([HearsMoves()], source, bootstrap=Bootstrap(num_resamples=50), **MOVES), source


def test_curves_by_hand(outcome):
    found = {name: e.value for name, e in outcome[0].results[0].metrics.items()}
    assert found["peak_at_zero_pitch"] == 1.0
    assert found["drop_1_semitone_vocal"] == pytest.approx(1.0)
    assert found["drop_6_semitones_harmonic"] == pytest.approx(6.0)
    assert found["drop_10_percent_vocal"] == pytest.approx(10.0)
    assert found["drop_half_beat_harmonic"] == pytest.approx(0.5)
    assert found["prefers_zero_half_beat_vocal"] == 1.0
    # Percussion is not heard: all five points tie, and so do the two beside zero.
    assert found["peak_at_zero_beats_percussion"] == pytest.approx(1 / 5)
    assert found["prefers_zero_half_beat_percussion"] == 0.5
    assert found["peak_at_zero_beats"] == pytest.approx((1 + 1 + 1 / 5) / 3)
    for kind in ("pitch", "tempo", "beats"):
        assert found[f"change_common_{kind}"] == 0.0
        assert found[f"change_common_relative_{kind}"] == 0.0
    assert "drop_1_beat" not in found  # one beat was not among the moves
    assert set(found) == set(outcome[0].metrics)


def test_one_original_per_song_at_its_unmoved_point_once(outcome):
    _, source = outcome
    assert {recipe.mix_id for recipe, _ in source.asked} == {"m0000", "m0001", "m0002"}
    unmoved = [recipe for recipe, moves in source.asked if set(moves.values()) == {Move()}]
    assert len(unmoved) == 3
    assert len(source.asked) == 3 * (1 + 4 * (3 + 4 + 4))  # pitch has no curve of percussion alone


def test_moving_all_moves_every_role_alike(outcome):
    _, source = outcome
    together = [m for _, m in source.asked if len(set(m.values())) == 1]
    assert len(together) == 3 * (1 + 4 + 4 + 4)
    assert all(set(m) == {"vocal", "harmonic", "percussion"} for m in together)


@pytest.mark.parametrize(
    "change", [{"semitones": [-1, 1]}, {"beats": [0, 1]}, {"num_songs": 0}, {"duration_s": 0.0}]
)
def test_settings_that_make_no_sense_are_refused(named_source, change):
    with pytest.raises(ConfigError, match="must"):
        run([HearsMoves()], MovedSource(named_source), bootstrap=Bootstrap(), **{**MOVES, **change})


def test_the_rule_peaks_at_zero_on_music_that_fits(fake_source):
    outcome = run(
        [AlignmentScorer()],
        fake_source,
        bootstrap=Bootstrap(num_resamples=50),
        semitones=[-1, 0, 1],
        tempo_percent=[-10, 0, 10],
        beats=[-0.5, 0, 0.5],
        num_songs=2,
        duration_s=10.0,
    )
    found = {name: e.value for name, e in outcome.results[0].metrics.items()}
    for kind in ("pitch", "tempo", "beats"):
        assert found[f"peak_at_zero_{kind}"] == 1.0
        assert found[f"change_common_relative_{kind}"] < 0.1
