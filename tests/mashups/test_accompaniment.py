"""A vocal and the rest: one accompaniment stands for harmonic and percussion as the music."""

from pathlib import Path

import numpy as np
import pytest

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.roles import MUSIC, have, music_roles
from mashnet.errors import ConfigError
from mashnet.evaluation.subjects.songs import DatabaseSongs
from mashnet.mashups.proposals import music_under_vocals, original, vocals_on_music
from mashnet.mashups.recipe import render, song_of
from mashnet.models.loading import load_scorer
from mashnet.models.scorers import SCORERS
from mashnet.rendering.mashup import plan_parts
from tests.accompaniments import database_with_accompaniments

BUNDLES = Path(__file__).resolve().parents[2] / "checkpoints"
WIDE = Limits(6, (0.5, 2.0))
APART, WHOLE = 0, 1  # songs: stems as they are, and with the music in one


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> MashupDB:
    return database_with_accompaniments(tmp_path_factory.mktemp("accompaniment"))


def bases(library: MashupDB) -> dict[str, tuple[str, ...]]:
    found = vocals_on_music(library, limits=WIDE)
    return {p.base.title: tuple(sorted(p.query)) for p in found}


def test_music_is_two_roles_or_one() -> None:
    assert music_roles({"vocal", "harmonic", "percussion"}) == MUSIC
    assert music_roles({"vocal", "accompaniment"}) == ("accompaniment",)
    assert music_roles({"vocal", "harmonic"}) == ()
    assert have({"accompaniment"}, MUSIC) and not have({"accompaniment"}, ("harmonic",))
    assert not have({"vocal", "harmonic"}, MUSIC)


def test_every_song_is_a_base_and_every_vocal_a_guest(library: MashupDB) -> None:
    found = bases(library)
    assert found == {
        f"Song {n}": ("accompaniment",) if n % 2 == WHOLE else ("harmonic", "percussion")
        for n in range(4)
    }
    guests = {p.guests["vocal"].clip.title for p in vocals_on_music(library, limits=WIDE)}
    assert guests == set(found)


@pytest.mark.parametrize("name", ["alignment", "automashupper", "keytempo", "random"])
def test_rules_judge_it(library: MashupDB, name: str) -> None:
    rule = SCORERS.load(name)()
    for proposal in vocals_on_music(library, limits=WIDE)[:2]:
        (score,) = rule.score(proposal.query, [proposal.candidate]).tolist()
        assert np.isfinite(score)


@pytest.mark.parametrize("name", ["alignnet", "phalar", "cocola"])
def test_networks_of_stems_judge_it(library: MashupDB, name: str) -> None:
    scorer = load_scorer(BUNDLES / name)
    proposal = next(p for p in vocals_on_music(library, limits=WIDE) if "accompaniment" in p.query)
    assert np.isfinite(scorer.score(proposal.query, [proposal.candidate]).tolist()).all()


def test_the_network_of_three_parts_says_what_it_lacks(library: MashupDB) -> None:
    scorer = load_scorer(BUNDLES / "premixnet_lsro")
    proposal = next(p for p in vocals_on_music(library, limits=WIDE) if "accompaniment" in p.query)
    with pytest.raises(ConfigError, match="hears harmonic and percussion apart.*Demucs takes it"):
        scorer.score(proposal.query, [proposal.candidate])


def test_it_is_music_under_a_vocal(library: MashupDB) -> None:
    for candidates in music_under_vocals(library, library, limits=WIDE, least_covered=0.5):
        given = {tuple(sorted(p.guests)) for p in candidates}
        assert given <= {("accompaniment",), ("harmonic", "percussion")}
        assert ("accompaniment",) in given


def test_a_mashup_on_it_sounds_as_on_its_parts(library: MashupDB) -> None:
    whole = [p for p in vocals_on_music(library, limits=WIDE) if "accompaniment" in p.query]
    made = render(whole[0], technique="structure+key", engine="pylibrb_r2")
    music = song_of(whole[0].base).stems_named("accompaniment")
    assert [stem.label for stem in music] == ["instrumental"]
    assert [stem.role for stem in made.parts[0].stems] == ["accompaniment"]
    assert np.abs(made.audio).max() > 0.1


def test_it_goes_where_another_song_gives_both_parts(library: MashupDB) -> None:
    songs = {p.base.title: song_of(p.base) for p in vocals_on_music(library, limits=WIDE)}
    whole, apart = songs["Song 1"], songs["Song 0"]
    both, warnings = plan_parts(whole, {"harmonic": apart, "percussion": apart})
    assert [stem.role for stem in both[0].stems] == ["vocal"]
    assert not [line for line in warnings if "one stem" in line]
    given, _ = plan_parts(whole, {"accompaniment": apart})
    assert {stem.role for stem in given[0].stems} == {"vocal"}
    assert {stem.role for stem in given[1].stems} == {"harmonic", "percussion"}
    one, warnings = plan_parts(whole, {"percussion": apart})
    assert {stem.role for stem in one[0].stems} == {"vocal", "accompaniment"}
    assert [line for line in warnings if "has its music in one stem" in line]


def test_songs_and_originals_have_it(library: MashupDB) -> None:
    clips = DatabaseSongs(library.root, split="all").clips("one")
    assert len(clips) == 4 and {tuple(sorted(c.music)) for c in clips} == {
        ("accompaniment",), ("harmonic", "percussion")
    }  # fmt: skip
    base = next(p.base for p in vocals_on_music(library, limits=WIDE) if "accompaniment" in p.query)
    assert set(original(base).query) == {"accompaniment"}
    assert set(original(base, ("vocal",)).candidate) == {"accompaniment"}
