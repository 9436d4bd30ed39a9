"""Who is asked for a pair's score: nobody is asked twice."""

import torch

from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.mashups.kept_scores import ScoreStore
from mashnet.mashups.placed import placed
from mashnet.mashups.proposals import vocals_on_music
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.music.placement import Placement
from mashnet.studio.hearing import heard, looked_at
from mashnet.studio.pairs import bases_of


class Counted(PlaceNetScorer):
    asked = 0

    def score(self, query, candidates):
        self.asked += len(candidates)
        return torch.full((len(candidates),), 0.25)


class Rule:
    name = "rule"

    def score(self, query, candidates):
        return torch.full((len(candidates),), 0.125)


def test_what_has_compared_phrases_as_they_lie_need_not_hear_them_again(small_library, tmp_path):
    judge = Counted(PlaceNet(), PhraseFrontend(), name="placenet")
    base, guest, *_ = bases_of(small_library)
    phrase = placed(base, guest, Placement(0, 0, 4, score=3.5))
    moved = vocals_on_music(small_library)[0]
    store = ScoreStore(tmp_path, "a judge")
    assert heard(judge, [phrase, moved], store) == {
        phrase.proposal_id: 3.5,
        moved.proposal_id: 0.25,
    }
    assert judge.asked == 1
    assert phrase.proposal_id not in store.read()
    # Whoever hears music that was moved is asked for both.
    scores = heard(Rule(), [phrase, moved], ScoreStore(tmp_path, "another"))
    assert set(scores.values()) == {0.125} and len(scores) == 2


def test_beside_a_pair_stands_its_own_vocal_in_the_same_bars(small_library, tmp_path):
    class Lengths(Rule):
        def score(self, query, candidates):
            return torch.tensor([candidate["vocal"].duration_s for candidate in candidates])

    base, guest, *_ = bases_of(small_library)
    bar_s = 4 * 60 / base.row["tempo_bpm"]
    phrase = placed(base, guest, Placement(0, 0, 4))
    pair = looked_at(phrase, 0.5, "first", Lengths(), ScoreStore(tmp_path, "lengths"))
    assert abs(pair.own_score - 4 * bar_s) < 1e-3
    moved = vocals_on_music(small_library, bases={base.clip_id})[0]
    pair = looked_at(moved, 0.5, "first", Lengths(), ScoreStore(tmp_path, "lengths"))
    assert pair.own_score == 12.0
