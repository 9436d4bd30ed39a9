"""PlaceNet as a Scorer: each side is encoded once, and places are those of the naive loop."""

import numpy as np
import pytest
import torch

from mashnet.audio.beat_features import SAMPLE_RATE
from mashnet.data.parts import ArrayPart
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.errors import ConfigError
from mashnet.models.phrases.kept import KeptEncodings
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.models.phrases.places import NOTHING
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts


class CountingNet(PlaceNet):
    """Counts the sides that it encodes."""

    def __init__(self) -> None:
        super().__init__(channels=0)
        self.encoded = 0

    def lead(self, phrases):
        self.encoded += 1
        return super().lead(phrases)

    def backing(self, phrases):
        self.encoded += 1
        return super().backing(phrases)


def scorer(network=None):
    network = network or PlaceNet(channels=0)
    return PlaceNetScorer(network, PhraseFrontend(bars=4), name="placenet")


def group(role, seed, *, bars=6, tempo_bpm=120.0, tonic=0, beats_per_bar=4, key="major"):
    random = np.random.default_rng(seed)
    beat_s = 60 / tempo_bpm
    beats = beat_s * np.arange(bars * beats_per_bar + 1)
    time_s = np.arange(round(beats[-1] * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.zeros(len(time_s))
    for beat in beats[:-1]:  # a note of the key on every beat
        hertz = 220 * 2 ** ((tonic + random.choice([0, 2, 4, 5, 7, 9, 11])) / 12)
        sounds = (time_s >= beat) & (time_s < beat + random.uniform(0.3, 1) * beat_s)
        wave += 0.2 * sounds * np.sin(2 * np.pi * hertz * time_s)
    facts = SongFacts(
        f"song {seed}",
        float(beats[-1]),
        tuple(beats),
        tuple(beats[::beats_per_bar]),
        beats_per_bar,
        Key(tonic, key) if key else None,
        tempo_bpm=tempo_bpm,
    )
    return {role: ArrayPart(wave.astype(np.float32), SAMPLE_RATE, facts)}


def test_n_queries_and_m_candidates_are_n_plus_m_encodings():
    network = CountingNet()
    judge = scorer(network)
    queries = [group("vocal", seed) for seed in range(3)]
    candidates = [group("harmonic", 10 + seed, bars=7) for seed in range(4)]
    scores = torch.stack([judge.score(query, candidates) for query in queries])
    assert network.encoded == 3 + 4
    assert scores.shape == (3, 4) and bool((scores > NOTHING).all())
    one = scorer().score(queries[1], [candidates[2]])  # alone, and nothing is kept
    assert torch.allclose(one, scores[1, 2:3], atol=1e-5)
    for query in queries:
        judge.place(candidates[0], query)
    # The three vocals had been led by nobody, and lead now as they did.
    assert network.encoded == 3 + 4


@pytest.mark.parametrize("most_semitones", [0, 6])
def test_a_place_is_that_of_the_naive_loop(most_semitones):
    judge = scorer()
    judge.most_semitones = most_semitones
    base, guest = group("harmonic", 1, tonic=3), group("vocal", 2, bars=7)
    found = judge.place(base, guest)
    on, off = (judge._heard(one) for one in (base, guest))
    best = (-np.inf,)
    shifts = (0,) if most_semitones == 0 else range(-6, 6)
    for shift in shifts:
        for g in range(7 - 4 + 1):
            for b in range(6 - 4 + 1):
                lead = off.side.cut([g], 4).shifted(shift)
                backing = on.side.cut([b], 4)
                with torch.inference_mode():
                    score = float(judge.network.lead(lead) @ judge.network.backing(backing).T)
                best = max(best, (score, g, b, (3 + shift + 5) % 12 - 5))
    assert found.score == pytest.approx(best[0], abs=1e-4)
    assert (found.guest_bar, found.base_bar) == best[1:3]
    assert (found.semitones - best[3]) % 12 == 0
    assert found.bars == 4 and 0 < found.confidence <= 1


def test_a_song_finds_its_own_bars_again_in_another_key_and_at_half_the_tempo():
    base = group("harmonic", 5, bars=8)
    same = group("vocal", 5, bars=8, tonic=2)  # the same notes a tone higher
    found = scorer().place(base, same)
    assert found.guest_bar == found.base_bar and found.semitones == -2
    slow = group("vocal", 6, bars=8, tempo_bpm=60)
    found = scorer().place(base, slow)
    assert found.tempo_level == 2 and found.tempo_ratio == 1 and found.bars == 4
    assert found.guest_bar in range(8 - 2 + 1)  # two of its bars last four of the base's


def test_what_cannot_be_compared_is_said_and_scores_nothing():
    judge = scorer()
    base, waltz = group("harmonic", 1), group("vocal", 2, beats_per_bar=3)
    short = group("vocal", 3, bars=3)
    scores = judge.score(base, [waltz, short, group("vocal", 4)])
    assert scores[:2].tolist() == [NOTHING, NOTHING] and scores[2] > NOTHING
    with pytest.raises(ConfigError, match="have 3 beats, those of song 1 4"):
        judge.place(base, waltz)
    with pytest.raises(ConfigError, match="have no 4 whole bars"):
        judge.place(base, short)
    assert judge.score(base, []).shape == (0,)


def test_what_is_kept_is_bounded_and_the_oldest_goes_first():
    asked = []

    class Big:
        nbytes = 40

    def encode(name):
        return lambda: asked.append(name) or Big()

    kept = KeptEncodings(most_bytes=100)
    for name in "abaca":  # a stays: it is asked for again and again
        kept.get(name, encode(name))
    assert asked == ["a", "b", "c"]
    kept.get("b", encode("b"))
    assert asked == ["a", "b", "c", "b"]
    huge = KeptEncodings(most_bytes=10)
    assert huge.get("a", encode("a")) is huge.get("a", encode("x"))
