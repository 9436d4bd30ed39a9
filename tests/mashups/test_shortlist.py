"""The shortlist: pairs are compared as they lie, placed, and only the likeliest are heard."""

import pytest

from mashnet.data.mixes.candidates import Limits
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.mashups.best import make_mashups
from mashnet.mashups.collection import read_collection
from mashnet.mashups.scorer_choice import scorer_choices
from mashnet.mashups.shortlist import placer_of, shortlist
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.models.rules.random import RandomScorer
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, PLACED
from tests.metronome import MetronomeDB
from tests.phrases import phrase_library

ANY = Limits(max_semitones=6, tempo_range=(0.4, 2.5))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return phrase_library(tmp_path_factory.mktemp("shortlist"), 4, bars=9)


def placer():
    return PlaceNetScorer(PlaceNet(), PhraseFrontend(bars=4), name="placenet")


def test_all_pairs_are_compared_and_the_likeliest_are_proposed_as_they_are_placed(library):
    found = shortlist(library, placer(), limits=ANY, most=5)
    assert (found.compared, len(found.proposals), found.technique) == (12, 5, PLACED)
    assert found.scores == sorted(found.scores, reverse=True)
    for proposal, score in zip(found.proposals, found.scores, strict=True):
        (guest,) = proposal.guests.values()
        assert guest.placement.score == score
        assert guest.clip.song_id != proposal.base.song_id


def test_with_another_technique_the_placer_says_which_pairs_and_not_where(library):
    placed = shortlist(library, placer(), limits=ANY, most=5)
    found = shortlist(library, placer(), limits=ANY, most=5, technique="tempo+key")
    assert found.technique == "tempo+key"
    pairs = [
        [(p.base.clip_id, *(g.clip.clip_id for g in p.guests.values())) for p in one.proposals]
        for one in (placed, found)
    ]
    assert pairs[0] == pairs[1]
    assert all(g.placement is None for p in found.proposals for g in p.guests.values())


def test_songs_too_short_to_be_compared_are_proposed_by_how_little_they_are_moved(tmp_path):
    collected = MetronomeDB(tmp_path)
    for tempo_bpm in (120, 118, 126):
        collected.add(tempo_bpm=tempo_bpm, duration_s=6)
    found = shortlist(collected.write(), placer(), limits=ANY, most=4)
    assert (found.compared, found.scores, found.technique) == (0, [], DEFAULT_TECHNIQUE)
    distances = [proposal.distance for proposal in found.proposals]
    assert distances == sorted(distances) and len(distances) == 6


def test_the_judge_places_if_it_can_else_the_bundle_else_fixed_weights(tmp_path):
    judge = placer()
    assert placer_of(judge, []) is judge
    fixed = placer_of(RandomScorer(), [])
    assert isinstance(fixed, PlaceNetScorer) and fixed.network.joint is None
    bundled = placer_of(RandomScorer(), scorer_choices())
    assert bundled.name == "placenet"


def test_mashups_without_a_judge_hear_nothing_and_are_placed(library, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("nothing has to be heard")

    monkeypatch.setattr("mashnet.mashups.best.scores_of", refuse)
    monkeypatch.setattr(
        "mashnet.mashups.best.scorer_choices", lambda _: [_Choice("placenet", placer())]
    )
    chosen = make_mashups(library.root, None, tmp_path, top=2, limits=ANY)
    assert (chosen.judged, chosen.proposed, chosen.technique) == (0, 12, PLACED)
    for row in read_collection(tmp_path):
        assert "bars" in row["guests"][0]["placed"]
        assert row["technique"] == PLACED


def test_a_judge_hears_the_likeliest_only(library, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "mashnet.mashups.best.scorer_choices", lambda _: [_Choice("random", RandomScorer())]
    )
    chosen = make_mashups(library.root, "random", tmp_path, top=1, judged=3, limits=ANY)
    assert (chosen.judged, chosen.proposed, chosen.compared) == (3, 12, True)


class _Choice:
    def __init__(self, name, scorer):
        self.name, self._scorer = name, scorer

    def load(self):
        return self._scorer

    def identity(self):
        return self.name
