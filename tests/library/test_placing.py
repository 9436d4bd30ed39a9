"""All pairs of a library: what is found is what comparing phrase by phrase finds."""

import numpy as np
import pytest
import torch

from mashnet.data.mixes.candidates import Limits
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.data.phrases.pairs import music_side, vocal_side
from mashnet.data.phrases.phrase import SidePhrases
from mashnet.library import short_vectors, shortlist
from mashnet.library.meetings import Kind, Meetings
from mashnet.library.pair_limits import ManyFacts, levels_between, shifts_allowed
from mashnet.library.phrase_index import PhraseIndex
from mashnet.library.placed_sides import placed_sides
from mashnet.library.placing import best_pairs
from mashnet.library.reduction import Reduction
from mashnet.models.phrases.moves import ANYWHERE, move_of
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts
from mashnet.music.tempo_levels import ONE_LEVEL
from mashnet.music.tunings import Tuning
from tests.songs_in_beats import BeatsDB, DrawnStore


def scorer(channels=0, most_semitones=0):
    torch.manual_seed(0)
    network = PlaceNet(channels=channels)
    if network.joint is not None:  # as if it had been trained
        torch.nn.init.normal_(network.joint.out.weight)
    made = PlaceNetScorer(network, PhraseFrontend(), name="placenet")
    made.most_semitones = most_semitones
    return made


@pytest.fixture
def library(tmp_path):
    songs = BeatsDB(tmp_path / "db")
    songs.add(bars=9, tempo_bpm=100, tonic=0)
    songs.add(bars=17, tempo_bpm=60, tonic=2)  # in half or double time
    songs.add(bars=12, tempo_bpm=110, tonic=11)
    songs.add(bars=5, tempo_bpm=95, tonic=1)  # four bars and no eight
    songs.add(bars=20, tempo_bpm=120, tonic=6)
    return songs.write()


def naive(database, store, judge, base, guest, limits):
    """Return score, bars and shift of the best place, one phrase after the other."""
    facts = [database.facts_of(clip) for clip in (base, guest)]
    move = move_of(facts[1], facts[0], limits)
    if move is None:
        return None
    bars = [store.bars(clip) for clip in (base, guest)]
    level = move.tempo.level
    fitting = [
        n for n in (8, 4) if len(bars[0].phrases(n)) and len(bars[1].phrases(round(n / level)))
    ]
    if not fitting:
        return None
    length, own = fitting[0], round(fitting[0] / level)
    music, vocal = music_side(database, base), vocal_side(database, guest)
    found = store.read([music, vocal])
    on, off = (
        SidePhrases.of(found[s].features, f.key) for s, f in zip((music, vocal), facts, strict=True)
    )
    best = None
    for beyond in judge.shifts:
        shift = move.shift(beyond)
        if abs(shift.semitones) > limits.max_semitones:
            continue
        for g in bars[1].phrases(own):
            lead = off.cut([g], own).at_level(level).shifted(beyond)
            for b in bars[0].phrases(length):
                backing = on.cut([b], length)
                if not (lead.sounding() and backing.sounding()):
                    continue
                with torch.inference_mode():
                    score = float(judge.network.lead(lead) @ judge.network.backing(backing).T)
                if best is None or score > best[0]:
                    best = score, int(g), int(b), length, shift.semitones, level
    return best


@pytest.mark.parametrize("most_semitones", [0, 2, 6])
@pytest.mark.parametrize(
    "limits", [Limits(), Limits(max_semitones=6, tempo_range=(0.5, 2.0)), Limits(levels=ONE_LEVEL)]
)
def test_pairs_are_those_of_comparing_phrase_by_phrase(library, limits, most_semitones):
    judge = scorer(most_semitones=most_semitones)
    store = DrawnStore(library)
    found = best_pairs(library, judge, limits=limits, store=store)
    assert not found.left_out
    clips = sorted(library.clip_rows)
    expected = {
        (base, guest): naive(library, store, judge, base, guest, limits)
        for base in clips
        for guest in clips
        if base != guest
    }
    expected = {pair: best for pair, best in expected.items() if best}
    assert {(pair.base, pair.guest) for pair in found.pairs} == set(expected)
    assert len(expected) > 3
    for pair in found.pairs:
        p = pair.placement
        score, *where = expected[pair.base, pair.guest]
        assert [p.guest_bar, p.base_bar, p.bars, p.semitones, p.tempo_level] == where
        assert p.score == pytest.approx(score, abs=1e-4)
        assert 0 < p.confidence <= 1
    scores = [pair.placement.score for pair in found.pairs]
    assert scores == sorted(scores, reverse=True)


