"""Parts know their music: facts move as the sound moves, and change neither ids nor equality."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mashnet.data.loops.loops import LoopPart
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits, Target, candidates_for
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.mixes.recipes import LEAD_IN_S, Recipe
from mashnet.data.mixes.rendering import RenderedPart, rendered_part
from mashnet.data.parts import (
    ArrayPart,
    FilePart,
    SlicedPart,
    SumPart,
    agreed,
    facts_of_group,
)
from mashnet.evaluation.subjects.clips import DatabaseClips
from mashnet.evaluation.subjects.songs import DatabaseSongs
from mashnet.evaluation.subjects.stems import DatabaseStems
from mashnet.mashups.proposals import LibraryClip, original, vocals_on_music
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts
from mashnet.music.tunings import Tuning
from tests.metronome import MetronomeDB, stem_id

FACTS = SongFacts("song", 8.0, (0.5, 1.0, 1.5, 2.0, 2.5), (0.5, 2.5), 4, Key(0, "major"), (), 120.0)
SLOW, FAST = 100.0, 110.0


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("facts"))
    collected.add(tempo_bpm=SLOW, tonic=0, first_s=0.3, duration_s=6.0)
    collected.add(
        tempo_bpm=FAST,
        tonic=2,
        first_s=0.7,
        duration_s=6.0,
        tuning_cents=10.0,
        tuning_confidence=0.9,
    )
    return collected.write()


def rendered(song: SongFacts | None = FACTS, **changed: object) -> RenderedPart:
    settings = {
        "stem_ids": ("s",),
        "paths": (Path("s.flac"),),
        "semitones": 2,
        "tempo_ratio": 2.0,
        "place_s": 1.0,
        "keyframes_s": (),
        "duration_s": 2.0,
        "force": False,
        "engine": "pylibrb",
    }
    return RenderedPart(**(settings | changed), song=song)


def test_a_rendered_part_knows_where_its_beats_have_gone() -> None:
    facts = rendered().facts
    assert facts.beats_s == (1.25, 1.5, 1.75, 2.0)  # half as far apart, a second later; 2.25 is out
    assert facts.downbeats_s == (1.25,)
    assert (facts.key, facts.tempo_bpm, facts.duration_s) == (Key(2, "major"), 240.0, 2.0)
    bent = rendered(keyframes_s=((0.0, 0.0), (1.0, 0.5), (2.5, 3.5)), duration_s=4.0)
    assert bent.facts.beats_s == pytest.approx((0.25, 0.5, 1.5, 2.5, 3.5))
    assert rendered(song=None).facts is None


def test_a_part_that_is_moved_further_knows_of_it() -> None:
    assert replace(rendered(), place_s=0.5).facts.beats_s[:2] == (0.75, 1.0)


def test_what_is_known_changes_neither_id_nor_equality() -> None:
    told, untold = rendered(), rendered(song=None)
    assert told == untold and hash(told) == hash(untold)
    assert told.part_id == untold.part_id
    assert FilePart(Path("a")) == FilePart(Path("a"), FACTS)


def test_a_stretch_begins_its_facts_anew() -> None:
    wave = np.ones(80, np.float32)
    cut = SlicedPart(ArrayPart(wave, 10, FACTS), 1.0, 1.25)
    assert cut.facts.beats_s == (0.0, 0.5, 1.0)
    assert cut.facts.downbeats_s == ()
    assert cut.facts.key == Key(0, "major")
    assert SlicedPart(ArrayPart(wave, 10), 1.0, 1.25).facts is None


def test_parts_that_sound_together_agree_or_know_nothing() -> None:
    silent = ArrayPart(np.zeros(8, np.float32), 8)
    told = ArrayPart(np.ones(8, np.float32), 8, FACTS)
    later = replace(told, facts=replace(FACTS, beats_s=(0.6, 1.1)))
    assert SumPart((silent, told, told)).facts is FACTS
    assert SumPart((told, later)).facts is None
    assert SumPart((silent,)).facts is None
    assert agreed([]) is None


def test_a_group_has_the_key_of_what_is_pitched() -> None:
    wave = np.ones(8, np.float32)
    drums = ArrayPart(wave, 8, FACTS)
    chords = ArrayPart(wave, 8, replace(FACTS, key=Key(3, "major")))
    group = {"percussion": drums, "vocal": chords}
    assert facts_of_group(group).key == Key(3, "major")
    assert facts_of_group({"percussion": drums}) is FACTS
    assert facts_of_group({}) is None


def test_a_loop_is_a_bar() -> None:
    facts = LoopPart(Path("loop.flac"), "loop").facts
    assert facts.beats_s == (0.0, 0.5, 1.0, 1.5, 2.0)
    assert (facts.downbeats_s, facts.tempo_bpm) == ((0.0, 2.0), 120.0)


def test_a_candidate_lies_on_the_targets_bars(library: MashupDB) -> None:
    target = Target(SLOW, 0.4, Key(0, "major"), 5.0, 4, Tuning(30.0, 0.9))
    roles = ("harmonic", "percussion")
    slow, fast = sorted(
        candidates_for(target, library, roles, limits=Limits()),
        key=lambda found: found.clip["tempo_bpm"],
    )
    beats = fast.group["harmonic"].facts.beats_s
    assert beats == pytest.approx(np.arange(0.4, 5.0, 0.6), abs=1e-6)
    assert fast.group["harmonic"].facts.key == Key(0, "major")  # two semitones down
    assert fast.group["harmonic"].facts.tuning.cents == pytest.approx(30.0)
    assert fast.group["harmonic"].facts.tempo_bpm == pytest.approx(SLOW)
    assert fast.group["percussion"].facts.beats_s == beats
    assert fast.group["percussion"].facts.key == Key(2, "major")  # it was not shifted
    assert slow.group["harmonic"].facts.downbeats_s == pytest.approx((0.4, 2.8))


def test_a_recipes_roles_lie_on_the_vocals_bars(library: MashupDB) -> None:
    slow, fast = library.clips.sort("tempo_bpm")["clip_id"]
    recipe = Recipe(
        mix_id="m",
        condition="matched",
        vocal=(stem_id(slow, "vocal"),),
        harmonic=(stem_id(fast, "harmonic"),),
        percussion=(stem_id(slow, "percussion"),),
        semitones=-2,
        ratio_h=SLOW / FAST,
        ratio_p=1.0,
        duration_s=4.0,
    )
    for role in ("vocal", "harmonic", "percussion"):
        facts = rendered_part(library, recipe, role).facts
        # The vocal's first downbeat lies at the lead-in's end, which may be before the clip's.
        assert facts.downbeats_s[0] == pytest.approx(-LEAD_IN_S % 2.4, abs=1e-6)
        assert facts.key == Key(0, "major")
    kept = PartStore(library).part(recipe, "harmonic")
    assert kept.facts == kept.part.facts


def test_what_is_not_moved_has_the_clips_own_facts(library: MashupDB) -> None:
    clips = {row["clip_id"]: library.facts_of(row["clip_id"]) for row in library.clip_rows.values()}
    for clip in DatabaseClips(library.root, split="all").clips():
        assert clip.mix.facts == clips[clip.clip_id]
    for song in DatabaseSongs(library.root, split="all").clips("one"):
        assert facts_of_group({**song.vocal, **song.music}) == clips[song.clip_id]
    for question in DatabaseStems(library.root, split="all").questions("coarse"):
        clip_id = library.clip_of(question.stem_id)["clip_id"]
        assert facts_of_group(question.query) == clips[clip_id]
    own = original(LibraryClip(library, next(iter(clips))))
    assert own.query["harmonic"].facts.beats_s == next(iter(clips.values())).beats_s


def test_guests_of_proposals_know_their_beats(library: MashupDB) -> None:
    for proposal in vocals_on_music(library):
        base = facts_of_group(proposal.query)
        guest = facts_of_group(proposal.candidate)
        assert guest.downbeats_s[0] == pytest.approx(base.downbeats_s[0])
        assert guest.tempo_bpm == pytest.approx(base.tempo_bpm)
        assert guest.key == base.key
