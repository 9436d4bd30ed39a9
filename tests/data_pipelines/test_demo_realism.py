"""Does a tracker that was trained on records hear in the demo corpus what is true of it?

All 64 songs: python -m benchmarks.demo_realism db=data/demo
"""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from benchmarks.demo_realism import judge, key_verdict, summary, tempo_verdict
from data_pipelines.synth.song import synthesise_song
from data_pipelines.synth.styles import STYLES
from mashnet.music.keys import Key

INDICES = range(52, 64)  # the last of them, in which every style occurs


@pytest.mark.parametrize(
    ("estimated_bpm", "verdict"),
    [(100, "right"), (103.9, "right"), (96.1, "right"), (104.2, "wrong"), (50.5, "octave"),
     (199, "octave"), (150, "metre"), (66.7, "metre"), (0, "wrong")],
)  # fmt: skip
def test_tempo_verdicts(estimated_bpm: float, verdict: str) -> None:
    assert tempo_verdict(estimated_bpm, 100.0) == verdict


@pytest.mark.parametrize(
    ("estimated", "verdict"),
    [
        (Key(9, "minor"), "right"),
        (Key(0, "major"), "relative"),
        (Key(9, "major"), "parallel"),
        (Key(4, "minor"), "fifth"),
        (Key(2, "minor"), "fifth"),
        (Key(4, "major"), "wrong"),
        (Key(3, "major"), "wrong"),
    ],
)
def test_key_verdicts(estimated: Key, verdict: str) -> None:
    assert key_verdict(estimated, Key(9, "minor")) == verdict


@pytest.mark.long  # test_mashupdb.py asks the tracker about a real song with exact beats
def test_madmom_agrees_with_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    styles = set()
    # Spawned: the parent has threads (Polars, Torch) whose locks a forked copy would inherit.
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        waiting = []
        for index in INDICES:
            song = synthesise_song(0, index)
            styles.add(song.style)
            waiting.append(
                executor.submit(judge, song.mix, song.sample_rate, song.tempo_bpm, song.key)
            )
        results = [future.result() for future in waiting]
    figures = summary([(tempo, key) for tempo, key, _ in results])
    with capsys.disabled():
        print(f"\ndemo corpus, {len(INDICES)} of its songs, madmom: {json.dumps(figures)}")
    assert styles == set(STYLES)
    lines = "\n".join(line for *_, line in results)
    assert figures["tempo_agreement"] >= 0.9, lines
    assert figures["key_agreement"] >= 0.85, lines
