"""Stems on disk as samples: what goes in comes out, once decoded is enough, damage is mended."""

from __future__ import annotations

import multiprocessing
import pickle

import numpy as np
import pytest

from mashnet.audio.io import read_audio, write_flac
from mashnet.data.stems import wave_store
from mashnet.data.stems.wave_store import WaveStore
from mashnet.errors import DatabaseError
from mashnet.execution.local import LocalExecutor
from tests.stems import RATE, Clip, noise, stem_database, tone

STEP = 1 / (32767 * 0.5)  # between two numbers that can be stored


def store_of(root, *stems, sample_rate=RATE, rate=RATE):
    clip = Clip("song", [("", samples) for samples in stems], sample_rate=rate)
    store = WaveStore(stem_database(root, [clip]), sample_rate)
    return store, [f"000-{number:02d}" for number in range(len(stems))]


def everything(store, stem_id):
    return store.read(stem_id, 0, store.num_samples(stem_id))


def test_round_trip_within_16_bits(tmp_path):
    loud, quiet = noise(0, 1.0, level=1.0), noise(1, 0.7, level=1e-3)
    store, ids = store_of(tmp_path, loud, quiet)
    assert store.build(ids) == 2
    for stem_id in ids:
        path = store.database.audio_path(stem_id)
        exact = read_audio(path, mono=True)[0][0]
        found = everything(store, stem_id)
        assert found.dtype == np.float32 and len(found) == len(exact)
        assert np.abs(found - exact).max() <= 0.501 * STEP


def test_any_stretch_and_silence_beyond_the_end(tmp_path):
    store, (stem_id,) = store_of(tmp_path, noise(0, 1.0))
    store.build([stem_id])
    whole = everything(store, stem_id)
    assert np.array_equal(store.read(stem_id, 300, 500), whole[300:800])
    across = store.read(stem_id, RATE - 100, 250)
    assert np.array_equal(across[:100], whole[-100:]) and not across[100:].any()
    beyond = store.read(stem_id, 5 * RATE, 70)
    assert beyond.shape == (70,) and not beyond.any()


def test_another_rate_and_two_channels(tmp_path):
    left, right = tone(440, 1.0, rate=44_100), tone(220, 1.0, rate=44_100)
    store, (stem_id,) = store_of(tmp_path, np.stack([left, right]), rate=44_100)
    store.build([stem_id])
    assert store.num_samples(stem_id) == RATE
    expected = (tone(440, 1.0) + tone(220, 1.0)) / 2
    # What resampling does at the very ends and at the strokes of the tones is its own business.
    assert np.sqrt(np.mean(np.square(everything(store, stem_id) - expected))) < 0.01
    assert np.corrcoef(everything(store, stem_id), expected)[0, 1] > 0.995
    other = WaveStore(store.database, 8000)
    assert other.build([stem_id]) == 1 and other.num_samples(stem_id) == 8000


def test_up_to_six_decibels_above_full_scale_nothing_is_clipped(tmp_path, monkeypatch):
    store, (stem_id,) = store_of(tmp_path, noise(0, 0.1))
    wave = np.array([-2.0, -1.4, 0.0, 1.0, 1.999, 2.5, -2.5], np.float32)
    monkeypatch.setattr(wave_store, "read_audio", lambda *_, **__: (wave[None], RATE))
    store.build([stem_id], executor=LocalExecutor(1))
    assert everything(store, stem_id)[:5] == pytest.approx(wave[:5], abs=STEP)
    assert everything(store, stem_id)[5:] == pytest.approx([2.0, -2.0], abs=1e-3)


def test_nothing_is_decoded_twice(tmp_path, monkeypatch):
    store, ids = store_of(tmp_path, noise(0, 0.2), noise(1, 0.2))
    assert store.build([*ids, *ids]) == 2  # named twice
    monkeypatch.setattr(wave_store, "read_audio", lambda *_, **__: pytest.fail("decoded again"))
    assert store.build(ids) == 0
    assert WaveStore(store.database, RATE).build(ids) == 0


def test_processes_write_the_same_bytes(tmp_path):
    files = []
    for workers in (1, 2):
        store, ids = store_of(tmp_path / str(workers), *[noise(i, 0.2) for i in range(5)])
        assert store.build(ids, executor=LocalExecutor(workers)) == 5
        files.append([path.read_bytes() for path in sorted(store.folder.rglob("*.npy"))])
    assert files[0] == files[1] and len(files[0]) == 5


