"""Which mashups are proposed, and that they sound as they say."""

from pathlib import Path

import numpy as np
import pytest

from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.mixes.part_store import PartStore, StoredPart
from mashnet.data.song_clips import clips_with
from mashnet.errors import ConfigError
from mashnet.execution.local import LocalExecutor
from mashnet.mashups.proposals import (
    LibraryClip,
    Proposal,
    music_under_vocals,
    original,
    vocals_on_music,
)
from mashnet.music.tempo_levels import ONE_LEVEL
from tests.metronome import RATE, MetronomeDB, pitch_class

SONGS = (  # tempo, tonic, roles
    (120.0, 0, ROLES),
    (110.0, 2, ROLES),
    (126.0, 11, ROLES),
    (75.0, 0, ROLES),  # meets the others at half of their tempo only, and not all
    (121.0, 6, ROLES),  # six semitones from the first
    (118.0, 1, ("vocal",)),
    (119.0, 1, ("harmonic", "percussion")),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("proposals"))
    for index, (tempo, tonic, roles) in enumerate(SONGS):
        split = "test" if index in (0, 1, 6) else "train"
        collected.add(tempo_bpm=tempo, tonic=tonic, roles=roles, split=split, first_s=0.3)
    collected.add(tempo_bpm=120.0, tonic=0, beats=[], downbeats=[])  # nobody knows its bars
    return collected.write()


def titles(proposal: Proposal) -> tuple[str, str]:
    return proposal.base.title, proposal.guests["vocal"].clip.title


def lag_s(wave: np.ndarray, time_s: float, reach_s: float = 0.06) -> float:
    """Return how far after a time its click is loudest: up to 8 ms with the fast engine."""
    first = round((time_s - reach_s) * RATE)
    slope = np.abs(np.diff(wave[first : first + round(2 * reach_s * RATE)]))
    return int(np.argmax(np.convolve(slope, np.ones(80), "same"))) / RATE - reach_s


def naive_pairs(limits: Limits) -> set[tuple[str, str]]:
    found = set()
    for base, (base_bpm, base_tonic, base_roles) in enumerate(SONGS):
        for guest, (bpm, tonic, roles) in enumerate(SONGS):
            up = (base_tonic - tonic) % 12
            near = min(up, 12 - up) <= limits.max_semitones
            slowest, fastest = limits.tempo_range
            levels = [level for level in limits.levels if level in (0.5, 1, 2)]  # bars of four
            if (
                base != guest
                and near
                and any(slowest <= base_bpm / bpm / level <= fastest for level in levels)
                and "vocal" in roles
                and {"harmonic", "percussion"} <= set(base_roles)
            ):
                found.add((f"Song {base}", f"Song {guest}"))
    return found


@pytest.mark.parametrize(
    "limits", [Limits(), Limits(6), Limits(0, (0.5, 2.0)), Limits(levels=ONE_LEVEL)]
)
def test_all_ordered_pairs_within_the_limits_and_no_others(
    library: MashupDB, limits: Limits
) -> None:
    found = [titles(p) for p in vocals_on_music(library, limits=limits)]
    assert len(found) == len(set(found))
    assert set(found) == naive_pairs(limits) != set()


def test_pairs_of_a_split_or_of_some_bases(library: MashupDB) -> None:
    assert {titles(p) for p in vocals_on_music(library, split="test")} == {
        ("Song 0", "Song 1"),
        ("Song 1", "Song 0"),
        ("Song 6", "Song 0"),
        ("Song 6", "Song 1"),
    }
    base = vocals_on_music(library)[0].base.clip_id
    of_base = vocals_on_music(library, bases={base})
    assert of_base and {p.base.clip_id for p in of_base} == {base}


def test_a_guest_sounds_on_the_beats_and_in_the_key_of_the_base(library: MashupDB) -> None:
    for proposal in vocals_on_music(library):
        wave = proposal.candidate["vocal"].waveform(RATE)
        row = proposal.base.row
        assert len(wave) == round(row["duration_s"] * RATE)
        inside = [t for t in row["beats"] if 1 < t < 7]
        assert abs(np.median([lag_s(wave, t) for t in inside])) < 0.012, titles(proposal)
        apart = (pitch_class(wave) - row["key_tonic"] + 6) % 12 - 6
        assert abs(apart) < 0.1, titles(proposal)
        own = proposal.query["percussion"].waveform(RATE)
        assert abs(np.median([lag_s(own, t) for t in inside])) < 0.006


def test_what_is_near_is_known_without_sound(library: MashupDB) -> None:
    moves = {titles(p): p for p in vocals_on_music(library)}
    near, far = moves["Song 0", "Song 2"], moves["Song 0", "Song 1"]
    assert (near.guests["vocal"].semitones, far.guests["vocal"].semitones) == (1, -2)
    assert near.distance == pytest.approx(1 + 12 * np.log2(126 / 120))
    assert far.distance == pytest.approx(2 + 12 * np.log2(120 / 110))


def test_ids_say_what_is_heard(library: MashupDB, tmp_path: Path) -> None:
    ids = [p.proposal_id for p in vocals_on_music(library)]
    assert len(set(ids)) == len(ids)
    assert ids == [p.proposal_id for p in vocals_on_music(MashupDB.open(library.root))]


