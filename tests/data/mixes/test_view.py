from pathlib import Path

import numpy as np
import pytest
import torch

from mashnet.data.epoch_order import EpochSampler
from mashnet.data.mashupdb import ROLES
from mashnet.data.mixes.features import FeatureStore
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.mixes.view import (
    EvenWindows,
    MixItem,
    RandomGroups,
    joined,
    label_of,
)
from mashnet.data.parts import ArrayPart
from mashnet.errors import DatabaseError


def test_labels() -> None:
    assert [label_of(c) for c in ("original", "matched", "unmatched_key", "unmatched_tempo")] == [
        1,
        -1,
        0,
        0,
    ]


def test_sampler_is_a_new_permutation_each_epoch_and_the_same_after_a_restart() -> None:
    sampler, again = EpochSampler(20, seed=3), EpochSampler(20, seed=3)
    first = list(sampler)
    assert sorted(index for _, index in first) == list(range(20))
    sampler.set_epoch(1)
    again.set_epoch(1)
    assert [i for _, i in sampler] != [i for _, i in first]
    assert list(sampler) == list(again)


ROLE_FRAMES = 300


@pytest.fixture
def stored(tmp_path: Path) -> tuple[FeatureStore, list[MixItem]]:
    """Return three originals, three unmatched and one matched mix of noise, each role its own."""
    store = FeatureStore(tmp_path, MixFrontend(window_s=0.5))
    wanted, items = {}, []
    for number, label in enumerate([1, 1, 1, 0, 0, 0, -1]):
        features = {}
        for role_number, role in enumerate(ROLES):
            random = np.random.default_rng([number, role_number])
            noise = random.standard_normal((ROLE_FRAMES - 1) * 512).astype(np.float32)
            parts = [ArrayPart(noise, 22050)]
            features[role] = store.feature_id(parts)
            wanted[features[role]] = parts
        items.append(MixItem(features=features, label=label))
    assert store.build(wanted) == 21
    assert store.build(wanted) == 0  # a rerun redoes nothing
    return store, items


def groups(stored, *, transposed_negatives: bool = False) -> RandomGroups:
    store, items = stored
    return RandomGroups(items, store, seed=0, transposed_negatives=transposed_negatives)


def place_of(store: FeatureStore, items: list[MixItem], role: str, window: torch.Tensor):
    """Return which item and which frame a window of a role begins at."""
    for number, item in enumerate(items):
        whole = np.array(store.open(item.features[role]), dtype=np.float32)
        hits = np.flatnonzero((whole == window[0].numpy()).all(1))
        if hits.size:
            return number, int(hits[0])
    raise AssertionError("a window from nowhere")


def test_a_group_has_a_mix_of_every_label_cut_at_one_place(stored) -> None:
    store, items = stored
    dataset = groups(stored)
    assert len(dataset) == 3
    seen = set()
    for index in range(len(dataset)):
        group = dataset[(5, index)]
        assert group["label"].tolist() == [1, 0, -1]
        assert group["mixes"].tolist() == [[0] * 3, [1] * 3, [2] * 3]
        for row, label in enumerate(group["label"].tolist()):
            assert group["vocal"][row].shape == (store.frontend.window_frames, 128)
            places = {place_of(store, items, role, group[role][row]) for role in ROLES}
            ((item, _),) = places
            assert items[item].label == label
            seen.add(item)
    assert seen == set(range(7))  # every mix in every epoch


def test_windows_move_with_the_epoch_and_repeat_with_it(stored) -> None:
    dataset = groups(stored, transposed_negatives=True)
    once, again, later = (dataset[(epoch, 2)] for epoch in (0, 0, 1))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert not torch.equal(once["vocal"], later["vocal"])


def test_windows_of_originals_fit_by_themselves_and_not_with_a_role_transposed(stored) -> None:
    store, items = stored
    dataset = groups(stored, transposed_negatives=True)
    steps = set()
    for epoch in range(30):
        group = dataset[(epoch, epoch % 3)]
        assert group["vocal"].shape[0] == 4 + 1 + 1
        semitones = group["semitones"].tolist()
        assert len(semitones) == 6 and max(map(abs, semitones)) <= 6
        assert max(map(abs, semitones[4:])) <= 3
        places = []
        for window in range(4):
            ((item, start),) = {place_of(store, items, r, group[r][window]) for r in ROLES}
            assert items[item].label == 1
            places.append((item, start))
        assert places[:2] == places[2:] and places[0][0] == places[1][0]
        assert semitones[0] == semitones[1] and semitones[2] == semitones[3]
        steps.add(round(semitones[2] - semitones[0], 4))
        originals, negatives = [], []
        for mix, label in zip(group["mixes"].tolist(), group["label"].tolist(), strict=True):
            if max(mix) < 4:
                (originals if label else negatives).append(tuple(mix))
        assert originals == [(w, w, w) for w in range(4)]
        # Vocal, or harmonic, from the same place at the other pitch.
        assert set(negatives) == {
            mix for w in range(4) for mix in (((w + 2) % 4, w, w), (w, (w + 2) % 4, w))
        }
        assert group["label"].tolist()[-2:] == [0, -1]  # the mixes that were rendered
    assert steps <= {float(k) for k in range(-6, 7) if k} and len(steps) > 6


def test_joining_keeps_which_windows_are_heard_together(stored) -> None:
    dataset = groups(stored, transposed_negatives=True)
    parts = [dataset[(0, index)] for index in range(3)]
    batch = joined(parts)
    first_mix = 0
    for part in parts:
        mixes = slice(first_mix, first_mix + len(part["mixes"]))
        for number, role in enumerate(ROLES):
            heard = batch[role][batch["mixes"][mixes, number]]
            assert torch.equal(heard, part[role][part["mixes"][:, number]])
        first_mix = mixes.stop
    assert batch["label"].tolist() == [label for part in parts for label in part["label"].tolist()]


def test_without_an_original_there_is_nothing_to_learn_from(stored) -> None:
    store, items = stored
    with pytest.raises(DatabaseError, match="no original"):
        groups((store, items[3:]))


def test_validation_windows_are_spread_over_the_mix(stored) -> None:
    store, items = stored
    dataset = EvenWindows(items, store, windows=3)
    assert len(dataset) == 21
    assert [int(dataset[i]["mix_index"]) for i in range(6)] == [0, 0, 0, 1, 1, 1]
    starts = [place_of(store, items, "vocal", dataset[i]["vocal"])[1] for i in range(3)]
    room = ROLE_FRAMES - store.frontend.window_frames
    assert starts == [round(room / 6), round(room / 2), round(room * 5 / 6)]


def test_cached_features_equal_computed_ones(stored) -> None:
    store, items = stored
    noise = np.random.default_rng([1, 0]).standard_normal((ROLE_FRAMES - 1) * 512)
    computed = store.frontend.log_mel_of([ArrayPart(noise.astype(np.float32), 22050)]).numpy()
    assert np.abs(store.open(items[1].features["vocal"]) - computed).max() < 1e-3