def test_silent_phrases_are_not_chosen_where_others_sound(tmp_path):
    songs = BeatsDB(tmp_path / "db")
    quiet, loud = songs.add(bars=24), songs.add(bars=10)
    database = songs.write()
    found = best_pairs(database, scorer(), store=DrawnStore(database, silent=[quiet]))
    assert len(found.pairs) == 2
    for pair in found.pairs:
        bar = pair.placement.base_bar if pair.base == quiet else pair.placement.guest_bar
        # Twelve bars are silent; a phrase sounds if three in ten of its beats do.
        assert bar + 8 - 12 >= 0.3 * 8
    assert {loud, quiet} == {pair.base for pair in found.pairs}


def test_a_shortlist_holds_the_same_pairs_and_nearly_the_same_scores(library, monkeypatch):
    limits = Limits(max_semitones=6, tempo_range=(0.5, 2.0))
    judge = scorer(channels=2, most_semitones=1)
    store = DrawnStore(library)
    everything = best_pairs(library, judge, limits=limits, store=store).pairs
    monkeypatch.setattr(short_vectors, "_GUEST_STEP", 1)
    monkeypatch.setattr(shortlist, "_GUEST_ROWS", 3)
    monkeypatch.setattr(shortlist, "_BASE_ROWS", 5)
    sides = placed_sides(store, split="all", which="one")
    with torch.inference_mode():
        listed = shortlist.shortlist(sides, scorer(most_semitones=1), limits, 1000)
    assert set(listed) == {(pair.base, pair.guest) for pair in everything}
    # So few phrases are reduced without loss: the order is that of exact vectors.
    exact = best_pairs(library, scorer(most_semitones=1), limits=limits, store=store).pairs
    assert listed == [(pair.base, pair.guest) for pair in exact]
    few = best_pairs(library, scorer(most_semitones=1), limits=limits, store=store, most=2)
    assert few.pairs == exact[:2]


def test_only_so_many_pairs_are_compared_exactly(library, monkeypatch):
    asked = []
    real = shortlist.shortlist
    monkeypatch.setattr(
        "mashnet.library.placing.shortlist", lambda *a: asked.append(a[-1]) or real(*a)
    )
    store = DrawnStore(library)
    assert len(best_pairs(library, scorer(), store=store, most=1).pairs) == 1
    assert asked == [4]
    best_pairs(library, scorer(), store=store, most=1000)  # all are few enough
    assert asked == [4]


def test_bases_and_songs_that_take_no_part_are_said(tmp_path):
    songs = BeatsDB(tmp_path / "db")
    first, second = songs.add(), songs.add()
    songs.add(beats=[], downbeats=[], title="Rubato")
    songs.add(key_tonic=None, key_mode=None, title="Noise")
    songs.add(bars=3, title="Jingle")
    songs.add(beats_per_bar=3, title="Waltz")
    songs.add(roles=("percussion",), title="Drums")
    database = songs.write()
    found = best_pairs(database, scorer(), store=DrawnStore(database), bases={first})
    assert [(pair.base, pair.guest) for pair in found.pairs] == [(first, second)]
    assert sorted(found.left_out) == [
        "Drums: neither a vocal nor an accompaniment that sounds",
        "Jingle: no 4 whole bars in a row",
        "Noise: no key",
        "Rubato: no beats",
        "Waltz: no other song has bars of 3 beats, and different metres are not compared",
    ]


def test_different_metres_do_not_meet_and_one_song_meets_nobody(tmp_path):
    songs = BeatsDB(tmp_path / "db")
    metre = {songs.add(beats_per_bar=n): n for n in (3, 4, 4, 3)}
    database = songs.write()
    found = best_pairs(database, scorer(), store=DrawnStore(database), which="all")
    assert not found.left_out and len(found.pairs) == 4
    assert all(metre[pair.base] == metre[pair.guest] for pair in found.pairs)
    alone = BeatsDB(tmp_path / "alone")
    alone.add()
    database = alone.write()
    found = best_pairs(database, scorer(), store=DrawnStore(database), most=10)
    assert found.pairs == [] and found.left_out == []


