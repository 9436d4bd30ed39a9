"""Vocals look for their own music: ranks by hand, ways to believe annotations, who is refused."""

import numpy as np
import pytest
import torch

from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.protocols.placement.answers import (
    APART,
    APART_OPEN,
    KNOWN,
    OPEN,
    answers_of,
    believing_keys,
    ways_of,
)
from mashnet.evaluation.protocols.placement.protocol import can_ask, run
from mashnet.evaluation.protocols.placement.questions import questions_of
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.phrases import DatabasePhrases, PhraseWindow
from mashnet.models.rules.automashupper import AutomashupperScorer
from mashnet.models.rules.random import RandomScorer
from tests.evaluation.conftest import NamedPart
from tests.phrase_songs import phrase_database

BOOTSTRAP = Bootstrap(num_resamples=20)


class Phrases:
    """Songs of so many windows; parts are named by song and window. `exact` songs come first."""

    name, split = "made/up", "test"

    def __init__(self, songs, each=1, *, exact=0, lost=()):
        self.songs, self.each, self.exact, self.lost = songs, each, exact, set(lost)

    def windows(self, bars):
        return [
            PhraseWindow(str(s), f"song {s}", f"group {s // 2}", bars * w, bars, s < self.exact)
            for s in range(self.songs)
            for w in range(self.each)
        ]

    def pair(self, window):
        name = f"{window.clip_id}-{window.bar}"
        return {"vocal": NamedPart(name)}, {"harmonic": NamedPart(name)}

    def pairs_apart(self, windows):
        return [
            None
            if int(window.clip_id) in self.lost
            else tuple(
                {role: NamedPart(f"{part.part_id}-apart") for role, part in side.items()}
                for side in self.pair(window)
            )
            for window in windows
        ]

    def left_out(self):
        return ["Something is left out."]


class Rule:
    """Judges unmoved parts as a function of two names says; keeps what it was asked."""

    judges_unmoved = True

    def __init__(self, name, rule):
        self.name, self.rule, self.asked = name, rule, []

    def score(self, query, candidates):
        names = query["vocal"].part_id, [c["harmonic"].part_id for c in candidates]
        self.asked.append((names[0], tuple(names[1])))
        return torch.tensor([float(self.rule(names[0], other)) for other in names[1]])


class Believer(Rule):
    """Right only where it believes keys."""

    def __init__(self, name="believer"):
        super().__init__(name, lambda one, other: one == other and self.most_semitones == 0)
        self.most_semitones = 2


def outcome_of(scorers, source, tmp_path, **settings):
    settings = {"bars": [8], "num_places": 0, **settings}
    return run(scorers, source, bootstrap=BOOTSTRAP, folder=tmp_path, **settings)


def values(outcome, scorer):
    (result,) = (r for r in outcome.results if r.scorer == scorer)
    return {name: estimate.value for name, estimate in result.metrics.items()}


def test_ranks_by_hand(tmp_path):
    finds = Rule("finds", lambda one, other: one == other)
    loses = Rule("loses", lambda one, other: one != other)
    level = Rule("level", lambda one, other: 0)
    outcome = outcome_of([finds, loses, level], Phrases(70), tmp_path)
    found = values(outcome, "finds")
    assert found["top_1_of_64"] == found["top_1_of_64_open_key"] == 1
    assert found["normalised_rank_mean"] == 0
    assert values(outcome, "loses")["top_1_of_64"] == 0
    assert values(outcome, "loses")["normalised_rank_mean"] == 1
    # All level: own music stands first with a share of one in 64.
    assert values(outcome, "level")["top_1_of_64"] == pytest.approx(1 / 64)
    assert values(outcome, "level")["normalised_rank_mean"] == pytest.approx(0.5)
    assert outcome.metrics["top_1_of_64"].chance == pytest.approx(1 / 64)
    assert "by chance 1 in 64" in outcome.metrics["top_1_of_64"].meaning
    assert {c.metric for c in outcome.comparisons} == set(found)
    assert all(c.first == "finds" for c in outcome.comparisons)