def test_accompaniments_of_one_or_two_songs_for_a_vocal(library: MashupDB) -> None:
    by_seed = {ps[0].base.title: ps for ps in music_under_vocals(library, library) if ps}
    found = {
        (p.guests["harmonic"].clip.title, p.guests["percussion"].clip.title)
        for p in by_seed["Song 0"]
    }
    harmonic = {"Song 1", "Song 2", "Song 6"}  # three semitones at most
    percussion = {"Song 1", "Song 2", "Song 4", "Song 6"}  # of any key
    assert found == {(h, p) for h in harmonic for p in percussion}
    assert {"vocal"} == set(by_seed["Song 5"][0].query)
    assert "Song 6" not in by_seed  # it has no vocal
    for proposal in by_seed["Song 0"]:
        assert proposal.guests["percussion"].semitones == 0


def test_candidates_are_drawn_evenly_and_again_the_same(library: MashupDB) -> None:
    everything = music_under_vocals(library, library)
    drawn = music_under_vocals(library, library, num_candidates=5)
    again = music_under_vocals(library, library, num_candidates=5)
    other = music_under_vocals(library, library, num_candidates=5, seed=1)
    assert [len(ps) for ps in drawn] == [min(5, len(ps)) for ps in everything]

    def ids(lists: list[list[Proposal]]) -> list[list[str]]:
        return [[p.proposal_id for p in ps] for ps in lists]

    assert ids(drawn) == ids(again) != ids(other)
    for some, of_all in zip(ids(drawn), ids(everything), strict=True):
        assert len(set(some)) == len(some) and set(some) <= set(of_all)


def test_accompaniments_that_end_early_would_give_the_own_one_away(tmp_path: Path) -> None:
    collected = MetronomeDB(tmp_path)
    for title, tempo_bpm, duration_s in (
        ("seed", 120, 10.0),
        ("long", 120, 12.0),
        ("nearly", 120, 9.2),
        ("short", 120, 6.0),
        ("made short", 105, 10.0),  # 120 / 105 times as fast: over after 8.76 s
    ):
        collected.add(title=title, tempo_bpm=tempo_bpm, duration_s=duration_s)
    database = collected.write()

    def beside_the_seed(**settings: float) -> set[str]:
        for proposals in music_under_vocals(database, database, **settings):
            if proposals and proposals[0].base.title == "seed":
                return {guest.clip.title for p in proposals for guest in p.guests.values()}
        return set()

    assert beside_the_seed() == {"long", "nearly"}
    assert beside_the_seed(least_covered=0.87) == {"long", "nearly", "made short"}
    assert beside_the_seed(least_covered=0) == {"long", "nearly", "short", "made short"}


def test_seeds_of_one_library_and_accompaniments_of_another(
    library: MashupDB, tmp_path: Path
) -> None:
    other = MetronomeDB(tmp_path)
    other.add(tempo_bpm=115.0, tonic=1, split="train")
    seeds = other.write()
    (proposals,) = music_under_vocals(seeds, library)
    assert {p.base.database.root for p in proposals} == {seeds.root}
    guests = {g.clip.database.root for p in proposals for g in p.guests.values()}
    assert guests == {library.root}


def test_an_original_asks_the_same_question(library: MashupDB) -> None:
    (clip_id, *_) = clips_with(library, ROLES, split="test", which="one")
    for stays in (("harmonic", "percussion"), ("vocal",)):
        song = original(LibraryClip(library, clip_id), stays)
        assert set(song.query) == set(stays) and set(song.query) | set(song.candidate) == set(ROLES)
        assert song.distance == 0 and not song.guests


def test_parts_of_a_store_are_rendered_once(library: MashupDB) -> None:
    store = PartStore(library)
    first = vocals_on_music(library, split="test", store=store)
    parts = [part for p in first for part in (*p.query.values(), *p.candidate.values())]
    assert store.render_all(parts, executor=LocalExecutor(1)) == len({p.part_id for p in parts})
    again = vocals_on_music(library, split="test", store=PartStore(library))
    assert store.render_all([p.candidate["vocal"] for p in again], executor=LocalExecutor(1)) == 0
    kept = again[0].candidate["vocal"]
    assert isinstance(kept, StoredPart)
    assert np.abs(kept.waveform(22050) - kept.part.waveform(22050)).max() < 1e-3


def test_which_clips_stand_for_songs(library: MashupDB) -> None:
    everyone = clips_with(library, ["vocal"], split="all", which="all")
    assert len(everyone) == 7 and clips_with(library, ROLES, split="test", which="one")
    with pytest.raises(ConfigError, match="clips"):
        clips_with(library, ["vocal"], split="all", which="some")


def test_of_a_songs_clips_one_that_can_be_moved_stands_for_it(tmp_path: Path) -> None:
    collected = MetronomeDB(tmp_path)
    long = collected.add(duration_s=12, song_id="song", beats=[], downbeats=[])
    short = collected.add(duration_s=6, song_id="song")
    shorter = collected.add(duration_s=5, song_id="song")
    database = collected.write()
    assert clips_with(database, ROLES, split="all", which="one") == [short]
    everything = clips_with(database, ROLES, split="all", which="all")
    assert set(everything) == {long, short, shorter}
