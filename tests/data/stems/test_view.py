"""Chunks of the stems view: never silent, never the answer in the question, the same by key."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from mashnet.audio.io import read_audio
from mashnet.data.song_batches import SongBatches
from mashnet.data.stems.clips import StemClip
from mashnet.data.stems.data import StemData
from mashnet.data.stems.view import (
    Augmentation,
    StemChunks,
    blocks_of,
    drawn_label,
)
from mashnet.errors import ConfigError, DatabaseError
from mashnet.execution import local
from tests.stems import RATE, Clip, noise, stem_database

SECONDS = 3.0
TICK_S = 0.5


def pausing(seed):
    """Noise that pauses at random for half seconds; two of six sound at least."""
    random = np.random.default_rng(seed)
    samples = noise(seed, SECONDS)
    for pause in random.permutation(6)[: random.integers(0, 5)]:
        samples[round(pause * TICK_S * RATE) : round((pause + 1) * TICK_S * RATE)] = 0
    return samples


def four(seed):
    return [(f"family/kind {n}", pausing(10 * seed + n)) for n in range(4)]


def data_of(root, clips=None, **settings):
    clips = clips or [Clip(f"song {i}", four(i), split) for i, split in enumerate(("train",) * 3)]
    splits = {clip.split for clip in clips}
    clips = [*clips, *[Clip(f"v{i}", four(50 + i), "val") for i in range(2) if "val" not in splits]]
    stem_database(root, clips)
    return opened(root, **settings)


def opened(root, **settings):
    defaults = {
        "sample_rate": RATE,
        "target": "stem",
        "chunk_s": (0.5, 0.5),
        "validation_chunk_s": 1.0,
        "batch_size": 4,
        "per_clip": 3,
        "validation_per_clip": 2,
        "silence_db": -60.0,
        "augmentation": Augmentation(),
        "seed": 1,
    }
    return StemData(root, **{**defaults, **settings})


def chunks_of(data, **settings):
    return StemChunks(
        data.clips["train"], data.waves, **{"target": data.target, "seed": 1, **settings}
    )


@pytest.fixture(scope="module", autouse=True)
def _in_this_process():
    """Decode here: starting processes takes seconds, these few stems do not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_WORTH_PROCESSES", 1000)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_of(tmp_path_factory.mktemp("stems"))


def heard(data, clip, wave, start, blocks):
    """Find which stems a wave is the sum of, by least squares on the stems at that place."""
    length = blocks * clip.block_samples
    place = start * clip.block_samples
    stems = np.stack([data.waves.read(name, place, length) for name in clip.stem_ids])
    weights = np.linalg.lstsq(stems.T.astype(float), wave.numpy().astype(float), rcond=None)[0]
    return stems, weights


def place_of(clip, data, item, blocks):
    """Find where a chunk begins: the one place at which stems add up to both sides."""
    for start in clip.starts(blocks):
        parts = []
        for side in ("context", "target"):
            stems, weights = heard(data, clip, item[side], start, blocks)
            if np.abs(weights @ stems - item[side].numpy()).max() > 1e-5:
                break
            parts.append({clip.stem_ids[i] for i in np.flatnonzero(np.abs(weights) > 0.01)})
        else:
            return int(start), *parts
    raise AssertionError("a chunk from nowhere")


@pytest.mark.parametrize("target", ["stem", "submix"])
def test_a_chunk_is_the_sum_of_other_stems_and_of_the_target(data, target):
    chunks = chunks_of(data, target=target)
    sizes = Counter()
    for draw in range(60):
        item = chunks[(draw, draw % 3, 5)]
        clip = chunks.clips[draw % 3]
        _, context, wanted = place_of(clip, data, item, 5)
        assert context and wanted and not context & wanted
        sizes[len(wanted)] += 1
        for side in ("context", "target"):
            assert item[side].shape == (8000,) and item[side].dtype == torch.float32
            assert float(item[side].square().mean().sqrt()) >= 1e-3
    assert set(sizes) == ({1} if target == "stem" else {1, 2, 3})