def random_facts(count, seed):
    random = np.random.default_rng(seed)
    return [
        SongFacts(
            "song",
            10.0,
            tempo_bpm=float(random.choice([60, 72.5, 90, 120, 144, 180])),
            key=Key(int(random.integers(12)), "major") if random.random() < 0.8 else None,
            tuning=Tuning(float(random.integers(-49, 51)), float(random.choice([0.1, 0.9]))),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("limits", [Limits(), ANYWHERE, Limits(tuned=False, levels=ONE_LEVEL)])
def test_limits_of_many_pairs_are_those_of_each(limits):
    guests, bases, beyond = random_facts(40, 0), random_facts(40, 1), (-1, 0, 1)
    levels = levels_between(ManyFacts.of(guests), ManyFacts.of(bases), limits)
    shifts = shifts_allowed(ManyFacts.of(guests), ManyFacts.of(bases), beyond, limits)
    met = 0
    for g, guest in enumerate(guests):
        for b, base in enumerate(bases):
            move = move_of(guest, base, limits)
            assert levels[g, b] == (move.tempo.level if move else 0)
            if move:
                met += 1
                assert shifts[:, g, b].tolist() == move.allowed(beyond, limits)
    assert 100 < met


def test_short_vectors_keep_products_as_far_as_their_rank_goes():
    random = torch.Generator().manual_seed(0)
    mix = torch.randn(5, 30, generator=random)
    lead, backing = torch.randn(40, 5, generator=random) @ mix, torch.randn(50, 30)
    maps = Reduction.fit(lead, backing, dimensions=5)
    assert maps.of_lead.shape == (30, 5)
    products = (lead @ maps.of_lead) @ (backing @ maps.of_backing).T
    assert torch.allclose(products, lead @ backing.T, atol=1e-3)
    few = Reduction.fit(lead, backing, dimensions=2)
    missed = (lead @ few.of_lead) @ (backing @ few.of_backing).T - lead @ backing.T
    singular = torch.linalg.svdvals(lead @ backing.T)
    # No map of two numbers misses less (Eckart and Young).
    assert float(missed.norm()) == pytest.approx(float(singular[2:].norm()), rel=1e-3)


def test_the_kinds_of_phrases_that_are_wanted(library):
    sides = placed_sides(DrawnStore(library), split="all", which="one")
    meetings = Meetings(sides, 4, 8, (0,), Limits())
    for kind, (guests, bases) in meetings.wanted.items():
        met = meetings.allowed(guests, bases, kind)[0]
        assert met.any(axis=0).all() and met.any(axis=1).all()
    assert Kind(8, 1.0) in meetings.wanted and Kind(4, 1.0) in meetings.wanted


def test_an_index_finds_what_all_pairs_find(tmp_path):
    songs = BeatsDB(tmp_path / "db")
    for number in range(12):
        songs.add(bars=12, tempo_bpm=100 + 2 * number, tonic=number % 3)
    database, judge = songs.write(), scorer(channels=2)
    store = DrawnStore(database)
    everything = best_pairs(database, scorer(), store=store).pairs
    sides = placed_sides(store, split="all", which="all")
    (vocal,) = [side for clip, side in sides.guests.items() if clip == min(sides.guests)]
    ((_, heard),) = sides.read([vocal])
    index = PhraseIndex(database, scorer(), store=store)
    assert len(index) == 12 * 5 and index.indexes.is_exact
    found = index.search(heard, 5, without=[vocal.clip_id])
    expected = [pair for pair in everything if pair.guest == vocal.clip_id][:5]
    assert [clip for clip, _ in found] == [pair.base for pair in expected]
    for (_, placement), pair in zip(found, expected, strict=True):
        assert placement.score == pytest.approx(pair.placement.score, abs=1e-4)
        assert placement.base_bar == pair.placement.base_bar
        assert placement.guest_bar == pair.placement.guest_bar
        assert placement.semitones == pair.placement.semitones
    only = index.search(heard, 3, without=[vocal.clip_id], bars=[2])
    assert {placement.guest_bar for _, placement in only} == {2}
    judged = PhraseIndex(database, judge, store=store).search(heard, 5, without=[vocal.clip_id])
    assert len(judged) == 5


def test_a_new_song_is_all_that_an_index_encodes(tmp_path, monkeypatch):
    songs = BeatsDB(tmp_path / "db")
    for number in range(6):
        songs.add(tonic=number)
    database = songs.write()
    PhraseIndex(database, scorer(), store=DrawnStore(database))
    clip = songs.add(bars=14)
    database = songs.write()
    store = DrawnStore(database)
    encoded = []
    from mashnet.library import phrase_vectors

    real = phrase_vectors.PhraseVectors._backing
    monkeypatch.setattr(
        phrase_vectors.PhraseVectors,
        "_backing",
        lambda self, heard: encoded.append(heard) or real(self, heard),
    )
    index = PhraseIndex(database, scorer(), store=store)
    assert len(encoded) == 1 and encoded[0].facts.name == database.clip_rows[clip]["title"]
    assert store.drawn == 1  # its music; nobody has asked for its vocal
    assert len(index) == 6 * 3 + 7
    PhraseIndex(database, scorer(), store=store)
    assert len(encoded) == 1
    maps = next(database.root.glob("cache/phrases/*/maps-*.npy"))
    maps.write_bytes(maps.read_bytes()[:-9])
    assert len(PhraseIndex(database, scorer(), store=store)) == 25
