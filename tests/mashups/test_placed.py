"""Proposals of placements: what a Scorer hears, what is rendered, written and said."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mashnet import mashup as mashup_program
from mashnet import render as render_program
from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.part_store import PartStore, StoredPart
from mashnet.data.parts import Group
from mashnet.errors import ConfigError, DatabaseError
from mashnet.mashups.collection import Collection, read_collection
from mashnet.mashups.placed import placed
from mashnet.mashups.proposal import Guest, LibraryClip, Proposal
from mashnet.mashups.proposals import original, vocals_on_music
from mashnet.mashups.recipe import recipe_of, render, song_of
from mashnet.music.placement import Placement
from mashnet.pages import write_page
from mashnet.rendering.mashup import plan_parts, render_part
from mashnet.rendering.plan import PLACED
from tests.metronome import RATE, MetronomeDB, click_near, pitch_class

BASE, GUEST, FREE, SINGER = range(4)
WHERE = Placement(3, 4, 2, 2, 0.0, 1.0, 120 / 108, 0.5, 0.83)
WORDS = "bars 4–5 of Song 1 on bars 5–6 of Song 0 (0:08), +2 semitones, 11 % faster; sure 0.83"
HOW = {"technique": PLACED, "engine": "pylibrb_r2"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("placed"))
    collected.add(tempo_bpm=120, tonic=0, first_s=0.1, duration_s=20)
    collected.add(tempo_bpm=108, tonic=10, first_s=0.7, duration_s=20)
    collected.add(tempo_bpm=112, tonic=0, first_s=0.3, duration_s=20, jitter_s=0.03)
    collected.add(tempo_bpm=118, tonic=0, duration_s=8, roles=("vocal",))
    collected.add(duration_s=8, beats=[], downbeats=[])
    return collected.write()


def clip(library: MashupDB, index: int) -> LibraryClip:
    return LibraryClip(library, list(library.clip_rows)[index])


@pytest.fixture(scope="module")
def proposal(library: MashupDB) -> Proposal:
    return placed(clip(library, BASE), clip(library, GUEST), WHERE)


def waves(group: Group) -> dict[str, np.ndarray]:
    return {role: part.waveform(RATE) for role, part in group.items()}


# --- heard


def test_the_phrase_is_heard_and_nothing_else(proposal: Proposal) -> None:
    # Bars 4 and 5 of the base are from 8.1 to 12.1 s; its beats are 0.5 s apart.
    query, candidate = waves(proposal.query), waves(proposal.candidate)
    assert set(query) == {"harmonic", "percussion"} and set(candidate) == {"vocal"}
    assert {len(wave) for wave in (*query.values(), *candidate.values())} == {4 * RATE}
    for wave in (query["percussion"], candidate["vocal"]):
        assert np.median([click_near(wave, 0.5 * beat) for beat in range(1, 8)]) < 0.012
        assert click_near(wave, 0.75) > 0.05  # and no clicks in between
    assert pitch_class(candidate["vocal"]) % 12 == pytest.approx(0, abs=0.1)
    assert proposal.guests["vocal"] == Guest(
        proposal.guests["vocal"].clip, 2, 120 / 108, 1.0, 0.0, WHERE
    )


@pytest.mark.parametrize("guest", [GUEST, FREE])
def test_what_is_heard_is_what_is_played(library: MashupDB, guest: int) -> None:
    base, other = clip(library, BASE), clip(library, guest)
    proposal = placed(base, other, replace(WHERE, semitones=0), whole=True)
    heard = proposal.candidate["vocal"].waveform(RATE)
    _, part = plan_parts(
        song_of(base), {"vocal": song_of(other)}, PLACED, placements=proposal.placements
    )[0]
    played = render_part(replace(part, gain_db=0.0), duration_s=20.0, sample_rate=RATE)[0]
    assert len(heard) == len(played) == 20 * RATE
    beats_s = [0.1 + 0.5 * beat for beat in range(8, 34)]
    apart_s = [abs(click_near(heard, t) - click_near(played, t)) for t in beats_s]
    assert np.median([click_near(heard, t) for t in beats_s]) < 0.012
    assert max(apart_s) < 0.006
    # The stretch of the phrase is cut out of the same.
    phrase = placed(base, other, replace(WHERE, semitones=0)).candidate["vocal"].waveform(RATE)
    first = round(8.1 * RATE)
    clicks = [click_near(phrase, 0.5 * beat) for beat in range(1, 8)]
    wanted = [click_near(heard[first:], 0.5 * beat) for beat in range(1, 8)]
    assert np.abs(np.array(clicks) - wanted).max() < 0.008  # what the fast engine wavers by


def test_music_under_a_vocal(library: MashupDB) -> None:
    proposal = placed(clip(library, BASE), clip(library, GUEST), WHERE, stays=("vocal",))
    assert set(proposal.query) == {"vocal"}
    assert set(proposal.candidate) == set(proposal.guests) == {"harmonic", "percussion"}
    # The harmony moves from B flat to C; drums do not.
    candidate = waves(proposal.candidate)
    assert pitch_class(candidate["harmonic"]) % 12 == pytest.approx(0, abs=0.1)
    (drums,) = [proposal.candidate["percussion"]]
    assert drums.semitones == 0
    assert np.median([click_near(candidate["percussion"], 0.5 * b) for b in range(1, 8)]) < 0.012


def test_ids_say_what_is_heard(library: MashupDB, proposal: Proposal) -> None:
    base, guest = clip(library, BASE), clip(library, GUEST)

    def id_of(**changed: float | None) -> str:
        return placed(base, guest, replace(WHERE, **changed)).proposal_id

    assert id_of() == id_of(score=0.1, confidence=None, tempo_ratio=1.0) == proposal.proposal_id
    others = [id_of(**{name: getattr(WHERE, name) + 1}) for name in ("guest_bar", "semitones")]
    others += [id_of(bars=3), id_of(cents=5.0), id_of(base_bar=5)]
    assert len({*others, id_of()}) == 6
    whole = placed(base, guest, WHERE, whole=True)
    assert whole.proposal_id == placed(base, guest, replace(WHERE, bars=5), whole=True).proposal_id


def test_parts_are_kept_in_a_store(library: MashupDB) -> None:
    store = PartStore(library)
    found = placed(clip(library, BASE), clip(library, GUEST), WHERE, store=store)
    assert all(
        isinstance(p, StoredPart) for p in (*found.query.values(), *found.candidate.values())
    )
    store.engine = "pedalboard"
    with pytest.raises(ConfigError, match="cannot follow beats"):
        placed(clip(library, BASE), clip(library, GUEST), WHERE, store=store)


def test_what_cannot_be_placed_is_refused(library: MashupDB) -> None:
    base, singer, beatless = (clip(library, index) for index in (BASE, SINGER, 4))
    assert placed(base, singer, Placement(0, 1, 1)).guests
    with pytest.raises(DatabaseError, match="Song 3 has no music to be heard"):
        placed(base, singer, Placement(0, 1, 1), stays=("vocal",))
    with pytest.raises(DatabaseError, match="Song 3 has no music to be heard"):
        placed(singer, base, Placement(0, 1, 1))
    with pytest.raises(ConfigError, match="Song 4 has 0 bars"):
        placed(base, beatless, Placement(0, 1, 1))
    with pytest.raises(ConfigError, match="Song 0 has 10 bars"):
        placed(base, singer, Placement(0, 10, 1))


# --- rendered and written


def test_the_command_of_a_recipe_renders_the_same_file(
    library: MashupDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = replace(WHERE, cents=-7.3)
    proposal = placed(clip(library, BASE), clip(library, GUEST), where)
    mashup = render(proposal, **HOW)
    recipe = json.loads(json.dumps(recipe_of(proposal, mashup, **HOW)))
    (guest,) = recipe["guests"]
    assert Placement(**guest["placement"]) == where
    assert (guest["semitones"], guest["cents"], recipe["technique"]) == (2, -7.3, PLACED)
    monkeypatch.chdir(tmp_path)
    render_program.main(shlex.split(recipe["command"])[3:])
    (made,) = tmp_path.glob("*.wav")
    audio, _ = read_audio(made)
    assert np.abs(audio - mashup.audio).max() < 2e-7
    read = replace(proposal.guests["vocal"], placement=Placement(**guest["placement"]))
    again = replace(proposal, guests={"vocal": read})
    assert np.array_equal(render(again, **HOW).audio, mashup.audio)


@pytest.mark.parametrize("level", [2 / 3, 3 / 2, 0.25, 1.0])
def test_levels_are_typed_as_they_are_read(library: MashupDB, level: float) -> None:
    from mashnet.commands.small_program import read_arguments
    from mashnet.commands.typed_placement import read_placement
    from mashnet.mashups.recipe import command_of

    where = replace(WHERE, tempo_level=level, cents=0.1 + 0.2)
    command = command_of(placed(clip(library, BASE), clip(library, GUEST), where), **HOW)
    typed = read_placement(read_arguments(shlex.split(command)[3:], usage=""))
    assert typed == replace(where, tempo_ratio=1.0, score=0.0, confidence=None)


def test_another_technique_plays_the_same_pair_in_its_own_way(proposal: Proposal) -> None:
    how = {**HOW, "technique": "tempo"}
    recipe = recipe_of(proposal, render(proposal, **how), **how)
    (guest,) = recipe["guests"]
    assert (guest["placement"], guest["placed"]) == (None, "")
    assert "guest_bar" not in recipe["command"] and "technique=tempo" in recipe["command"]


def test_a_proposal_without_placement_cannot_be_played_as_placed(library: MashupDB) -> None:
    unplaced = vocals_on_music(library)[0]
    with pytest.raises(ConfigError, match="no placement says on which bar"):
        render(unplaced, **HOW)


def test_one_clip_is_laid_in_one_place(library: MashupDB) -> None:
    found = placed(clip(library, BASE), clip(library, GUEST), WHERE, stays=("vocal",))
    drums = replace(found.guests["percussion"], placement=replace(WHERE, guest_bar=0))
    with pytest.raises(ConfigError, match="Song 1 has two placements"):
        render(replace(found, guests={**found.guests, "percussion": drums}), **HOW)


def test_a_collection_holds_placed_mashups_beside_others(
    library: MashupDB, tmp_path: Path, proposal: Proposal
) -> None:
    collection = Collection(tmp_path, technique="tempo")
    row = collection.add(proposal, system="placer", kind="best", rank=1, score=0.5)
    assert (row["technique"], row["guests"][0]["placed"]) == (PLACED, WORDS)
    # The same sound again, and who chose it is less sure.
    doubtful = placed(proposal.base, proposal.guests["vocal"].clip, replace(WHERE, confidence=0.1))
    again = collection.add(doubtful, system="other", kind="best", rank=1, score=0.5)
    assert again["audio"] == row["audio"]
    assert again["guests"][0]["placed"] == WORDS.replace("0.83", "0.10")
    elsewhere = placed(proposal.base, proposal.guests["vocal"].clip, replace(WHERE, guest_bar=2))
    other = collection.add(elsewhere, system="other", kind="best", rank=2, score=0.5)
    assert other["audio"] != row["audio"]
    plain = collection.add(vocals_on_music(library)[0], system="a", kind="b", rank=1, score=0.0)
    assert (plain["technique"], plain["guests"][0]["placement"]) == ("tempo", None)
    alone = collection.add(original(proposal.base), system="o", kind="o", rank=1, score=None)
    assert alone["guests"] == []
    assert read_collection(tmp_path) == [row, again, other, plain, alone]


def test_the_page_says_where_phrases_meet_and_reads_older_recipes(
    library: MashupDB, tmp_path: Path, proposal: Proposal
) -> None:
    collection = Collection(tmp_path, technique="tempo")
    for rank, found in enumerate((proposal, vocals_on_music(library)[0]), start=1):
        collection.add(found, system="placer", kind="best", rank=rank, score=0.5)
    rows = read_collection(tmp_path)
    older = json.loads(json.dumps(rows))
    for row in older:
        for guest in row["guests"]:
            del guest["placement"], guest["placed"]
    pages = {}
    for name, told in (("new", rows), ("old", older)):
        path = tmp_path / f"{name}.html"
        write_page(path, "mashnet.rendering", "mashups.html.j2", rows=told, judged=2)
        pages[name] = path.read_text("utf-8")
    assert f"<b>Song 1</b> by Metronome: {WORDS}</small>" in pages["new"]
    assert "sure" not in pages["old"] and "<b>Song 1</b> by Metronome, +2 semitones" in pages["old"]
    assert pages["new"].count(" semitones") == pages["old"].count(" semitones")
    assert WORDS in mashup_program._described(rows[0])
    assert "(vocal, +2)" in mashup_program._described(older[0])