def test_samples_are_those_of_the_files(tmp_path):
    """Against read_audio, at another rate than the files': to half a step of 16 bits per stem."""
    stems = [("", noise(i, 2.0, rate=44_100)) for i in range(2)]
    clips = [Clip(f"{i}", stems, sample_rate=44_100) for i in range(2)]
    data = data_of(tmp_path, clips, chunk_s=(2.0, 2.0))
    item = chunks_of(data)[(0, 0, 20)]
    waves = [
        read_audio(tmp_path / f"audio/000/{i}.flac", sample_rate=RATE, mono=True)[0][0]
        for i in range(2)
    ]
    sides = [item["context"].numpy(), item["target"].numpy()]
    if np.abs(sides[0] - waves[0]).max() > 0.01:
        sides.reverse()
    for side, wave in zip(sides, waves, strict=True):
        assert np.abs(side - wave).max() <= 0.51 / (32767 * 0.5)


def test_contexts_are_random_subsets_of_the_others(tmp_path):
    """Four stems that always sound: every target and every number of others equally often."""
    stems = [("", noise(i, 2.0)) for i in range(4)]
    data = data_of(tmp_path, [Clip("a", stems), Clip("b", stems)])
    chunks, clip = chunks_of(data), data.clips["train"][0]
    targets, sizes, members = Counter(), Counter(), Counter()
    for draw in range(400):
        _, context, (wanted,) = place_of(clip, data, chunks[(draw, 0, 20)], 20)
        targets[wanted] += 1
        sizes[len(context)] += 1
        members.update(context)
    assert set(targets) == set(clip.stem_ids) and set(sizes) == {1, 2, 3}
    # Binomial: 400/4 ± 4 standard deviations of 8.7; 400/3 ± 4 of 9.4; 400·(3/4)·(2/3) ± 4 of 10.
    assert all(abs(count - 100) < 35 for count in targets.values())
    assert all(abs(count - 400 / 3) < 38 for count in sizes.values())
    assert all(abs(count - 200) < 40 for count in members.values())


@given(
    seed=st.integers(0, 1000),
    pauses=st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=2, max_size=4),
    blocks=st.integers(1, 10),
    target=st.sampled_from(["stem", "submix"]),
)
@settings(max_examples=150, deadline=None)
def test_neither_side_is_ever_silent(seed, pauses, blocks, target):
    levels = np.repeat(np.array(pauses, np.float32) * 0.1, 16, axis=1)

    class Waves:
        """Stems of a constant level, 16 samples per block."""

        def read(self, stem_id, start, length):
            samples = levels[int(stem_id), start : start + length]
            # Stems are told apart by their level.
            return np.pad(samples, (0, length - len(samples))) * (1 + int(stem_id))

    energy = np.zeros((len(levels), 9))
    energy[:, 1:] = np.cumsum(np.square(levels).reshape(len(levels), 8, 16).sum(2), axis=1)
    clip = StemClip(
        "c", 0, tuple(map(str, range(len(levels)))), ("",) * len(levels), energy, 16, 1e-3
    )
    chunks = StemChunks([clip], Waves(), target=target, seed=seed)
    if len(clip.starts(blocks)):
        item = chunks[(seed, 0, blocks)]
        for side in ("context", "target"):
            assert item[side].shape == (16 * blocks,)
            assert item[side].abs().max() > 0


def test_the_same_key_gives_the_same_chunk_in_any_order(data):
    noisy = Augmentation(gain_db=6.0, noise_db=-20.0)
    keys = [(draw, index, 5) for draw in range(6) for index in range(3)]
    chunks = chunks_of(data, augmentation=noisy)
    first = {key: chunks[key] for key in keys}
    again = chunks_of(data, augmentation=noisy)
    for key in reversed(keys):
        item = again[key]
        assert torch.equal(item["context"], first[key]["context"])
        assert torch.equal(item["target"], first[key]["target"])
        assert (item["label"], item["song"]) == (first[key]["label"], first[key]["song"])
    distinct = {item["context"].numpy().tobytes() for item in first.values()}
    assert len(distinct) == len(keys)
    other = chunks_of(data, augmentation=noisy, seed=2)[keys[0]]
    assert not torch.equal(other["context"], first[keys[0]]["context"])


