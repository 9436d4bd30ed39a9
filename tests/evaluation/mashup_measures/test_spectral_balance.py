"""Voices under music of known levels, and spectra of known shapes."""

import numpy as np
import pytest

from mashnet.evaluation.mashup_measures.spectral_balance import (
    BURIED_DB,
    band_edges_hz,
    erb_number,
    long_term_spectrum_db,
    masked_share,
    mean_spectrum_db,
    spectral_distance_db,
)

RATE = 22_050
SAMPLES = 5 * RATE


def noise(seed: int = 0) -> np.ndarray:
    wave = 0.1 * np.random.default_rng(seed).standard_normal(SAMPLES)
    return wave.astype(np.float32)


def tone(hertz: float, amplitude: float = 0.1) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(SAMPLES) / RATE)).astype(np.float32)


def test_bands_are_one_erb_wide() -> None:
    # Glasberg and Moore: an ERB at 1 kHz is 132.6 Hz wide, and 15.6 ERBs lie below it.
    assert float(erb_number(1000)) == pytest.approx(15.6, abs=0.05)
    edges = band_edges_hz()
    assert edges[0] == pytest.approx(50) and edges[-1] == pytest.approx(15_000)
    at = np.searchsorted(edges, 1000) - 1
    centre = edges[at : at + 2].mean()
    assert np.diff(edges)[at] == pytest.approx(24.7 + 0.108 * centre, rel=0.02)


@pytest.mark.parametrize(("louder_db", "wanted"), [(-20, 0), (0, 0), (5.5, 0), (6.5, 1), (20, 1)])
def test_the_same_sound_is_buried_from_6_db_on(louder_db: float, wanted: float) -> None:
    assert BURIED_DB == 6
    music = noise() * np.float32(10 ** (louder_db / 20))
    assert masked_share(noise(), music, RATE) == wanted


def test_only_the_bands_of_the_voice_count() -> None:
    # 20 dB louder, but five octaves away; then in the same place.
    assert masked_share(tone(200), tone(6000, 1.0), RATE) < 0.05
    assert masked_share(tone(200), tone(210, 1.0), RATE) > 0.9


def test_only_the_time_of_the_voice_counts() -> None:
    half = noise()
    half[SAMPLES // 2 :] = 0
    after = noise(1) * 10
    after[: SAMPLES // 2] = 0
    assert masked_share(half, after, RATE) < 0.03
    assert masked_share(half, noise(1) * 10, RATE) > 0.95
    assert masked_share(noise(), after, RATE) == pytest.approx(0.5, abs=0.05)


def test_a_gain_on_both_changes_nothing_and_more_music_buries_more() -> None:
    shares = [masked_share(noise(), noise(1) * np.float32(g), RATE) for g in (0.5, 1, 2, 4, 8)]
    assert shares == sorted(shares) and shares[0] < 0.1 < 0.9 < shares[-1]
    louder = masked_share(4 * noise(), 4 * noise(1), RATE)
    assert louder == pytest.approx(shares[1])


def test_silence() -> None:
    silent = np.zeros(SAMPLES, np.float32)
    assert np.isnan(masked_share(silent, noise(), RATE))
    assert np.isnan(masked_share(silent[:0], noise(), RATE))
    assert masked_share(noise(), silent, RATE) == 0
    assert np.isnan(long_term_spectrum_db(silent[None], RATE)).all()
    assert np.isnan(long_term_spectrum_db(silent[None, :0], RATE)).all()
    assert mean_spectrum_db([long_term_spectrum_db(silent[None], RATE)]) is None
    nothing = long_term_spectrum_db(silent[None], RATE)
    assert np.isnan(spectral_distance_db(nothing, long_term_spectrum_db(noise()[None], RATE)))


def test_spectrum_of_a_tone_and_of_noise() -> None:
    spectrum = long_term_spectrum_db(tone(1000)[None], RATE)
    at = np.searchsorted(band_edges_hz(), 1000) - 1
    assert np.nanargmax(spectrum) == at and spectrum[at] == pytest.approx(0, abs=0.5)
    white = long_term_spectrum_db(np.stack([noise(), noise(1)]), RATE)
    widths_db = 10 * np.log10(np.diff(band_edges_hz()))
    heard = np.isfinite(white)
    assert heard.tolist() == (band_edges_hz()[1:] <= RATE / 2).tolist()
    inside = heard & (band_edges_hz()[1:] > 500)  # narrower bands hold few bins
    assert np.ptp((white - widths_db)[inside]) < 1.0


def test_distance_of_spectra() -> None:
    spectrum = long_term_spectrum_db(noise()[None], RATE)
    louder = long_term_spectrum_db(3 * noise()[None], RATE)
    assert spectral_distance_db(spectrum, louder) == pytest.approx(0, abs=1e-3)
    tilted = spectrum + np.where(np.arange(len(spectrum)) % 2, 3.0, -3.0)
    assert spectral_distance_db(spectrum, tilted) == pytest.approx(3)
    wide = long_term_spectrum_db(noise()[None], 44_100)  # more bands; only common ones count
    assert np.isfinite(spectral_distance_db(spectrum, wide))
    reference = mean_spectrum_db([spectrum, tilted])
    assert reference is not None
    assert spectral_distance_db(spectrum, reference) == pytest.approx(1.5)
