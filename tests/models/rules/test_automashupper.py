from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mashnet.audio.descriptors import SAMPLE_RATE
from mashnet.data.parts import ArrayPart, SumPart
from mashnet.models.rules import beat_encoding
from mashnet.models.rules.automashupper import AutomashupperScorer
from mashnet.models.rules.beat_encoding import CHROMA, ONSETS, POWER, beats_of
from mashnet.music.song_facts import SongFacts
from mashnet.music.tunings import Tuning
from mashnet.scoring import EmbeddingScorer
from tests.triads import triads

BEATS = np.arange(0.25, 16, 0.5)
PROGRESSION = (0, 5, 7, 0, 9, 5, 2, 7)  # a chord for each two beats


def song(shift: int = 0, first_beat: int = 0, beats: int = 32) -> ArrayPart:
    """Return a chord progression at 120 bpm, transposed, from a beat of it on."""
    out = np.zeros(round((beats / 2 + 0.5) * SAMPLE_RATE), np.float32)
    for beat in range(beats):
        chord = PROGRESSION[(beat + first_beat) // 2 % len(PROGRESSION)]
        loud = 1.0 if (beat + first_beat) % 4 == 0 else 0.4
        sound = triads([0.0], (chord + shift) % 12, 0.5).waveform(SAMPLE_RATE)
        start = round((0.25 + beat / 2) * SAMPLE_RATE)
        out[start : start + len(sound)] += loud * sound
    return ArrayPart(out, SAMPLE_RATE)


@pytest.fixture(scope="module")
def scorer():
    return AutomashupperScorer()


def test_the_same_sound_fits_as_it_is(scorer):
    fit = scorer.best_fit({"vocal": song()}, {"harmonic": song()})
    assert (fit.semitones, fit.beats) == (0, 0)
    assert fit.harmonic == pytest.approx(1, abs=1e-3)
    assert fit.rhythmic == pytest.approx(1, abs=1e-3)
    assert fit.score == pytest.approx(
        (fit.harmonic + 0.2 * fit.rhythmic + 0.2 * fit.spectral) / 1.4, abs=1e-5
    )


@pytest.mark.parametrize("shift", [-5, -3, 2, 6])
def test_the_shift_that_undoes_a_transposition_is_found(scorer, shift):
    fit = scorer.best_fit({"vocal": song()}, {"harmonic": song(shift)})
    assert fit.semitones == -shift or abs(fit.semitones) == abs(shift) == 6
    assert fit.harmonic > 0.9
    unshifted = AutomashupperScorer(most_semitones=0)
    worse = unshifted.best_fit({"vocal": song()}, {"harmonic": song(shift)})
    assert worse.semitones == 0 and worse.harmonic < fit.harmonic - 0.2


def test_the_offset_that_lays_beat_on_beat_is_found(scorer):
    fit = scorer.best_fit({"vocal": song()}, {"harmonic": song(first_beat=5)})
    assert fit.beats % 16 == 11  # the progression lasts sixteen beats: 11 on, or 5 back
    assert fit.semitones == 0
    # 27 of 32 beats meet, and those that are left over count against it.
    assert fit.harmonic == pytest.approx(27 / 32, abs=0.03)


def test_another_rhythm_costs_the_rhythmic_term(scorer):
    steady = {"percussion": triads(BEATS, None, 16)}
    swung = {"vocal": triads(np.sort(np.append(BEATS, BEATS[1::2] - 0.17)), None, 16)}
    same = scorer.best_fit(steady, {"vocal": triads(BEATS, None, 16)}).rhythmic
    assert same > 0.95
    assert scorer.best_fit(steady, swung).rhythmic < same - 0.1


def test_spectra_that_complement_each_other_are_flatter(scorer):
    def hum(hertz: float) -> dict:
        samples = triads(BEATS, 0, 16).waveform(SAMPLE_RATE) * 0
        for beat in BEATS:
            since = np.arange(len(samples)) / SAMPLE_RATE - beat
            envelope = np.where(since >= 0, np.exp(-10 * np.maximum(since, 0)), 0)
            samples += (envelope * np.sin(2 * np.pi * hertz * since)).astype(np.float32)
        return {"harmonic": ArrayPart(0.1 * samples, SAMPLE_RATE)}

    low, high = hum(110.0), hum(3520.0)
    alike = scorer.best_fit(low, hum(110.0)).spectral
    assert scorer.best_fit(low, high).spectral > 3 * alike


def alike(one: torch.Tensor, other: torch.Tensor, least: tuple[float, float]) -> float:
    """Return a correlation; what is quieter than usual is measured against the usual."""
    energies = [max(float(x.square().sum()), e) for x, e in zip((one, other), least, strict=True)]
    return float((one * other).sum()) / math.sqrt(energies[0] * energies[1])


def naive(first: torch.Tensor, second: torch.Tensor, weights: tuple[float, float, float]):
    """Return the best score by looping over shifts and offsets."""
    best = -math.inf
    shorter = min(len(first), len(second))
    chroma, onsets = (
        tuple(float(x[:, part].square().sum()) / len(x) * shorter for x in (first, second))
        for part in (CHROMA, ONSETS)
    )
    for shift in range(12):
        for offset in range(-len(first) + 1, len(second)):
            beats = [j for j in range(len(first)) if 0 <= j + offset < len(second)]
            if len(beats) < 0.5 * shorter:
                continue
            one = first[beats]
            other = second[[j + offset for j in beats]]
            power = one[:, POWER].sum(0) + other[:, POWER].sum(0)
            terms = (
                alike(one[:, CHROMA], other[:, CHROMA].roll(-shift, 1), chroma),
                alike(one[:, ONSETS], other[:, ONSETS], onsets),
                float(power.log().mean().exp() / power.mean()),
            )
            score = sum(w * t for w, t in zip(weights, terms, strict=True)) / sum(weights)
            best = max(best, score)
    return best


def test_the_fft_finds_what_a_loop_finds():
    scorer = AutomashupperScorer(weights={"harmonic": 0.6, "rhythmic": 0.5, "spectral": 0.4})
    first, second = song(0, beats=13), song(4, first_beat=3, beats=22)
    expected = naive(beats_of({"vocal": first}), beats_of({"harmonic": second}), (0.6, 0.5, 0.4))
    found = scorer.score({"vocal": first}, [{"harmonic": second}]).item()
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_group_is_heard_as_one(scorer):
    chords, drums = song(0, 2), triads(BEATS, None, 16)
    together = {"harmonic": chords, "percussion": drums}
    summed = scorer.score({"vocal": song(3)}, [{"harmonic": SumPart((chords, drums))}]).item()
    # The chroma is of what is pitched: drums in the same role blur it, in their own they do not.
    fit = scorer.best_fit({"vocal": song(3)}, together)
    alone = scorer.best_fit({"vocal": song(3)}, {"harmonic": chords})
    assert fit.harmonic == pytest.approx(alone.harmonic, abs=0.02)
    assert fit.score == pytest.approx(scorer.score({"vocal": song(3)}, [together]).item())
    assert summed < fit.score
    assert math.isnan(scorer.best_fit({"vocal": song(3)}, {"percussion": drums}).harmonic)
    assert scorer.score({"vocal": song()}, [{"else": song()}]).item() == 0.0  # no role of a mix


def test_drums_alone_have_their_other_terms(scorer):
    fit = scorer.best_fit({"vocal": song()}, {"percussion": triads(BEATS, None, 16)})
    assert fit.semitones == 0
    assert fit.score == pytest.approx((fit.rhythmic + fit.spectral) / 2, abs=1e-5)


def test_beats_that_are_known_are_used(scorer):
    # Slow chords, each struck twice, at 120 bpm; whoever knows the beats says they are at 60.
    told = replace(song(), facts=SongFacts("s", 16.5, tuple(np.arange(0.25, 16.5, 1.0))))
    assert len(beats_of({"harmonic": told})) == 16
    assert len(beats_of({"harmonic": song()})) > 25
    assert scorer.best_fit({"vocal": told}, {"harmonic": told}).harmonic == pytest.approx(1)


def test_roles_of_one_song_have_one_pulse(monkeypatch):
    """A stranger's stems are tracked together: once, and not each by itself."""
    tracked = []
    track = beat_encoding._tracked_s
    monkeypatch.setattr(
        beat_encoding, "_tracked_s", lambda samples: tracked.append(len(samples)) or track(samples)
    )
    group = {"harmonic": song(), "percussion": triads(BEATS, None, 16)}
    AutomashupperScorer().score({"vocal": song(3)}, [group, group])
    assert len(tracked) == 2  # the vocal and the group


def test_one_note_in_silence_does_not_fit_everything(scorer):
    note = song().samples.copy()
    note[round(1.2 * SAMPLE_RATE) :] = 0.0  # two beats of sixteen
    facts = SongFacts("s", 16.0, tuple(BEATS))
    whole = replace(song(), facts=facts)
    fit = scorer.best_fit({"vocal": whole}, {"harmonic": ArrayPart(note, SAMPLE_RATE, facts)})
    assert fit.harmonic < 0.4
    assert scorer.best_fit({"vocal": whole}, {"harmonic": whole}).harmonic > 0.99


def test_tuning_is_taken_out_where_it_is_sure():
    facts = SongFacts("s", 16.0, tuple(BEATS), tuning=Tuning(45.0, 0.9))
    sharp = ArrayPart(song().samples, round(SAMPLE_RATE * 2 ** (45 / 1200)))
    beats = tuple(BEATS / 2 ** (45 / 1200))
    plain = {"vocal": replace(song(), facts=SongFacts("s", 16.0, tuple(BEATS)))}
    found = [
        AutomashupperScorer(most_semitones=0)
        .best_fit(
            plain,
            {"harmonic": replace(sharp, facts=replace(facts, beats_s=beats, tuning=tuning))},
        )
        .harmonic
        for tuning in (Tuning(45.0, 0.9), Tuning(45.0, 0.1))
    ]
    assert found[0] > found[1] + 0.03
    assert found[0] > 0.9


@pytest.mark.parametrize(("first", "second"), [(8, 75), (75, 8)])
def test_an_offset_far_along_a_long_part(scorer, first, second):
    """Where one part is much longer, the offset is longer than half of the other's transform."""
    generator = torch.Generator().manual_seed(0)
    parts = {}
    for beats in (8, 75):
        parts[beats] = torch.zeros(beats, POWER.stop)
        parts[beats][:, :2] = 1
        parts[beats][:, 2:] = torch.randn(beats, POWER.stop - 2, generator=generator)
        parts[beats][:, POWER] = parts[beats][:, POWER].abs()
    parts[8][:, 1:] = parts[75][66:74, 1:]
    _, _, semitones, offset = scorer._best(parts[first], parts[second][None])
    assert semitones.item() == 0
    assert offset.item() == (66 if first == 8 else -66)


def test_the_smallest_overlap_counts_whatever_is_beside_it(scorer):
    """Four beats against four: half of them is enough, however long the neighbours are."""
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 4, POWER.stop, generator=generator).abs()
    other[2:] = one[:2]  # fits best where the other begins two beats earlier
    one[2:], other[:2] = 0.01 * one[2:], 0.01 * other[:2]  # and the rest is quiet
    one[:, :2] = other[:, :2] = 1
    scores = []
    for padding in (0, 1, 5, 13, 40, 100):
        padded = torch.nn.functional.pad(other, (0, 0, 0, padding))
        score, _, _, offset = scorer._best(one, padded[None])
        assert offset.item() == 2
        scores.append(score.item())
    assert max(scores) - min(scores) < 1e-5


