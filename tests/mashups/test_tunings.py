"""Tunings: what a Scorer hears and what the renderer plays is in tune with the base, to 5 cents."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.files import content_id
from mashnet.mashups.collection import Collection
from mashnet.mashups.proposals import Proposal, music_under_vocals, vocals_on_music
from mashnet.mashups.recipe import command_of, recipe_of, render, song_of
from mashnet.music.tempo_levels import ONE_LEVEL
from mashnet.rendering.mashup import plan_parts, render_part
from tests.metronome import RATE, MetronomeDB, tone_hz

PAPERS = Limits(levels=ONE_LEVEL, tuned=False)
SONGS = (  # title, pitch class of its key, cents above it, how sure
    ("plain", 0, 0.0, 1.0),
    ("flat", 2, -45.0, 0.8),
    ("sharp", 11, 40.0, 0.8),
    ("nearly", 0, 2.0, 0.9),
    ("unsure", 0, 35.0, 0.05),
    ("unknown", 0, 25.0, None),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    collected = MetronomeDB(tmp_path_factory.mktemp("tunings"))
    for title, tonic, cents, confidence in SONGS:
        collected.add(
            title=title,
            tonic=tonic + cents / 100,  # the sound's
            key_tonic=tonic,
            duration_s=6.0,
            tuning_cents=None if confidence is None else cents,
            tuning_confidence=confidence,
        )
    return collected.write()


def proposed(library: MashupDB, limits: Limits = Limits(6)) -> dict[tuple[str, str], Proposal]:  # noqa: B008
    found = vocals_on_music(library, limits=limits)
    return {(p.base.title, p.guests["vocal"].clip.title): p for p in found}


def off_cents(wave: np.ndarray, base: str) -> float:
    """Return how many cents a tone is off the pitch class of a base as it sounds."""
    tonic, cents = next((song[1], song[2]) for song in SONGS if song[0] == base)
    apart = 1200 * np.log2(tone_hz(wave) / 440) - 100 * tonic - cents
    return float((apart + 600) % 1200 - 600)


SURE = {"plain", "flat", "sharp", "nearly"}


def test_sure_songs_are_brought_to_each_others_tuning(library: MashupDB) -> None:
    for (base, guest), proposal in proposed(library).items():
        moved = proposal.guests["vocal"]
        song, other = song_of(proposal.base), song_of(moved.clip)
        part = plan_parts(song, {"vocal": other}, "tempo+key", tuned=proposal.tuned)[0][1]
        assert part.plan is not None and part.plan.shift == (moved.semitones, moved.cents)
        played = render_part(part, duration_s=song.facts.duration_s, sample_rate=RATE)
        for wave in (proposal.candidate["vocal"].waveform(RATE), played.mean(axis=0)):
            if {base, guest} <= SURE:
                assert abs(off_cents(wave, base)) < 5, (base, guest)
        if not {base, guest} <= SURE:
            assert moved.cents == 0.0, (base, guest)


def test_shifts_are_semitones_and_cents(library: MashupDB) -> None:
    found = proposed(library)
    moves = {
        pair: (p.guests["vocal"].semitones, p.guests["vocal"].cents) for pair, p in found.items()
    }
    assert moves["plain", "flat"] == (-2, 45.0)
    assert moves["flat", "plain"] == (2, -45.0)
    assert moves["plain", "sharp"] == (1, -40.0)
    assert moves["flat", "sharp"] == (2, 15.0)  # names are 3 apart, and 85 cents less
    assert moves["plain", "nearly"] == (0, 0.0)
    distance = found["plain", "flat"].distance
    assert distance == pytest.approx(2 - 0.45)


def test_the_paper_moves_by_semitones_only(library: MashupDB) -> None:
    for limits in (PAPERS, Limits(6, tuned=False)):
        assert all(p.guests["vocal"].cents == 0 for p in proposed(library, limits).values())
    for proposals in music_under_vocals(library, library):
        assert all(guest.cents == 0 for p in proposals for guest in p.guests.values())


def test_drums_have_no_tuning(library: MashupDB) -> None:
    limits = Limits(6)
    for proposals in music_under_vocals(library, library, limits=limits, num_candidates=9):
        for p in proposals:
            assert p.guests["percussion"].cents == 0
            assert p.candidate["percussion"].semitones == 0  # type: ignore[attr-defined]


def test_recipes_keep_the_cents_and_replay_them(library: MashupDB, tmp_path: Path) -> None:
    how = {"technique": "tempo+key", "engine": "pylibrb_r2"}
    proposal, papers = (
        proposed(library)["plain", "flat"],
        proposed(library, PAPERS)["plain", "flat"],
    )
    recipe = recipe_of(proposal, render(proposal, **how), **how)
    assert [(g["semitones"], g["cents"]) for g in recipe["guests"]] == [(-2, 45.0)]
    assert "tuning=" not in command_of(proposal, **how)
    assert "tuning=off" in command_of(papers, **how)
    assert "tuning=" not in command_of(proposed(library, PAPERS)["plain", "nearly"], **how)
    assert recipe_of(papers, render(papers, **how), **how)["guests"][0]["cents"] == 0.0
    collection = Collection(tmp_path, technique="tempo+key")
    names = {
        collection.add(p, system="x", kind="best", rank=1, score=0.0)["name"]
        for p in (proposal, papers)
    }
    assert len(names) == 2  # two sounds


def test_a_database_of_before_opens_and_moves_by_semitones(
    library: MashupDB, tmp_path: Path
) -> None:
    old = MetronomeDB(tmp_path)
    for title, tonic, cents, _ in SONGS:
        old.add(title=title, tonic=tonic + cents / 100, key_tonic=tonic, duration_s=6.0)
    database = old.write()
    path = database.root / "clips.parquet"
    before = pl.read_parquet(path).drop("tuning_cents", "tuning_confidence")
    before.write_parquet(path)
    opened = MashupDB.open(database.root)
    assert opened.clips["tuning_cents"].null_count() == len(SONGS)
    assert opened.clips.drop("tuning_cents", "tuning_confidence").equals(before)
    then = [p.proposal_id for p in vocals_on_music(opened, limits=Limits(6))]
    papers = [p.proposal_id for p in vocals_on_music(library, limits=Limits(6, tuned=False))]
    assert then == papers
    opened.write_table("clips", before)  # as a stage of before would have it
    assert opened.clips["tuning_confidence"].null_count() == len(SONGS)


def frozen(tmp_path: Path) -> MashupDB:
    collected = MetronomeDB(tmp_path)
    for index, tempo_bpm in enumerate((120.0, 110.0, 126.0, 63.0, 121.0, 118.0, 60.0)):
        collected.add(tempo_bpm=tempo_bpm, tonic=index % 5, duration_s=4.0 + index % 2)
    return collected.write()


def test_the_papers_retrieval_asks_as_it_did_to_the_byte(tmp_path: Path) -> None:
    database = frozen(tmp_path)
    lists = music_under_vocals(database, database, limits=Limits(levels=ONE_LEVEL))
    assert content_id([[p.proposal_id for p in some] for some in lists]) == "a9b53f35247c915d"
    # Of two songs at one level the others' proposals are what they were, too.
    all_at_once = [p.proposal_id for p in vocals_on_music(database)]
    plain = [p.proposal_id for p in vocals_on_music(database, limits=Limits(levels=ONE_LEVEL))]
    assert content_id(plain) == "43a849b32e895c40"
    assert set(plain) < set(all_at_once)
