import numpy as np
import pytest

from data_pipelines.mashupdb.analyse import cached_annotation, with_known
from data_pipelines.sources.song import Known
from mashnet.audio.annotate import Annotation
from mashnet.music.keys import Key


def estimate(tempo_bpm: float, first_s: float, *, per_bar: int = 4, jitter_s: float = 0.0):
    """Return what a tracker would say about 40 s of a regular beat."""
    beats = np.arange(first_s, 40.0, 60 / tempo_bpm)
    beats = np.round(beats + jitter_s * np.sin(np.arange(len(beats)) * 7.0), 2)
    return Annotation(
        tempo_bpm=tempo_bpm,
        beats=tuple(beats.tolist()),
        downbeats=tuple(beats[::per_bar].tolist()),
        beats_per_bar=per_bar,
        key=Key(3, "minor"),
        key_confidence=0.4,
    )


def test_without_knowledge_the_estimate_stands():
    found = estimate(120, 0.3)
    assert with_known(found, Known(), 40.0) == found


@pytest.mark.parametrize(
    ("tracked_bpm", "per_bar"), [(120, 4), (121, 4), (60, 4), (240, 4), (180, 3)]
)
def test_a_known_tempo_gives_a_grid_in_phase_with_beats_of_any_level(tracked_bpm, per_bar):
    seen = estimate(120 if tracked_bpm == 121 else tracked_bpm, 0.3, per_bar=per_bar, jitter_s=0.02)
    found = with_known(seen, Known(tempo_bpm=120.0), 40.0)
    assert found.tempo_bpm == 120.0
    assert np.diff(found.beats) == pytest.approx(np.full(len(found.beats) - 1, 0.5), abs=2e-4)
    assert found.beats[0] == pytest.approx(0.3, abs=0.02)
    assert found.beats[-1] > 39.4
    assert found.downbeats[0] == pytest.approx(0.3, abs=0.02)
    assert set(found.downbeats) <= set(found.beats)


def test_bar_starts_fix_the_phase_and_the_bars_against_the_tracker():
    off_beat = estimate(120, 0.25)
    known = Known(tempo_bpm=120.0, bar_starts=(0.503, 8.5, 16.498))
    found = with_known(off_beat, known, 40.0)
    assert found.beats[0] == pytest.approx(0.0, abs=0.01)
    assert found.downbeats[:2] == pytest.approx((0.5, 2.5), abs=0.01)
    assert found.beats_per_bar == 4


def test_bar_starts_that_are_three_beats_apart_mean_bars_of_three():
    known = Known(tempo_bpm=120.0, bar_starts=(0.0, 4.5, 9.0))
    found = with_known(estimate(120, 0.0), known, 20.0)
    assert found.beats_per_bar == 3
    assert found.downbeats[:3] == pytest.approx((0.0, 1.5, 3.0))


def test_inconsistent_bar_starts_are_not_followed():
    known = Known(tempo_bpm=120.0, bar_starts=(0.1, 2.33, 4.6))
    found = with_known(estimate(120, 0.3), known, 20.0)
    assert found.beats[0] == pytest.approx(0.3, abs=0.01)


def test_a_known_tempo_alone_does_not_invent_beats():
    silent = Annotation(
        tempo_bpm=0.0, beats=(), downbeats=(), beats_per_bar=0, key=Key(0, "major"),
        key_confidence=0.0,
    )  # fmt: skip
    found = with_known(silent, Known(tempo_bpm=90.0), 20.0)
    assert (found.tempo_bpm, found.beats, found.beats_per_bar) == (90.0, (), 0)


def test_explicit_beats_downbeats_and_key_win_entirely():
    beats = tuple(np.arange(1.0, 20.0, 0.75).tolist())
    known = Known(beats=beats, downbeats=(1.751, 4.0), key="F# minor")
    found = with_known(estimate(120, 0.3), known, 15.0)
    assert found.beats == tuple(beat for beat in beats if beat < 15.0)
    assert found.tempo_bpm == pytest.approx(80.0)
    assert found.downbeats == (1.75, 4.0)
    assert found.beats_per_bar == 3
    assert (found.key, found.key_confidence) == (Key(6, "minor"), 1.0)


def test_the_analysis_is_cached_by_content(tmp_path, quick_tracker):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 22050)).astype(np.float32)
    first = cached_annotation(tmp_path, noise, 22050)
    assert cached_annotation(tmp_path, noise.copy(), 22050) == first
    assert len(quick_tracker) == 1
    cached_annotation(tmp_path, 0.5 * noise, 22050)
    assert len(quick_tracker) == 2
    for path in tmp_path.iterdir():
        path.write_text('{"tempo_bpm": "half a fi')
    assert cached_annotation(tmp_path, noise, 22050) == first
