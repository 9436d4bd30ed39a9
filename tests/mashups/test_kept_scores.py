"""Scores are given once, and survive whoever stops in between."""

import pytest
import torch

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.errors import DatabaseError
from mashnet.mashups.kept_scores import ScoreStore, open_library, scores_of
from mashnet.mashups.proposals import Proposal, vocals_on_music

WIDE = Limits(6, (0.7, 1.4))


class Counting:
    """A Scorer that likes vocals by a number in their id, and counts what it is asked."""

    name = "counting"

    def __init__(self):
        self.asked = []

    def score(self, query, candidates):
        self.asked += [(query["harmonic"].part_id, c["vocal"].part_id) for c in candidates]
        return torch.tensor([int(c["vocal"].part_id[:4], 16) / 65536 for c in candidates])


@pytest.fixture
def counting():
    return Counting()


def of_one_base(library: MashupDB) -> list[Proposal]:
    first = vocals_on_music(library, limits=WIDE)[0].base.clip_id
    return vocals_on_music(library, limits=WIDE, bases={first})


def test_each_pair_is_scored_once_and_kept(small_library, tmp_path, counting):
    proposals = vocals_on_music(small_library, limits=WIDE)
    store = ScoreStore(tmp_path, "judge")
    told = []
    first = scores_of(counting, proposals, store, progress=lambda *p: told.append(p))
    assert len(counting.asked) == 12
    assert told[0] == (0, 12)
    assert told[-1] == (12, 12)
    again = scores_of(counting, proposals, ScoreStore(tmp_path, "judge"))
    assert len(counting.asked) == 12
    assert again == first
    assert first == {
        p.proposal_id: int(p.candidate["vocal"].part_id[:4], 16) / 65536 for p in proposals
    }


def test_another_judge_is_asked_anew(small_library, tmp_path, counting):
    proposals = of_one_base(small_library)
    scores_of(counting, proposals, ScoreStore(tmp_path, "judge"))
    scores_of(counting, proposals, ScoreStore(tmp_path, "another"))
    assert len(counting.asked) == 6


def test_a_page_that_is_closed_in_between_goes_on_where_it_was(small_library, tmp_path, counting):
    proposals = vocals_on_music(small_library, limits=WIDE)
    store = ScoreStore(tmp_path, "judge")

    class Closed(Exception):
        pass

    def close(done, total):
        if done >= 6:
            raise Closed

    with pytest.raises(Closed):
        scores_of(counting, proposals, store, progress=close)
    assert len(counting.asked) == len(store.read()) == 6
    finished = scores_of(counting, proposals, store)
    assert len(counting.asked) == len(set(counting.asked)) == 12
    assert len(finished) == 12


def test_a_damaged_file_of_scores_is_made_anew(small_library, tmp_path, counting):
    proposals = of_one_base(small_library)
    store = ScoreStore(tmp_path, "judge")
    store.path.write_text('{"half": 0.')
    assert len(scores_of(counting, proposals, store)) == 3
    assert len(store.read()) == 3


def test_scores_that_cannot_be_kept_are_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be written: File exists"):
        ScoreStore(tmp_path / "file", "judge").add({"a": 1.0})


def test_opening_leaves_nothing_but_a_folder_behind(small_library):
    _, kept = open_library(small_library.root)
    assert kept.is_dir()
    assert not (kept / "writable").exists()
