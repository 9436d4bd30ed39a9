"""Which chunks can be drawn from a clip, decided on the chunk."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from mashnet.data.stems.clips import StemClip, stem_clips
from mashnet.data.stems.wave_store import WaveStore
from tests.stems import RATE, Clip, noise, stem_database

BLOCK = 1600  # samples of a tenth of a second


def clip_of(levels, *, silence_rms=1e-3):
    """A clip of stems whose root mean square in every block is told, (stems, blocks)."""
    levels = np.asarray(levels, float)
    energy = np.zeros((len(levels), levels.shape[1] + 1))
    energy[:, 1:] = np.cumsum(np.square(levels) * BLOCK, axis=1)
    return StemClip(
        clip_id="c",
        song=0,
        stem_ids=tuple("abcdefgh"[: len(levels)]),
        labels=("",) * len(levels),
        energy=energy,
        block_samples=BLOCK,
        silence_rms=silence_rms,
    )


def test_starts_by_hand():
    #                 0    1    2    3    4    5
    clip = clip_of([[0.1, 0.1, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.1, 0.1, 0.1]])
    assert clip.num_blocks == 6
    assert clip.starts(2).tolist() == []
    assert clip.starts(3).tolist() == [1]  # blocks 1, 2, 3
    assert clip.starts(4).tolist() == [0, 1]
    assert clip.starts(6).tolist() == [0]
    assert clip.sounding(0, 3).tolist() == [0]
    assert clip.sounding(1, 3).tolist() == [0, 1]
    assert clip.sounding(2, 3).tolist() == [1]


def test_a_clip_that_is_shorter_than_the_chunk_is_drawn_whole():
    clip = clip_of([[0.1] * 5, [0.1] * 5])
    assert clip.starts(50).tolist() == [0]
    assert clip.sounding(0, 50).tolist() == [0, 1]
    # Over 50 blocks 5 of level l have the root mean square l·√(1/10).
    assert len(clip_of([[0.1] * 5, [0.0031] * 5]).starts(50)) == 0
    assert len(clip_of([[0.1] * 5, [0.0032] * 5]).starts(50)) == 1
    assert len(clip_of(np.zeros((2, 0))).starts(3)) == 0


def test_the_threshold_is_of_the_chunk():
    quiet = 10 ** (-61 / 20)
    loud = 10 ** (-59 / 20)
    assert clip_of([[0.1], [loud]]).starts(1).tolist() == [0]
    assert clip_of([[0.1], [quiet]]).starts(1).tolist() == []
    assert clip_of([[0.1], [quiet]], silence_rms=10 ** (-62 / 20)).starts(1).tolist() == [0]


@given(
    st.integers(2, 5).flatmap(
        lambda stems: st.lists(
            st.lists(
                st.sampled_from([0.0, 0.0, 0.00051, 0.0021, 0.3]), min_size=stems, max_size=stems
            ),
            min_size=1,
            max_size=20,
        )
    ),
    st.integers(1, 25),
)
@settings(max_examples=200, deadline=None)
def test_starts_are_those_at_which_two_stems_sound(levels, blocks):
    levels = np.array(levels).T
    clip = clip_of(levels)
    starts = []
    for start in range(max(1, levels.shape[1] - blocks + 1)):
        power = np.square(levels[:, start : start + blocks]).sum(1) / blocks
        sounding = np.flatnonzero(np.sqrt(power) >= 1e-3)
        assert clip.sounding(start, blocks).tolist() == sounding.tolist()
        if len(sounding) >= 2:
            starts.append(start)
    assert clip.starts(blocks).tolist() == starts


SILENCE = np.zeros(3 * RATE, np.float32)


def half(seed, *, first):
    """Noise in the first or in the second half of three seconds."""
    samples = noise(seed, 3.0)
    samples[RATE * 3 // 2 :] *= not first
    samples[: RATE * 3 // 2] *= first
    return samples


def usable(root, clips, *, blocks=range(10, 11), split="train"):
    database = stem_database(root, clips)
    waves = WaveStore(database, RATE)
    waves.build(database.stems["stem_id"].to_list())
    return stem_clips(database, waves, split, blocks=blocks, silence_db=-60)


def test_what_cannot_be_drawn_from_is_left_out_with_the_reason(tmp_path):
    clips = [
        Clip("a", [("x", noise(0, 3.0)), ("y/z", noise(1, 2.0))]),
        Clip("b", [("x", noise(2, 3.0))]),
        Clip("c", []),
        Clip("d", [("x", noise(3, 3.0)), ("y", SILENCE)]),
        Clip("e", [("x", SILENCE), ("y", SILENCE)]),
        Clip("f", [("x", half(4, first=True)), ("y", half(5, first=False))]),
        Clip("g", [("x", noise(6, 0.05)), ("y", noise(7, 0.05))]),
        Clip("a", [("x", noise(8, 0.2)), ("y", noise(9, 3.0))]),
        Clip("z", [("x", noise(8, 3.0)), ("y", noise(9, 3.0))], split="val"),
    ]
    found, left_out = usable(tmp_path, clips, blocks=range(4, 5))
    # The halves of "f" meet in the chunks across the middle.
    assert [clip.clip_id for clip in found] == ["000", "005", "007"]
    assert left_out == [
        "Title 1 (001): has 1 stem(s) only",
        "Title 2 (002): has 0 stem(s) only",
        "Title 3 (003): no two stems sound together",
        "Title 4 (004): no two stems sound together",
        "Title 6 (006): no two stems sound together",
    ]
    first = found[0]
    assert (first.stem_ids, first.labels) == (("000-00", "000-01"), ("x", "y/z"))
    assert first.num_blocks == 30
    assert first.song == found[2].song != found[1].song
    assert [clip.clip_id for clip in usable(tmp_path / "v", clips, split="val")[0]] == ["008"]


def test_stems_that_never_sound_together_are_left_out(tmp_path):
    apart = half(5, first=False)
    apart[: 2 * RATE] = 0
    clip = Clip("f", [("x", half(4, first=True)), ("y", apart)])
    found, left_out = usable(tmp_path, [clip], blocks=range(4, 5))
    assert not found and left_out == ["Title 0 (000): no two stems sound together"]
    assert len(usable(tmp_path, [clip], blocks=range(10, 11))[0]) == 1


def test_a_clip_must_have_chunks_of_every_length(tmp_path):
    """A short sound is heard in short chunks, and drowned in long ones."""
    touch = SILENCE.copy()
    touch[RATE : RATE + 1600] = 2e-3
    clip = Clip("a", [("x", noise(0, 3.0)), ("y", touch)])
    assert len(usable(tmp_path, [clip], blocks=range(1, 4))[0]) == 1
    assert len(usable(tmp_path, [clip], blocks=range(1, 21))[0]) == 0


def test_energy_is_of_the_samples(tmp_path):
    sound = noise(0, 2.05)
    found, _ = usable(tmp_path, [Clip("a", [("x", sound), ("y", noise(1, 1.0))])])
    blocks = np.square(sound[: 20 * BLOCK].astype(float)).reshape(20, BLOCK).sum(1)
    assert np.diff(found[0].energy[0]) == pytest.approx(blocks, rel=1e-3)
    assert found[0].energy.shape == (2, 21)
    assert np.ptp(found[0].energy[1, 10:]) == 0  # it has ended


def test_a_label_that_the_database_lacks(tmp_path):
    database = stem_database(tmp_path, [Clip("a", [("x", noise(0, 1.0)), ("y", noise(1, 1.0))])])
    rows = database.stems.with_columns(label=pl.lit(None, pl.String))
    database.write_table("stems", rows)
    waves = WaveStore(database, RATE)
    waves.build(rows["stem_id"].to_list())
    found, _ = stem_clips(database, waves, "train", blocks=range(10, 11), silence_db=-60)
    assert found[0].labels == ("", "")