def test_a_killed_build_continues(tmp_path, monkeypatch):
    store, ids = store_of(tmp_path, *[noise(i, 0.2) for i in range(4)])
    save, saved = np.save, []

    def killed(path, samples):
        if len(saved) == 2:
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        saved.append(path)
        save(path, samples)

    monkeypatch.setattr(np, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        store.build(ids, executor=LocalExecutor(1))
    monkeypatch.undo()
    # A kill that nothing can catch leaves its temporary file.
    leftover = store.folder / "00" / ".000-03.x.partial.npy"
    leftover.write_bytes(b"half")
    assert store.build(ids, executor=LocalExecutor(1)) == 2
    assert {path.name.split(".")[0] for path in store.folder.rglob("*.npy")} == set(ids)


def test_a_rebuilt_database_is_heard_anew(tmp_path):
    store, (stem_id,) = store_of(tmp_path, noise(0, 0.5))
    store.build([stem_id])
    before = everything(store, stem_id)
    # Ids are hashes of what is heard: a clip that changed has others.
    stems = store.database.stems
    write_flac(tmp_path / "audio/000/0.flac", noise(7, 0.5)[None], RATE)
    store.database.write_table("stems", stems.with_columns(stem_id=stems["stem_id"] + "-new"))
    again = WaveStore(store.database, RATE)
    assert again.build([f"{stem_id}-new"]) == 1
    assert everything(again, f"{stem_id}-new") == pytest.approx(noise(7, 0.5), abs=1e-4)
    assert not np.array_equal(everything(again, f"{stem_id}-new"), before)


def test_a_stem_replaced_under_its_id_is_heard_anew(tmp_path):
    store, ids = store_of(tmp_path, noise(0, 0.5), noise(1, 0.5))
    store.build(ids)
    kept = everything(store, ids[1])
    old_scheme = store.folder / "00" / f"{ids[0]}.npy"
    np.save(old_scheme, np.zeros(10, np.int16))
    write_flac(store.database.audio_path(ids[0]), noise(7, 0.3)[None], RATE)
    for again, built in ((store, 1), (WaveStore(store.database, RATE), 0)):
        assert again.build(ids) == built
        assert everything(again, ids[0]) == pytest.approx(noise(7, 0.3), abs=1e-4)
        assert np.array_equal(everything(again, ids[1]), kept)
    sizes = [store.database.audio_path(stem_id).stat().st_size for stem_id in ids]
    assert sorted(path.name for path in store.folder.rglob("*.npy")) == [
        f"{stem_id}.{size}.npy" for stem_id, size in zip(ids, sizes, strict=True)
    ]


def test_a_stem_that_was_replaced_is_not_read_before_it_is_built(tmp_path):
    store, (stem_id,) = store_of(tmp_path, noise(0, 0.5))
    store.build([stem_id])
    write_flac(store.database.audio_path(stem_id), noise(7, 0.3)[None], RATE)
    with pytest.raises(DatabaseError, match="is missing or damaged.*Start again"):
        WaveStore(store.database, RATE).read(stem_id, 0, 10)


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def emptied(path):
    path.write_bytes(b"")


def scribbled(path):
    path.write_bytes(b"no numbers at all, but many letters" * 50)


def pickled(path):
    path.write_bytes(pickle.dumps([1, 2, 3]))


def of_floats(path):
    np.save(path, np.zeros((3, 4)))


@pytest.mark.parametrize("damage", [cut, emptied, scribbled, pickled, of_floats])
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    store, ids = store_of(tmp_path, noise(0, 0.5), noise(1, 0.5))
    store.build(ids)
    before = everything(store, ids[0])
    (path,) = store.folder.glob(f"00/{ids[0]}.*.npy")
    damage(path)
    other = WaveStore(store.database, RATE)
    with pytest.raises(
        DatabaseError, match=r"000-00\.\d+\.npy is missing or damaged.*Start again"
    ) as e:
        other.read(ids[0], 0, 10)
    assert "\n" not in str(e.value)
    assert other.build(ids) == 1
    assert np.array_equal(everything(other, ids[0]), before)


@pytest.mark.parametrize("workers", [1, 2])
def test_stems_that_cannot_be_read_are_named_and_the_others_built(tmp_path, workers):
    store, ids = store_of(tmp_path, *[noise(i, 0.2) for i in range(5)])
    store.database.audio_path(ids[1]).unlink()
    store.database.audio_path(ids[2]).write_bytes(b"no sound")
    emptied(store.database.audio_path(ids[3]))
    assert store.build(ids, executor=LocalExecutor(workers)) == 2
    assert list(store.unreadable) == ids[1:4]
    reasons = list(store.unreadable.values())
    assert reasons[0].endswith("1.flac: does not exist") and "2.flac: cannot be" in reasons[1]
    assert reasons[2].endswith("3.flac: is empty (0 bytes)") and "\n" not in "".join(reasons)
    assert everything(store, ids[4]) == pytest.approx(noise(4, 0.2), abs=1e-4)
    with pytest.raises(DatabaseError, match="is missing or damaged"):
        store.num_samples(ids[1])
    for stem_id in ids[1:4]:  # mended
        write_flac(store.database.audio_path(stem_id), noise(8, 0.2)[None], RATE)
    assert store.build(ids, executor=LocalExecutor(workers)) == 3 and not store.unreadable


def test_a_stem_that_the_database_lacks_is_refused(tmp_path):
    store, _ = store_of(tmp_path, noise(0, 0.2))
    with pytest.raises(DatabaseError, match="there is no stem nobody"):
        store.build(["nobody"])


def test_a_full_disk_is_no_unreadable_stem(tmp_path, monkeypatch):
    store, ids = store_of(tmp_path, noise(0, 0.2))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        store.build(ids)


def read_elsewhere(store, stem_id, queue):
    queue.put(store.read(stem_id, 0, 100))


def test_a_store_is_handed_to_processes_without_its_samples(tmp_path):
    store, (stem_id,) = store_of(tmp_path, noise(0, 5.0))
    store.build([stem_id])
    expected = store.read(stem_id, 0, 100)
    assert len(pickle.dumps(store)) < 50_000  # the samples alone are 160,000 bytes
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=read_elsewhere, args=(store, stem_id, queue))
    process.start()
    found = queue.get(timeout=60)
    process.join()
    assert np.array_equal(found, expected)


def test_files_beyond_what_a_process_may_map_are_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr(wave_store, "_MOST_OPEN", 2)
    sounds = [noise(i, 0.1) for i in range(5)]
    store, ids = store_of(tmp_path, *sounds)
    store.build(ids)
    for number in (0, 4, 2, 0, 1, 3, 0):
        assert everything(store, ids[number]) == pytest.approx(sounds[number], abs=1e-4)
        assert len(store._open) <= 2