def test_all_are_asked_the_same_and_no_own_song_stands_beside(tmp_path):
    one, other = Rule("one", lambda *_: 0), Rule("other", lambda *_: 1)
    outcome_of([one, other], Phrases(40, each=2), tmp_path, seed=3)
    assert one.asked == other.asked
    for vocal, shown in one.asked:
        assert shown[0] == vocal
        assert len(set(shown)) == 64
        songs = [name.split("-")[0] for name in shown]
        assert songs.count(vocal.split("-")[0]) == 1
    again = Rule("again", lambda *_: 0)
    outcome_of([again], Phrases(40, each=2), tmp_path, seed=4)
    assert again.asked != one.asked


def test_lengths_have_names_of_their_own(tmp_path):
    finds = Rule("finds", lambda one, other: one == other)
    outcome = outcome_of([finds], Phrases(64), tmp_path, bars=[8, 4, 16])
    names = values(outcome, "finds")
    assert {"top_1_of_64", "top_1_of_64_4_bars", "top_1_of_64_16_bars"} <= set(names)
    assert "normalised_rank_mean_open_key_16_bars" in names
    assert set(names) == set(outcome.metrics)


def test_too_few_songs_have_a_rank_and_no_top_1(tmp_path):
    outcome = outcome_of([Rule("level", lambda *_: 0)], Phrases(5), tmp_path)
    assert values(outcome, "level") == {
        "normalised_rank_mean": pytest.approx(0.5),
        "normalised_rank_mean_open_key": pytest.approx(0.5),
    }
    with pytest.raises(DatabaseError, match=r"no two songs.*Something is left out"):
        outcome_of([Rule("level", lambda *_: 0)], Phrases(1), tmp_path)


def test_fewer_ask_and_what_they_are_shown_is_the_same():
    every = questions_of(Phrases(50, each=4), 8, max_windows=None, apart=False, seed=1)
    fewer = questions_of(Phrases(50, each=4), 8, max_windows=20, apart=False, seed=1)
    assert len(every.windows) == 200
    assert len(fewer.windows) == len(set(fewer.windows)) == 20
    assert fewer.shown.shape == (20, 64)
    for window, shown in zip(fewer.windows, fewer.shown, strict=True):
        assert fewer.offered[shown[0]] == window
        assert every.shown[every.windows.index(window)].tolist() == shown.tolist()


def test_who_believes_keys_is_asked_with_and_without(tmp_path):
    believer = Believer()
    found = values(outcome_of([believer], Phrases(64), tmp_path), "believer")
    assert found["top_1_of_64"] == 1
    assert found["top_1_of_64_open_key"] == pytest.approx(1 / 64)  # all level
    assert believer.most_semitones == 2  # as it was


def test_keys_are_believed_again_after_an_error():
    believer = Believer()
    with pytest.raises(RuntimeError), believing_keys(believer, OPEN):
        assert believer.most_semitones == 6
        raise RuntimeError
    assert believer.most_semitones == 2


def test_who_finds_keys_by_itself_has_no_answer_where_they_are_known():
    assert ways_of(AutomashupperScorer()) == [OPEN, APART_OPEN]
    assert ways_of(RandomScorer()) == [KNOWN, OPEN, APART, APART_OPEN]


def test_exact_and_estimated_songs_stand_apart(tmp_path):
    # Only the first eight songs, those annotated as exact, find their music.
    rule = Rule("rule", lambda one, other: one == other and int(one.split("-")[0]) < 8)
    outcome = outcome_of([rule], Phrases(64, exact=8), tmp_path)
    found = values(outcome, "rule")
    assert found["top_1_of_64_exact"] == 1
    assert found["top_1_of_64_estimated"] == pytest.approx(1 / 64)
    assert found["top_1_of_64"] == pytest.approx(8 / 64 + 56 / 64 / 64)
    assert any("_exact" in note for note in outcome.notes)
    alone = outcome_of([rule], Phrases(64), tmp_path)
    assert not any(name.endswith("_exact") for name in alone.metrics)
    assert any("No keys are annotated as exact" in note for note in alone.notes)