def test_scores_do_not_depend_on_the_batch(scorer):
    queries = [{"vocal": song(2)}, {"vocal": song(0, beats=12)}]
    candidates = [{"harmonic": song(7, beats=20)}, {"harmonic": song(0, 4), "percussion": song(1)}]
    pairs = scorer.similarity(scorer.embed_query(queries), scorer.embed_candidate(candidates))
    assert pairs.shape == (2, 2)
    for row, query in zip(pairs, queries, strict=True):
        alone = [AutomashupperScorer().score(query, [c]).item() for c in candidates]
        assert row.tolist() == pytest.approx(alone, abs=1e-5)
    assert isinstance(scorer, EmbeddingScorer)


@pytest.mark.parametrize("samples", [0, 1, 399, 160_000])
def test_silence_gives_zero(scorer, samples):
    silence = ArrayPart(np.zeros(samples, dtype=np.float32), SAMPLE_RATE)
    assert scorer.score({"vocal": song()}, [{"harmonic": silence}]).tolist() == [0.0]
    assert scorer.best_fit({"vocal": song()}, {"harmonic": silence}).score == 0.0


@pytest.mark.parametrize(
    "settings",
    [
        {"weights": {"harmonic": 1.0}},
        {"most_semitones": 7},
        {"most_semitones": -1},
        {"phrase_bars": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        AutomashupperScorer(**settings)
