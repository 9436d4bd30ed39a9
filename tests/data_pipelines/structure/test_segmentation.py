"""Sections of bars whose structure is known because it was written down."""

import warnings

import numpy as np
import pytest

from data_pipelines.structure.features import Bars
from data_pipelines.structure.segmentation import boundaries, find_sections, labels

BAR_S = 2.0
RESTS_DB = -120.0


def song(form: str, *, pickup: bool = False, sung: str = "VC") -> Bars:
    """Return bars of one letter each: V and C have chords, timbre and level of their own."""
    count = len(form)
    random = np.random.default_rng(0)
    chroma, timbre, mix_db = np.zeros((count, 4, 12)), np.zeros((count, 13)), np.zeros(count)
    for number, letter in enumerate(form):
        kind = "VCBIO".index(letter)
        chroma[number, :, 2 * kind] = 0.8  # what all chords of a kind share, and one of their own
        chroma[number, :, 1 + 2 * (number % 4)] = 0.6
        timbre[number] = np.roll(np.arange(13.0), 3 * kind) + 0.3 * random.standard_normal(13)
        mix_db[number] = -14.0 if letter == "C" else -20.0
    on_downbeat = np.ones(count, bool)
    on_downbeat[0] = not pickup
    vocal_db = np.array([-22.0 if letter in sung else RESTS_DB for letter in form])
    starts = BAR_S * np.arange(count)
    rest = np.full(count, -25.0)
    levels = np.column_stack([vocal_db, rest, rest])
    return Bars(starts, starts + BAR_S, on_downbeat, chroma, timbre, levels, mix_db)


def spelled(bars: Bars) -> list[tuple[str, int]]:
    """Return label and length in bars of each section."""
    sections = find_sections(bars, BAR_S * len(bars))
    return [(s.label, round((s.end_s - s.start_s) / BAR_S)) for s in sections]


def test_a_song_with_a_verse_and_a_chorus_is_understood():
    form = "IIII" + "VVVVVVVV" + "CCCCCCCC" + "VVVVVVVV" + "CCCCCCCC" + "IIII" + "CCCCCCCC" + "OOOO"
    assert spelled(song(form)) == [
        ("intro", 4), ("verse", 8), ("chorus", 8), ("verse", 8), ("chorus", 8), ("inst", 4),
        ("chorus", 8), ("outro", 4),
    ]  # fmt: skip


def test_what_is_sung_once_and_late_is_a_bridge():
    form = "VVVVVVVV" + "CCCCCCCC" + "VVVVVVVV" + "CCCCCCCC" + "BBBBBBBB" + "CCCCCCCC"
    names = [name for name, _ in spelled(song(form, sung="VCB"))]
    assert names == ["verse", "chorus", "verse", "chorus", "bridge", "chorus"]


def test_where_nobody_sings_repetition_and_level_still_tell():
    form = "VVVVVVVV" + "CCCCCCCC" + "VVVVVVVV" + "CCCCCCCC"
    assert [name for name, _ in spelled(song(form, sung=""))] == ["verse", "chorus"] * 2
    quiet = song("IIII" + form + "OOOO", sung="")
    quiet.mix_db[[0, 1, 2, 3, -4, -3, -2, -1]] -= 6.0
    names = [name for name, _ in spelled(quiet)]
    assert names == ["intro", *["verse", "chorus"] * 2, "outro"]


def test_a_pickup_belongs_to_the_first_section():
    form = "V" + "VVVVVVVV" + "CCCCCCCC"
    assert boundaries(song(form, pickup=True)) == [0, 9, 17]


def test_sections_begin_on_known_downbeats_only():
    bars = song("VVVVVVVV" + "CCCCCCCC")
    bars.on_downbeat[8] = False
    assert 8 not in boundaries(bars)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 20, 100])
@pytest.mark.parametrize("kind", ["no pitch", "one chord", "one bar again and again", "noise"])
def test_nothing_to_tell_apart_is_no_reason_to_fail(count, kind):
    chroma = {
        "no pitch": np.zeros((count, 4, 12)),
        "one chord": np.full((count, 4, 12), 12**-0.5),
        "one bar again and again": np.tile(np.eye(12)[:4], (count, 1, 1)),
        "noise": np.random.default_rng(0).random((count, 4, 12)),
    }[kind]
    starts, level_db = BAR_S * np.arange(count), np.full(count, -20.0)
    bars = Bars(
        starts, starts + BAR_S, np.ones(count, bool), chroma, np.zeros((count, 13)),
        np.column_stack([level_db] * 3), level_db,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        borders = boundaries(bars)
        assert borders[0] == 0 and borders[-1] == count
        assert count < 4 or min(np.diff(borders)) >= 2
        assert len(labels(bars, borders)) == len(borders) - 1
