from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mashnet.data.features import FeatureStore
from mashnet.data.frontend import MixFrontend
from mashnet.data.mashupdb import ROLES
from mashnet.data.mix_view import (
    EpochSampler,
    EvenWindows,
    MixItem,
    RandomWindows,
    balanced,
    label_of,
    summed,
)
from mashnet.data.moved_originals import MovedOriginals
from mashnet.data.parts import ArrayPart


def test_labels() -> None:
    assert [label_of(c) for c in ("original", "matched", "unmatched_key", "unmatched_tempo")] == [
        1,
        -1,
        0,
        0,
    ]


@given(st.dictionaries(st.sampled_from([1, 0, -1]), st.integers(1, 12), min_size=1))
def test_balancing_keeps_every_item_and_evens_the_labels(counts: dict[int, int]) -> None:
    items = [
        MixItem(features={"mix": f"{label}/{i}"}, label=label)
        for label, count in counts.items()
        for i in range(count)
    ]
    repeated = balanced(items)
    assert set(Counter(item.label for item in repeated).values()) == {max(counts.values())}
    assert {i.features["mix"] for i in repeated} == {i.features["mix"] for i in items}
    by_item = Counter(item.features["mix"] for item in repeated)
    for label in counts:
        own = [n for name, n in by_item.items() if name.startswith(f"{label}/")]
        assert max(own) - min(own) <= 1


def test_sampler_is_a_new_permutation_each_epoch_and_the_same_after_a_restart() -> None:
    sampler, again = EpochSampler(20, seed=3), EpochSampler(20, seed=3)
    first = list(sampler)
    assert sorted(index for _, index in first) == list(range(20))
    sampler.set_epoch(1)
    again.set_epoch(1)
    assert [i for _, i in sampler] != [i for _, i in first]
    assert list(sampler) == list(again)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[FeatureStore, list[MixItem]]:
    frontend = MixFrontend(window_s=0.5)
    store = FeatureStore(tmp_path, frontend)
    wanted, items = {}, []
    for i in range(3):
        noise = np.random.default_rng(i).standard_normal(22050 * (1 + i)).astype(np.float32)
        parts = [ArrayPart(noise, 22050)]
        feature = store.feature_id(parts)
        wanted[feature] = parts
        items.append(MixItem(features=dict.fromkeys(ROLES, feature), label=i - 1, song=str(i)))
    assert store.build(wanted) == 3
    assert store.build(wanted) == 0  # a rerun redoes nothing
    return store, items


def windows(items, store, **settings) -> RandomWindows:
    return RandomWindows(
        items, store, **{"inputs": ROLES, "seed": 0, "moved_negatives": 0.0, **settings}
    )


def test_windows_are_cut_at_the_same_place_from_all_inputs(stored) -> None:
    store, items = stored
    dataset = windows(items, store)
    for index in range(len(dataset)):
        example = dataset[(5, index)]
        assert example["vocal"].shape == (store.frontend.window_frames, 128)
        assert torch.equal(example["vocal"], example["harmonic"])
        whole = np.array(store.open(items[index].features["vocal"]), dtype=np.float32)
        first = example["vocal"][0].numpy()
        assert any(np.array_equal(first, row) for row in whole)


def test_windows_move_with_the_epoch_and_repeat_with_it(stored) -> None:
    store, items = stored
    dataset = windows(items, store)
    once, again, later = (dataset[(epoch, 2)]["vocal"] for epoch in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, later)


def test_validation_windows_are_spread_over_the_mix(stored) -> None:
    store, items = stored
    dataset = EvenWindows(items, store, windows=3)
    assert len(dataset) == 9
    assert [int(dataset[i]["mix_index"]) for i in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert not torch.equal(dataset[6]["vocal"], dataset[8]["vocal"])


def test_cached_features_equal_computed_ones(stored) -> None:
    store, items = stored
    noise = np.random.default_rng(1).standard_normal(22050 * 2).astype(np.float32)
    computed = store.frontend.log_mel_of([ArrayPart(noise, 22050)]).numpy()
    assert np.abs(store.open(items[1].features["vocal"]) - computed).max() < 1e-3


def test_a_downmix_of_roles_is_about_the_log_mel_of_their_sum(stored) -> None:
    frontend = stored[0].frontend
    waves = [np.random.default_rng(i).standard_normal(44100).astype(np.float32) for i in range(3)]
    parts = [ArrayPart(wave, 22050) for wave in waves]
    real = frontend.log_mel_of(parts)
    from_roles = summed([frontend.log_mel_of([part]) for part in parts])
    # Phases meet at random: a few decibels in a single bin, next to nothing on average.
    assert float((real - from_roles).mean().abs()) * 80 < 0.5
    assert float((real - from_roles).abs().mean()) * 80 < 4


def test_a_downmix_network_is_given_one_input(stored) -> None:
    store, items = stored
    example = windows(items, store, inputs=("mix",))[(0, 0)]
    assert set(example) == {"mix", "label"}


def test_moved_originals_differ_from_the_original_in_one_role(stored) -> None:
    store, _ = stored
    frames = 300
    wanted, items = {}, []
    for song in range(2):
        for version in range(2):
            features = {}
            for number, role in enumerate(ROLES):
                noise = np.random.default_rng([song, version, number]).standard_normal(frames * 512)
                part = [ArrayPart(noise.astype(np.float32), 22050)]
                features[role] = store.feature_id(part)
                wanted[features[role]] = part
            items.append(MixItem(features=features, label=1, song=str(song), beat_frames=10.0))
    store.build(wanted)
    moved = MovedOriginals(items)
    random = np.random.default_rng(0)
    offsets = []
    for _ in range(60):
        cuts = moved.draw(random, store, store.frontend.window_frames)
        places = {}
        for role, (mel, start) in cuts.items():
            assert 0 <= start <= mel.shape[0] - store.frontend.window_frames
            (owner,) = (
                index
                for index, item in enumerate(items)
                if np.array_equal(store.open(item.features[role])[:5], mel[:5])
            )
            places[role] = (owner, start)
        assert len(set(places.values())) == 2  # two roles together, one elsewhere
        if len({owner for owner, _ in places.values()}) == 1:
            low, high = sorted({start for _, start in places.values()})
            offsets.append(high - low)
    assert offsets
    for offset in offsets:
        assert offset <= 22
        assert abs(offset - round(offset / 10) * 10) > 2  # never near a beat


def test_without_moved_negatives_the_papers_examples_are_used(stored) -> None:
    store, items = stored
    none, all_moved = windows(items, store), windows(items, store, moved_negatives=1.0)
    unmatched = next(i for i, item in enumerate(none.items) if item.label == 0)
    plain = none[(0, unmatched)]
    assert torch.equal(plain["vocal"], plain["harmonic"])
    assert int(all_moved[(0, unmatched)]["label"]) == 0
