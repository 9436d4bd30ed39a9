"""Examples of phrases: both sides at the same bars, moved ones elsewhere, the same by key."""

import numpy as np
import pytest
import torch

from mashnet.data.phrases.data import PhraseData
from mashnet.data.phrases.examples import PhraseClip, PhraseExamples, TrackerErrors
from mashnet.data.phrases.phrase import SidePhrases
from mashnet.errors import ConfigError, DatabaseError
from mashnet.execution import local
from tests.phrases import phrase_library


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr(local, "_WORTH_PROCESSES", 1000)


def clip(bars=8, seed=0, whole=None):
    """A clip whose lead and backing count beats, so that a test sees where a phrase begins."""
    random = torch.Generator().manual_seed(seed)
    numbers = torch.arange(4.0 * bars).view(bars, 4) / 1000
    chroma = torch.rand(bars, 4, 2, 12, generator=random)

    def side():
        return SidePhrases(torch.rand(bars, 4, 12, 3, generator=random), chroma, numbers)

    return PhraseClip(0, side(), side(), np.ones(bars, bool) if whole is None else whole)


def test_both_sides_are_of_the_same_bars_and_a_moved_backing_is_not():
    examples = PhraseExamples([clip()], seed=3)
    batch = examples.__getitems__([(draw, 0, 4) for draw in range(40)])
    torch.testing.assert_close(batch["lead"].level, batch["backing"].level)
    torch.testing.assert_close(batch["lead"].chroma, batch["backing"].chroma)
    moved, backing = batch["moved"].chroma, batch["backing"].chroma
    assert all(not torch.equal(one, other) for one, other in zip(moved, backing, strict=True))
    in_time = (batch["moved"].level != batch["backing"].level).any(1)
    assert 8 <= int(in_time.sum()) <= 32  # about half are moved in time, the others in pitch
    in_pitch = ~in_time
    torch.testing.assert_close(batch["moved"].onsets[in_pitch], batch["backing"].onsets[in_pitch])


def test_a_backing_that_repeats_itself_is_moved_in_pitch_only():
    same = clip()
    same.backing.chroma[...] = torch.rand(12)  # one chord throughout: late is no different
    batch = PhraseExamples([same], seed=3).__getitems__([(draw, 0, 4) for draw in range(20)])
    torch.testing.assert_close(batch["moved"].level, batch["backing"].level)


def test_an_example_is_the_same_by_its_key_and_another_by_another():
    one, again = (PhraseExamples([clip()], seed=3)[5, 0, 4] for _ in range(2))
    other = PhraseExamples([clip()], seed=4)[5, 0, 4]
    torch.testing.assert_close(one["moved"].chroma, again["moved"].chroma)
    assert not torch.equal(one["moved"].chroma, other["moved"].chroma)


def test_bars_that_are_not_whole_are_in_no_phrase():
    whole = np.ones(8, bool)
    whole[3] = False
    broken = clip(whole=whole)
    assert broken.starts(3).tolist() == [0, 4, 5]
    assert broken.starts(5).tolist() == []
    broken.lead.level[:3] = -3.0
    assert broken.starts(3).tolist() == [4, 5]  # nothing leads there


def test_trackers_errors_are_read_on_both_sides_alike():
    errors = TrackerErrors(tempo=1.0, late=0.0)
    batch = PhraseExamples([clip(16)], seed=1, errors=errors).__getitems__(
        [(draw, 0, 4) for draw in range(20)]
    )
    torch.testing.assert_close(batch["lead"].level, batch["backing"].level)
    steps = batch["lead"].level[:, 1:] - batch["lead"].level[:, :-1]
    at_half = steps[:, 0] > 0.0015  # each beat is two of the clip's
    assert 0 < int(at_half.sum()) < 20
    late = PhraseExamples([clip(16)], seed=1, errors=TrackerErrors(late=1.0)).__getitems__(
        [(draw, 0, 4) for draw in range(20)]
    )
    beats = (late["lead"].level[:, 0] * 1000).round() % 4
    assert set(beats.tolist()) <= {0.0, 1.0, 2.0, 3.0}
    assert (beats > 0).float().mean() > 0.5
    torch.testing.assert_close(late["lead"].level, late["backing"].level)


def data_of(root, **changed):
    settings = {
        "bars": (4,),
        "validation_bars": 4,
        "batch_size": 4,
        "per_clip": 2,
        "validation_per_clip": 1,
        "errors": TrackerErrors(),
        "seed": 1,
    }
    return PhraseData(root, **{**settings, **changed})


def test_a_library_gives_batches_of_both_splits(tmp_path):
    phrase_library(tmp_path, 4, splits=("train", "val"), bars=6)
    data = data_of(tmp_path)
    (batch, *_) = data.train_dataloader()
    assert batch["lead"].chroma.shape == (4, 32, 12)
    assert sorted(set(batch["song"].tolist())) == [0, 1]
    validation = list(data.val_dataloader())
    assert sum(len(one["song"]) for one in validation) == 4


def test_songs_that_are_too_short_are_left_out_with_a_word(tmp_path, capsys):
    phrase_library(tmp_path, 4, splits=("train", "val"), bars=6)
    with pytest.raises(DatabaseError, match="phrases of 8 bars"):
        data_of(tmp_path, bars=(8,))
    assert "2 of 2 songs left out" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="lengths of phrases"):
        data_of(tmp_path, bars=(0,))