def test_sides_apart_and_windows_that_nobody_can_find(tmp_path):
    rule = Rule("rule", lambda one, other: one == other)
    outcome = outcome_of([rule], Phrases(64, lost=range(16)), tmp_path, apart=True)
    found = values(outcome, "rule")
    assert found["top_1_of_64"] == 1
    # The rule finds them all; the lost stand last all the same.
    assert found["top_1_of_64_apart"] == pytest.approx(48 / 64)
    assert found["normalised_rank_mean_apart"] == pytest.approx(16 / 64)
    assert any(vocal.endswith("-apart") for vocal, _ in rule.asked)
    assert any("16 of 64 windows have no counterpart" in note for note in outcome.notes)


def test_the_lost_stand_last_whatever_their_scores():
    found = answers_of(np.array([[3.0, 1, 2], [3.0, 1, 2]]), [True, False]).placement
    assert found.better.tolist() == [2, 0]
    assert found.tied.tolist() == [0, 0]


def test_groups_are_drawn_and_counted(tmp_path):
    rule = Rule("rule", lambda one, other: one == other)
    outcome = outcome_of([rule], Phrases(64), tmp_path)
    assert any("64 windows of 64 songs in 32 groups" in note for note in outcome.notes)
    assert outcome.results[0].facts["groups"] == {"8": 32}
    # Two groups: what one of them is drawn from has half of the songs or all.
    two = Rule("two", lambda one, other: one == other and int(one.split("-")[0]) < 2)
    estimate = outcome_of([two], Phrases(4), tmp_path).results[0].metrics["normalised_rank_mean"]
    assert (estimate.low, estimate.high) == (0.0, 0.5)


class MustBeMoved:
    """Hears only what has been moved."""

    name = "deaf"

    def score(self, query, candidates):
        raise AssertionError("it must not be asked")


def test_who_must_be_moved_is_refused_plainly(tmp_path):
    scorers = [RandomScorer(), MustBeMoved()]
    with pytest.raises(ConfigError, match=r"^deaf: hears only parts.*protocol.moved=true"):
        outcome_of(scorers, Phrases(64), tmp_path)
    assert not can_ask(MustBeMoved(), {"moved": False})
    assert can_ask(MustBeMoved(), {"moved": True})
    assert can_ask(RandomScorer(), {"moved": False})
    # As a judge of what is rendered it need not answer.
    outcome = outcome_of(scorers, Phrases(64), tmp_path, judge="deaf")
    assert [result.scorer for result in outcome.results] == ["random"]
    with pytest.raises(ConfigError, match="deaf"):
        outcome_of([MustBeMoved()], Phrases(64), tmp_path, judge="deaf")


@pytest.mark.parametrize(
    "settings",
    [{"bars": []}, {"bars": [0]}, {"max_windows": 1}, {"num_places": -1}, {"num_pairs": 0}],
)
def test_settings_that_make_no_sense(settings, tmp_path):
    with pytest.raises(ConfigError):
        outcome_of([RandomScorer()], Phrases(64), tmp_path, **settings)


def test_automashupper_finds_chords_that_belong_together(tmp_path):
    database = phrase_database(tmp_path / "db", songs=6)
    source = DatabasePhrases(database.root, split="all")
    scorers = [AutomashupperScorer(), RandomScorer()]
    outcome = outcome_of(scorers, source, tmp_path, bars=[4])
    found = values(outcome, "automashupper")
    assert found["normalised_rank_mean_open_key_4_bars"] < 0.1
    assert "normalised_rank_mean_4_bars" not in found
    assert values(outcome, "random")["normalised_rank_mean_4_bars"] > 0.2
    assert outcome.scores.filter(scorer="random", way="known").height == 18


def test_strangers_of_other_splits_are_offered_and_do_not_ask():
    asked = questions_of(
        Phrases(4), 8, max_windows=None, apart=True, seed=0, strangers=Phrases(80, lost=(70,))
    )
    assert len(asked.windows) == 4
    assert [window.window_id for window in asked.offered[:4]] == [
        w.window_id for w in asked.windows
    ]
    assert asked.shown.shape == (4, 64)
    assert len({window.window_id for window in asked.offered}) == len(asked.offered) == 80
    # What halves say of strangers is believed, too, where they say anything.
    vocals, musics = asked.apart
    names = [music["harmonic"].part_id for music in musics]
    assert (len(vocals), len(names)) == (4, 80)
    assert names[5].endswith("-apart")
    assert [name for name in names if not name.endswith("-apart")] == ["70-0"]
    assert not asked.lost.any()