def test_gains_lie_within_their_bounds(data):
    chunks = chunks_of(data, augmentation=Augmentation(gain_db=6.0))
    gains = []
    for draw in range(60):
        item, clip = chunks[(draw, 0, 5)], chunks.clips[0]
        for start in clip.starts(5):
            found = []
            for side in ("context", "target"):
                stems, weights = heard(data, clip, item[side], start, 5)
                if np.abs(weights @ stems - item[side].numpy()).max() > 1e-5:
                    break
                found += list(weights[weights > 0.01])
            else:
                gains += found
                break
        else:
            raise AssertionError("a chunk from nowhere")
    gains_db = 20 * np.log10(gains)
    assert np.abs(gains_db).max() <= 6.001
    assert gains_db.min() < -5 and gains_db.max() > 5 and abs(np.mean(gains_db)) < 1.5


def test_noise_is_white_and_as_loud_as_said(data):
    clean = chunks_of(data)
    noisy = chunks_of(data, augmentation=Augmentation(noise_db=-20.0))
    levels, spectra, pairs = [], [], []
    for draw in range(80):
        item = noisy[(draw, 0, 5)]
        # Without gains the draws before the noise are the same.
        _, context, wanted = place_of_noisy(clean.clips[0], data, item)
        added = {}
        for side, stems in (("context", context), ("target", wanted)):
            added[side] = item[side].numpy() - stems
            level = np.sqrt(np.mean(added[side] ** 2) / np.mean(stems**2))
            levels.append(20 * np.log10(level))
            spectra.append(np.abs(np.fft.rfft(added[side] / added[side].std())) ** 2)
        pairs.append(np.corrcoef(added["context"], added["target"])[0, 1])
    assert -50.3 < min(levels) < -45 and -25 < max(levels) < -19.7
    # Of 160 spectra the mean in eight bands: flat within four standard deviations.
    bands = np.mean(spectra, axis=0)[1:4001].reshape(8, 500).mean(1)
    assert np.ptp(bands) / bands.mean() < 8 / np.sqrt(160 * 500) + 0.03
    assert np.abs(pairs).max() < 0.1  # each side has its own


def place_of_noisy(clip, data, item):
    """Find the place whose stems explain most of both sides; return their sums."""
    best = None
    for start in clip.starts(5):
        sums, left = [], 0.0
        for side in ("context", "target"):
            stems, weights = heard(data, clip, item[side], start, 5)
            sums.append((np.abs(weights) > 0.5).astype(float) @ stems)
            left += float(np.square(item[side].numpy() - sums[-1]).sum())
        if best is None or left < best[0]:
            best = (left, *sums)
    return best


def test_labels_are_drawn_from_every_level():
    random = np.random.default_rng(0)
    drawn = Counter(drawn_label("guitar/electric guitar/lead", random) for _ in range(300))
    assert set(drawn) == {"guitar", "electric guitar", "lead"}
    assert min(drawn.values()) > 60
    for unknown in ("", " ", "/", " / "):
        assert drawn_label(unknown, random) == "music"
    assert {drawn_label(" Drums / kit /", random) for _ in range(50)} == {"Drums", "kit"}


def test_the_label_is_the_targets(tmp_path):
    stems = [("a/b", noise(0, 1.0)), ("c", noise(1, 1.0)), ("", noise(2, 1.0))]
    data = data_of(tmp_path, [Clip("x", stems), Clip("y", stems)])
    chunks = chunks_of(data)
    expected = {"000-00": {"a", "b"}, "000-01": {"c"}, "000-02": {"music"}}
    found = {name: set() for name in expected}
    for draw in range(60):
        item = chunks[(draw, 0, 10)]
        _, _, (wanted,) = place_of(chunks.clips[0], data, item, 10)
        found[wanted].add(item["label"])
    assert found == expected


def test_a_submix_of_several_stems_is_music(data):
    chunks = chunks_of(data, target="submix")
    for draw in range(40):
        item = chunks[(draw, 1, 5)]
        _, _, wanted = place_of(chunks.clips[1], data, item, 5)
        if len(wanted) > 1:
            assert item["label"] == "music"
        else:
            assert item["label"] in ("family", *(f"kind {n}" for n in range(4)))


def test_clips_shorter_than_the_chunk_and_stems_of_different_length(tmp_path):
    stems = [("", noise(0, 1.0)), ("", noise(1, 0.5))]
    data = data_of(tmp_path, [Clip("x", stems), Clip("y", stems)], chunk_s=(2.0, 2.0))
    item = chunks_of(data)[(0, 0, 20)]
    assert len(item["context"]) == len(item["target"]) == 2 * RATE
    ends = sorted(int(torch.nonzero(item[s]).max()) + 1 for s in ("context", "target"))
    assert ends == pytest.approx([RATE / 2, RATE], abs=3)


