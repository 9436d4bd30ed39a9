"""Mashups of real songs."""

from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rendering_checks import splice_jumps
from mashnet.audio.io import read_audio
from mashnet.audio.limiter import true_peaks
from mashnet.data.mashupdb import MashupDB
from mashnet.rendering.beat_lags import beat_lags_s
from mashnet.rendering.mashup import Part, render_mashup, render_part
from mashnet.rendering.plan import TECHNIQUES, GuestPlan, plan_guest
from mashnet.rendering.songs import SongOfLibrary, StemFile, song_of_library
from tests.rendering.conftest import SONGS, STEREO

pytestmark = pytest.mark.corpus
ANNOTATED = [song_id for song_id in SONGS if song_id != STEREO]
STEMS_DB = Path(__file__).resolve().parents[2] / "data" / "stems"


def song(library: MashupDB, song_id: str) -> SongOfLibrary:
    return song_of_library(library, song_id)[0]


def layer_of(
    base: SongOfLibrary, guest: SongOfLibrary, stem: StemFile, technique: str
) -> tuple[np.ndarray, GuestPlan]:
    plan = plan_guest(base.facts, guest.facts, technique)
    length = {"duration_s": base.facts.duration_s, "sample_rate": base.sample_rate}
    return render_part(Part(guest, (stem,), plan, 0.0), **length), plan


@pytest.mark.parametrize(("base_id", "guest_id"), list(pairwise([*ANNOTATED, ANNOTATED[0]])))
@pytest.mark.parametrize("technique", ["tempo", "structure+key"])
def test_the_guests_beats_sound_on_the_bases(
    corpus_library: MashupDB, base_id: str, guest_id: str, technique: str
) -> None:
    base, guest = song(corpus_library, base_id), song(corpus_library, guest_id)
    stem = guest.stems_named("drums")[0]
    layer, plan = layer_of(base, guest, stem, technique)
    original, rate = read_audio(stem.path)
    lags = beat_lags_s(original, layer, rate, plan, base.facts, guest.facts)
    assert len(lags) >= 8
    assert np.median(np.abs(lags)) < 0.025
    assert np.mean(np.abs(lags) < 0.025) > 0.8


@pytest.mark.parametrize("technique", ["tempo+key", "structure"])
def test_no_click_at_a_splice(corpus_library: MashupDB, technique: str) -> None:
    spliced = 0
    for base_id, guest_id in pairwise(ANNOTATED):
        base, guest = song(corpus_library, base_id), song(corpus_library, guest_id)
        stem = guest.stems_named("other")[0]
        layer, plan = layer_of(base, guest, stem, technique)
        near, elsewhere = splice_jumps(layer, base.sample_rate, plan)
        assert near <= 1.5 * elsewhere
        spliced += len(plan.pieces) - 1
    assert spliced >= 2


@pytest.mark.parametrize(("base_id", "guest_id"), list(permutations(SONGS, 2))[::3])
def test_length_peaks_loudness_and_channels(
    corpus_library: MashupDB, base_id: str, guest_id: str
) -> None:
    base, guest = song(corpus_library, base_id), song(corpus_library, guest_id)
    name = guest.stems[0].label
    made = render_mashup(base, {name: guest})
    stereo = STEREO in (base_id, guest_id)
    assert made.audio.shape == (2 if stereo else 1, round(base.facts.duration_s * 44100))
    assert np.isfinite(made.audio).all() and np.abs(made.audio).max() < 1
    assert 20 * np.log10(true_peaks(made.audio).max()) <= -1.0 + 1e-3
    assert made.mastered.lufs == pytest.approx(-14, abs=0.5)
    if stereo:
        assert not np.array_equal(made.audio[0], made.audio[1])
        assert any("has no beats" in line for line in made.warnings)


def test_three_songs_and_more(corpus_library: MashupDB) -> None:
    base, *others = (song(corpus_library, song_id) for song_id in ANNOTATED)
    guests = dict(zip(("drums", "other", "bass"), others, strict=True))
    made = render_mashup(base, guests)
    assert [len(part.stems) for part in made.parts[1:]] == [1, 1, 1]
    assert made.warnings == ()


@pytest.mark.skipif(not STEMS_DB.is_dir(), reason="data/stems has not been built here")
def test_every_pair_of_the_whole_corpus_has_a_plan() -> None:
    database = MashupDB.open(STEMS_DB)
    songs = [song_of_library(database, clip_id)[0] for clip_id in database.clip_rows][::4]
    for base, guest in permutations(songs, 2):
        for technique in TECHNIQUES[1:3]:
            plan = plan_guest(base.facts, guest.facts, technique)
            assert plan.pieces and abs(plan.semitones) <= 6
            beat_s = 60 / 30  # of the slowest song
            to_the_end = plan.pieces[-1].end_s >= base.facts.duration_s - beat_s
            # Where the guest lacks a section the base may be alone at the end, and it is said.
            alone = technique == "structure" and any("alone" in w for w in plan.warnings)
            assert to_the_end or alone, (base.clip_id, guest.clip_id, plan.warnings)
