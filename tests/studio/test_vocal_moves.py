from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mashnet.data.mixes.recipes import Recipe
from mashnet.data.mixes.rendering import Displacement, RenderedPart, rendered_part
from mashnet.data.parts import ArrayPart
from mashnet.evaluation.subjects.moves import KINDS, Move
from mashnet.mashups.placed import placed
from mashnet.models.rules.alignment import AlignmentScorer
from mashnet.music.placement import Placement
from mashnet.studio import vocal_moves as moves_of_vocal
from mashnet.studio.pairs import bases_of, original_of
from mashnet.studio.vocal_moves import AMOUNTS, Curve, busiest_stretch, curves_of, moved

PART = RenderedPart(
    stem_ids=("s",),
    paths=(),
    semitones=2,
    tempo_ratio=1.25,
    place_s=0.5,
    keyframes_s=((0.0, 0.5), (10.0, 8.5)),
    duration_s=20.0,
    force=False,
    engine="pylibrb_r2",
)


def test_a_move_in_pitch_adds_to_the_shift_alone():
    higher = moved(PART, Move(semitones=-3), anchor_s=1.0, beat_s=0.5)
    assert higher == replace(PART, semitones=-1, force=True)


def test_beats_are_those_of_the_mix():
    later = moved(PART, Move(beats=1.5), anchor_s=1.0, beat_s=0.4)
    assert later.place_s == pytest.approx(0.5 + 0.6)
    assert np.array(later.keyframes_s) == pytest.approx(np.array([[0, 1.1], [10, 9.1]]))
    assert later.tempo_ratio == PART.tempo_ratio


def test_a_faster_vocal_stays_where_its_anchor_is():
    # Stem time 0 sounds 1.5 s before the anchor; at 1.5 times the tempo, 1 s before it.
    faster = moved(PART, Move(tempo_percent=50), anchor_s=2.0, beat_s=0.5)
    assert faster.tempo_ratio == pytest.approx(1.875)
    assert faster.place_s == pytest.approx(1.0)
    assert faster.keyframes_s[1][1] == pytest.approx(2 + 6.5 / 1.5)


def test_a_stretch_that_begins_later_is_the_same_sound():
    shifted = moved(PART, Move(), anchor_s=2.0, beat_s=0.5, begin_s=3.0)
    assert shifted.place_s == pytest.approx(-2.5)
    assert np.array(shifted.keyframes_s) == pytest.approx(np.array([[0, -2.5], [10, 5.5]]))


@given(
    semitones=st.integers(-6, 6),
    percent=st.sampled_from([-30.0, -10.0, 0.0, 20.0]),
    beats=st.sampled_from([-1.0, 0.0, 0.25]),
)
def test_moves_are_those_of_the_sensitivity_protocol(small_library, semitones, percent, beats):
    stems = {}
    for row in small_library.stems.iter_rows(named=True):
        stems.setdefault(row["clip_id"], {})[row["role"]] = (row["stem_id"],)
    clip_id, ids = next(iter(stems.items()))
    recipe = Recipe(mix_id="m", condition="original", duration_s=8.0, **ids)
    beat_s = 60 / small_library.clip_rows[clip_id]["tempo_bpm"]
    theirs = rendered_part(
        small_library,
        recipe,
        "vocal",
        displacement=Displacement(semitones, 1 + percent / 100, beats * beat_s),
        force=True,
    )
    ours = moved(
        rendered_part(small_library, recipe, "vocal", displacement=Displacement(semitones=0)),
        Move(semitones, percent, beats),
        anchor_s=0.0,  # that protocol's moves begin with the mix
        beat_s=beat_s,
    )
    assert ours.part_id == theirs.part_id


def test_where_most_is_sung_is_heard():
    rate = 8000
    wave = np.zeros(50 * rate, np.float32)
    wave[21 * rate : 41 * rate] = 0.2 * np.sin(np.arange(20 * rate))
    wave[5 * rate : 6 * rate] = 1.0  # one shout is not a verse
    assert busiest_stretch(ArrayPart(wave, rate)) == (21.0, 20.0)
    assert busiest_stretch(ArrayPart(wave[: 7 * rate], rate)) == (0.0, 7.0)
    assert busiest_stretch(ArrayPart(0 * wave, rate)) == (0.0, 20.0)


class ByShift:
    """Likes a vocal best two semitones above where it was laid; hears nothing else."""

    name = "by shift"
    asked = 0

    def score(self, query, candidates):
        self.asked += len(candidates)
        return torch.tensor([-abs(c["vocal"].semitones - 2.0) for c in candidates])


def test_each_point_is_asked_once_and_lands_on_its_curve(small_library):
    told = []
    own = original_of(bases_of(small_library)[0])
    scorer = ByShift()
    curves = curves_of(scorer, own, progress=told.append)
    assert scorer.asked == 27  # 13 + 7 + 9, the unmoved one once
    assert [curve.kind.name for curve in curves] == ["pitch", "tempo", "beats"]
    pitch, tempo, beats = curves
    assert pitch.scores.tolist() == [-abs(a - 2) for a in range(-6, 7)]
    assert pitch.best == 2.0
    assert pitch.at_zero == -2.0
    assert set(tempo.scores) == set(beats.scores) == {-2.0}
    assert tempo.best == beats.best == 0.0
    assert tempo.amounts.tolist() == [-30, -20, -10, 0, 10, 20, 30]
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_beside_a_placed_phrase_tempo_changes_about_a_downbeat_that_is_heard(small_library):
    base, guest, *_ = bases_of(small_library)
    starts_s, beat_s = base.row["downbeats"], 60 / base.row["tempo_bpm"]
    phrase = placed(base, guest, Placement(0, 1, 4))

    vocals = []

    class Listening:
        name = "listening"

        def score(self, query, candidates):
            vocals.extend(candidate["vocal"] for candidate in candidates)
            return torch.zeros(len(candidates))

    curves_of(Listening(), phrase)
    moves = [Move(tempo_percent=percent) for percent in AMOUNTS["tempo"]]
    expected = {
        moved(phrase.candidate["vocal"], move, anchor_s=0.0, beat_s=beat_s).keyframes_s
        for move in moves
    }
    # The phrase begins with its first downbeat, and all of it is shorter than what is heard.
    assert starts_s[1] > 0.5 and phrase.candidate["vocal"].duration_s < 20
    assert expected <= {vocal.keyframes_s for vocal in vocals}


def test_a_rule_that_hears_fit_likes_an_original_where_it_is(small_library, monkeypatch):
    few = {"pitch": [-1.0, 0.0, 1.0], "tempo": [-10.0, 0.0, 10.0], "beats": [-0.5, 0.0, 0.5]}
    monkeypatch.setattr(moves_of_vocal, "AMOUNTS", {k: np.array(v) for k, v in few.items()})
    own = original_of(bases_of(small_library)[1])
    curves = {curve.kind.name: curve for curve in curves_of(AlignmentScorer(), own)}
    assert curves["tempo"].best == 0.0
    beats = curves["beats"]
    assert beats.at_zero > beats.scores[[0, 2]].max() + 0.3
    assert curves["pitch"].at_zero > curves["pitch"].scores[[0, 2]].max()


def test_the_best_of_equals_is_where_it_was_laid():
    curve = Curve(KINDS[0], np.array([-1.0, 0.0, 1.0]), np.array([0.3, 0.3, 0.1]))
    assert curve.best == 0.0
    curve = Curve(KINDS[0], np.array([-1.0, 0.0, 1.0]), np.array([0.4, 0.3, 0.1]))
    assert curve.best == -1.0
