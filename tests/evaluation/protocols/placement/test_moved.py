"""Pairs rendered where they belong: what is moved by how much, and who hears it."""

import numpy as np
import pytest
import torch

from mashnet.evaluation.protocols.placement.moved import ask_moved, laid
from mashnet.evaluation.protocols.placement.protocol import run
from mashnet.evaluation.protocols.placement.questions import questions_of
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.phrases import DatabasePhrases
from mashnet.models.rules.random import RandomScorer
from tests.metronome import pitch_class
from tests.phrase_songs import phrase_database


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    database = phrase_database(tmp_path_factory.mktemp("moved") / "db", songs=2, bars=9)
    return DatabasePhrases(database.root, split="all")


class Hears:
    """Keeps what it is handed; own music is whatever comes first."""

    name = "hears"

    def __init__(self):
        self.heard = []

    def score(self, query, candidates):
        self.heard.append((query, candidates))
        return torch.arange(len(candidates), 0, -1)


def test_music_is_brought_to_the_vocals_key_tempo_and_bars(source):
    vocal, music = source.windows(4)[0], source.windows(4)[-1]
    proposal = laid(source, vocal, music)
    (placement,) = proposal.placements.values()
    # Song 0 is in C at 150 bpm, song 1 in F at 159.
    assert (placement.semitones, placement.tempo_level) == (-5, 1.0)
    assert placement.tempo_ratio == pytest.approx(150 / 159)
    assert (placement.guest_bar, placement.base_bar, placement.bars) == (4, 0, 4)
    facts = proposal.candidate["harmonic"].facts
    assert facts.key == source.database.facts_of(vocal.clip_id).key
    assert facts.downbeats_s[:4] == pytest.approx(np.arange(4) * 4 * 60 / 150, abs=1e-6)
    assert proposal.query["vocal"].facts.downbeats_s[0] == pytest.approx(0.0, abs=1e-6)


def test_own_music_is_not_moved(source):
    window = source.windows(4)[0]
    (placement,) = laid(source, window, window).placements.values()
    assert (placement.semitones, placement.cents, placement.tempo_ratio) == (0, 0.0, 1.0)
    assert placement.guest_bar == placement.base_bar == window.bar


def test_everybody_hears_the_same_renderings(source):
    questions = questions_of(source, 4, max_windows=2, apart=False, seed=0)
    one, other = Hears(), Hears()
    other.name = "other"
    found = ask_moved([one, other], source, questions)
    assert set(found.answers) == {"hears (moved)", "other (moved)"}
    assert found.answers["hears (moved)"].placement.top_k(1).mean() == 1
    assert found.rendering_s > 0
    (query, candidates), *_ = one.heard
    assert candidates[1]["harmonic"].samples is other.heard[0][1][1]["harmonic"].samples
    bar_s = 4 * 60 / 150
    assert len(query["vocal"].samples) == pytest.approx(4 * bar_s * 22_050, abs=2)
    assert len(candidates[1]["harmonic"].samples) == len(query["vocal"].samples)
    # The other song's music sounds a fourth higher or lower than it lies.
    window = questions.offered[questions.shown[0, 1]]
    lies = source.pair(window)[1]["harmonic"].waveform(16_000)[: round(bar_s * 16_000 * 0.9)]
    heard = candidates[1]["harmonic"].waveform(16_000)[: round(bar_s * 16_000 * 0.9)]
    apart = (pitch_class(heard) - pitch_class(lies)) % 12
    assert apart == pytest.approx(7, abs=0.2) or apart == pytest.approx(5, abs=0.2)


def test_the_table_says_who_was_given_moved_parts_and_at_what_cost(source, tmp_path):
    outcome = run(
        [RandomScorer(), Hears()],
        source,
        bootstrap=Bootstrap(num_resamples=20),
        folder=tmp_path,
        bars=[4],
        max_windows=2,
        moved=True,
        num_places=0,
    )
    unmoved, moved = outcome.results
    assert moved.scorer == "hears (moved)"
    assert set(moved.metrics) == {"normalised_rank_mean_4_bars"}
    assert moved.facts["rendering_s_per_pair"] > 0
    assert "rendering_s_per_pair" not in unmoved.facts
    assert any("rendering took" in note for note in outcome.notes)
