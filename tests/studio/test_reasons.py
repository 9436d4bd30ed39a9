import math

import numpy as np
import pytest

from mashnet.models.rules.automashupper import AutomashupperScorer
from mashnet.studio.pairs import bases_of, original_of
from mashnet.studio.reasons import reasons_of
from tests.triads import triads


def chord(tonic, *, late_s=0.0):
    return triads(np.arange(late_s, 12.0, 0.5), tonic, seconds=12.0)


def test_what_is_in_key_is_more_harmonic_and_no_shift_mends_it():
    music = {"harmonic": chord(0), "percussion": chord(None)}
    (in_key, drums), (off_key, _) = (reasons_of(music, chord(tonic)) for tonic in (0, 6))
    assert in_key.guest.harmonic > 0.9
    assert off_key.guest.harmonic < in_key.guest.harmonic - 0.3
    assert off_key.guest.semitones == 0
    assert in_key.own is None
    assert (in_key.role, drums.role) == ("harmonic", "percussion")


def test_terms_are_the_rules_and_drums_have_no_pitch(small_library):
    own = original_of(bases_of(small_library)[0])
    vocal = own.candidate["vocal"]
    harmonic, drums = reasons_of(own.query, vocal, vocal)
    assert set(harmonic.terms()) == {"harmonic", "rhythmic", "spectral"}
    assert set(drums.terms()) == {"rhythmic", "spectral"}
    fit = AutomashupperScorer(most_semitones=0).best_fit(
        {"vocal": vocal}, {"harmonic": own.query["harmonic"]}
    )
    assert harmonic.terms()["harmonic"] == pytest.approx((fit.harmonic, fit.harmonic))
    assert harmonic.guest == fit
    assert all(not math.isnan(value) for pair in drums.terms().values() for value in pair)
