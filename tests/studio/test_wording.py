import numpy as np
import pytest

from mashnet.evaluation.subjects.moves import KINDS
from mashnet.studio.pairs import bases_of
from mashnet.studio.vocal_moves import Curve
from mashnet.studio.wording import clip_words, plain, shift_words, verdict

PITCH, TEMPO, BEATS = KINDS


def curve(kind, scores):
    amounts = {"pitch": [-1, 0, 1], "tempo": [-10, 0, 10], "beats": [-0.5, 0, 0.5]}[kind.name]
    return Curve(kind, np.array(amounts, float), np.array(scores, float))


@pytest.mark.parametrize(
    ("semitones", "said"), [(0, "as it is"), (1, "1 semitone up"), (-3, "3 semitones down")]
)
def test_shifts(semitones, said):
    assert shift_words(semitones) == shift_words(semitones, 0.3) == said


def test_cents_stand_beside_semitones():
    assert shift_words(-2, 45.0) == "2 semitones down, 45 cents up"
    assert shift_words(0, -12.4) == "12 cents down"


@pytest.mark.parametrize(
    ("kind", "scores", "said"),
    [
        (PITCH, [0, 1, 0], "Best where it is."),
        (PITCH, [1, 0, 0], "Would score higher 1 semitone down."),
        (TEMPO, [0, 0, 1], "Would score higher 10 % faster."),
        (BEATS, [0.2, 0.3, 0.9], "Would score higher 0.5 beat later."),
        (BEATS, [1.04, 1.0, 0], "As good 0.5 beat earlier."),
        (PITCH, [0.1, 0.0, 0.2], "Hardly matters to this Scorer."),
        (PITCH, [0.5, 0.5, 0.5], "Hardly matters to this Scorer."),
    ],
)
def test_verdicts_beside_a_curve_that_falls_by_one(kind, scores, said):
    assert verdict(curve(kind, scores), 1.0) == said


def test_a_scorer_that_hears_nothing_has_no_best_place():
    assert verdict(curve(PITCH, [0, 0, 0]), 0.0) == "Hardly matters to this Scorer."


def test_titles_are_no_markdown():
    assert plain("* MaF LanD *") == r"\* MaF LanD \*"
    assert plain("[x](y) :red[z] $a$ `b` <i>") == (r"\[x\]\(y\) \:red\[z\] \$a\$ \`b\` \<i\>")
    assert plain("Größe 5, ok") == "Größe 5, ok"


def test_a_clip_in_words(small_library):
    first = bases_of(small_library)[0]
    assert clip_words(first) == "Artist 0 · C major · 100 bpm · 0:12"