def batches_of(songs, *, batch_size, per_clip=4, chunk_s=(8.0, 8.0), epoch=0, seed=1):
    batches = SongBatches(
        songs,
        batch_size=batch_size,
        per_item=per_clip,
        lengths=blocks_of(chunk_s),
        seed=seed,
    )
    batches.set_epoch(epoch)
    found = list(batches)
    assert len(found) == len(batches)
    return found


@given(
    num_songs=st.integers(2, 12),
    clips_per_song=st.integers(1, 3),
    per_clip=st.integers(1, 6),
    batch_size=st.integers(1, 12),
    epoch=st.integers(0, 3),
)
@settings(max_examples=200, deadline=None)
def test_songs_of_a_batch_differ_and_no_clip_is_forgotten(
    num_songs, clips_per_song, per_clip, batch_size, epoch
):
    songs = [song for song in range(num_songs) for _ in range(clips_per_song)]
    batches = batches_of(songs, batch_size=batch_size, per_clip=per_clip, epoch=epoch)
    total = len(songs) * per_clip
    size = min(batch_size, total)
    assert [len(batch) for batch in batches] == [size] * (total // size)
    if batch_size <= num_songs:
        for batch in batches:
            assert len({songs[index] for _, index, _ in batch}) == size
    drawn = Counter(index for batch in batches for _, index, _ in batch)
    assert max(drawn.values()) <= per_clip
    assert total - drawn.total() == total % size
    keys = [key for batch in batches for key in batch]
    assert len(set(keys)) == len(keys)
    for draw, _, blocks in keys:
        assert epoch * per_clip <= draw < (epoch + 1) * per_clip and blocks == 80


@given(st.lists(st.integers(0, 5), min_size=3, max_size=30), st.integers(1, 8))
@settings(max_examples=100, deadline=None)
def test_songs_with_many_clips_are_spread_over_the_epoch(songs, batch_size):
    """However unequal: every batch holds a song's share of it, rounded down or up."""
    batches = batches_of(songs, batch_size=batch_size, per_clip=5)
    counts = Counter(songs[index] for batch in batches for _, index, _ in batch)
    for batch in batches:
        for song, count in Counter(songs[index] for _, index, _ in batch).items():
            assert count <= -(-counts[song] // len(batches))


def test_an_epoch_holds_every_clip_as_often_as_it_says():
    batches = batches_of(range(8), batch_size=4, per_clip=3)
    assert Counter(i for batch in batches for _, i, _ in batch) == dict.fromkeys(range(8), 3)


def test_epochs_differ_and_repeat_after_a_restart():
    first, second = (batches_of(range(8), batch_size=4, epoch=epoch) for epoch in (0, 1))
    assert [[i for _, i, _ in b] for b in first] != [[i for _, i, _ in b] for b in second]
    assert not {key for b in first for key in b} & {key for b in second for key in b}
    assert batches_of(range(8), batch_size=4, epoch=1) == second
    assert batches_of(range(8), batch_size=4, epoch=1, seed=2) != second


def test_the_length_is_drawn_per_batch():
    batches = batches_of(range(10), batch_size=5, per_clip=400, chunk_s=(2.0, 10.0))
    lengths = []
    for batch in batches:
        (length,) = {blocks for _, _, blocks in batch}
        lengths.append(length)
    assert (min(lengths), max(lengths)) == (20, 100)
    # Of 800 lengths each of 81 is expected 9.9 times, standard deviation 3.1.
    assert len(set(lengths)) == 81 and max(Counter(lengths).values()) < 30
    assert blocks_of((0.1, 0.3)) == range(1, 4)


def test_batches_of_training_and_validation(data):
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == 3 * 3 // 4
    for batch in batches:
        assert batch["context"].shape == batch["target"].shape == (4, 8000)
        assert len(batch["label"]) == 4 and batch["song"].dtype == torch.int64
    validation = list(data.val_dataloader())
    assert torch.cat([b["song"] for b in validation]).bincount().tolist() == [2, 2]
    assert validation[0]["context"].shape == (4, RATE)
    again = list(data.val_dataloader())
    assert all(
        torch.equal(a["target"], b["target"]) for a, b in zip(validation, again, strict=True)
    )


def test_validation_leaves_nothing_out(tmp_path):
    clips = [Clip(f"{i}", four(i), "val" if i < 3 else "train") for i in range(5)]
    data = data_of(tmp_path, clips, batch_size=4, validation_per_clip=3)
    assert [len(batch["song"]) for batch in data.val_dataloader()] == [4, 4, 1]


def test_validation_does_not_depend_on_the_seed_nor_on_training(tmp_path):
    first = next(iter(data_of(tmp_path / "a", seed=1).val_dataloader()))
    noisy = Augmentation(gain_db=6.0, noise_db=-20)
    second = next(iter(data_of(tmp_path / "b", seed=9, augmentation=noisy).val_dataloader()))
    assert torch.equal(first["context"], second["context"]) and first["label"] == second["label"]


def test_worker_processes_read_the_same(tmp_path):
    alone = list(data_of(tmp_path / "a").train_dataloader())
    helped = list(data_of(tmp_path / "b", num_workers=2).train_dataloader())
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one["context"], other["context"])


def test_a_batch_is_its_chunks(data):
    chunks = chunks_of(data, augmentation=Augmentation(gain_db=6.0, noise_db=-20.0))
    keys = [(0, 2, 5), (7, 0, 5), (0, 1, 5), (1, 2, 5)]
    batch, alone = chunks.__getitems__(keys), [chunks[key] for key in keys]
    assert batch["song"].tolist() == [2, 0, 1, 2] == [int(item["song"]) for item in alone]
    assert batch["label"] == [item["label"] for item in alone]
    for side in ("context", "target"):
        assert torch.equal(batch[side], torch.stack([item[side] for item in alone]))


def test_what_was_left_out_is_said(tmp_path, capsys):
    clips = [Clip(f"{i}", four(i)) for i in range(2)]
    clips += [Clip("lonely", [("", noise(0, 1.0))]), Clip("none", [])]
    data = data_of(tmp_path, clips)
    assert len(data.clips["train"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err == ["train: 2 clips left out, the first: Title 2 (002): has 1 stem(s) only"]


def test_stems_that_cannot_be_read_are_left_out_with_one_line(tmp_path, capsys):
    data = data_of(tmp_path, [Clip(f"{i}", four(i)) for i in range(3)])
    paths = {stem: data.database.audio_path(stem) for stem in data.database.stems["stem_id"]}
    paths["000-01"].write_bytes(b"no sound")
    for stem_id in ("002-00", "002-01", "002-02"):
        paths[stem_id].unlink()
    capsys.readouterr()
    data = opened(tmp_path)
    assert [clip.stem_ids for clip in data.clips["train"]] == [
        ("000-00", "000-02", "000-03"),
        ("001-00", "001-01", "001-02", "001-03"),
    ]
    stems_line, clips_line = capsys.readouterr().err.splitlines()
    assert stems_line.startswith("4 of 20 stems cannot be used and are left out; the first: ")
    assert f"{paths['000-01']}: cannot be decoded" in stems_line
    assert clips_line == "train: 1 clips left out, the first: Title 2 (002): has 1 stem(s) only"
    assert len(list(data.train_dataloader())) == 1
    paths["001-00"].unlink()
    for stem_id in ("001-01", "001-02"):
        paths[stem_id].write_bytes(b"")
    with pytest.raises(DatabaseError, match=r"1 song\(s\) of the split 'train'"):
        opened(tmp_path)


def test_too_few_songs_are_refused(tmp_path):
    one = [Clip("a", four(0)), Clip("a", four(1))]
    with pytest.raises(
        DatabaseError, match=r"1 song\(s\) of the split 'train'.*at least 2"
    ) as error:
        data_of(tmp_path / "a", one)
    assert "\n" not in str(error.value)
    silent = [("", np.zeros(RATE, np.float32))] * 2
    with pytest.raises(DatabaseError, match=r"0 song\(s\) of the split 'val'"):
        data_of(
            tmp_path / "b",
            [Clip("a", four(0)), Clip("b", four(1)), Clip("v", silent, "val")],
        )


def test_settings_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"chunk_s=\[4.0, 2.0\]"):
        data_of(tmp_path, chunk_s=(4.0, 2.0))
    with pytest.raises(ConfigError, match="Did you mean 'submix'"):
        data_of(tmp_path, target="submixes")
