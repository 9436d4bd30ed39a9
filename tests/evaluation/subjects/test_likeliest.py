"""Shortlists of seeds: candidates that fit best as they lie, the own accompaniment always."""

import pytest

from mashnet.data.mixes.candidates import Limits
from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.accompaniment_retrieval import run
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.likeliest import likeliest
from mashnet.evaluation.subjects.seeds import DatabaseSeeds
from mashnet.models.rules.random import RandomScorer
from tests.phrases import phrase_library

ANY = {"max_semitones": 6, "tempo_range": (0.4, 2.5)}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return phrase_library(tmp_path_factory.mktemp("seeds"), 4, bars=9)


def test_of_each_vocal_those_are_kept_whose_chords_fit_best(library):
    source = DatabaseSeeds(library.root, split="all")
    seeds = source.seeds(Limits(6, (0.4, 2.5)), 180, 0)
    assert all(len(seed.candidates) > 2 for seed in seeds)
    kept = likeliest(seeds, [], 2)
    for before, after in zip(seeds, kept, strict=True):
        assert len(after.candidates) == 2
        assert {p.proposal_id for p in after.candidates} <= {
            p.proposal_id for p in before.candidates
        }
        assert after.own is before.own is not None
        # Both come with the chords of one song: harmony decides, the drums may be anybody's.
        assert len({p.guests["harmonic"].clip.clip_id for p in after.candidates}) == 1


def test_the_protocol_renders_and_judges_the_shortlist_only(library, tmp_path):
    outcome = run(
        [RandomScorer()],
        DatabaseSeeds(library.root, split="all"),
        bootstrap=Bootstrap(num_resamples=20),
        folder=tmp_path,
        shortlist=2,
        tempo_levels=True,
        rendered=False,
        **ANY,
    )
    assert outcome.results[0].facts["candidates_per_seed_most"] == 2
    assert any("the 2 that fit best as they lie" in note for note in outcome.notes)
    with pytest.raises(ConfigError, match="shortlist=0"):
        likeliest([], [], 0)
