"""What other programs import: load, score, rank."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import mashnet
from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits, candidates_for
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.errors import ConfigError, DatabaseError
from mashnet.library.query import target_of
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.models.rules.random import RandomScorer
from mashnet.music.keys import Key
from mashnet.scoring import Model
from tests.phrases import phrase_library


class LikesLength:
    """Scores a candidate by its sound, so that an order can be derived by hand."""

    name = "likes_level"

    def score(self, query, candidates):
        assert set(query) == {"vocal"}
        return torch.tensor(
            [sum(float(np.abs(p.waveform(8000)).mean()) for p in c.values()) for c in candidates]
        )


@pytest.fixture
def vocal(tmp_path: Path) -> Path:
    path = tmp_path / "my vocal é.flac"
    time_s = np.arange(8 * 8000) / 8000
    write_flac(path, (0.3 * np.sin(2 * np.pi * 440 * time_s))[None].astype("f4"), 8000)
    return path


def test_rank_moves_candidates_to_the_query_and_sorts_them(
    tiny_database: MashupDB, vocal: Path
) -> None:
    # The tiny songs stand in C, D or E major at 100 to 116 bpm.
    table = Model(LikesLength()).rank(
        query={"vocal": vocal},
        library=tiny_database.root,
        tempo_bpm=104.0,
        key="D major",
        first_downbeat_s=0.5,
        tempo_range=(0.95, 1.05),
    )
    expected = {
        row["clip_id"]: (2 - row["key_tonic"], 104.0 / row["tempo_bpm"])
        for row in tiny_database.clips.iter_rows(named=True)
        if 0.95 <= 104.0 / row["tempo_bpm"] <= 1.05
    }
    assert 0 < len(expected) < 12
    found = {r["clip_id"]: (r["semitones"], r["tempo_ratio"]) for r in table.iter_rows(named=True)}
    assert found == expected
    assert table["score"].to_list() == sorted(table["score"].to_list(), reverse=True)


def test_candidates_start_on_the_querys_downbeat(tiny_database: MashupDB, vocal: Path) -> None:
    target, facts = target_of(
        {"vocal": vocal}, tempo_bpm=104.0, key=Key(2, "major"), first_downbeat_s=1.5
    )
    assert facts.downbeats_s[0] == pytest.approx(1.5)
    assert facts.downbeats_s[1] == pytest.approx(1.5 + 4 * 60 / 104)
    assert facts.beats_s[0] == pytest.approx(1.5 - 2 * 60 / 104)
    assert target.duration_s == pytest.approx(8.0)
    candidates = candidates_for(
        target,
        tiny_database,
        ("harmonic", "percussion"),
        limits=Limits(3, (0.8, 1.2)),
    )
    for candidate in candidates[:4]:
        wave = candidate.group["percussion"].waveform(22050)
        assert len(wave) == 8 * 22050
        beat = round(1.5 * 22050)
        before, after = (
            np.abs(part).max()
            for part in (wave[beat - 2000 : beat - 250], wave[beat - 250 : beat + 1500])
        )
        assert after > 3 * before  # the noise burst begins where the target's downbeat lies


def test_nothing_within_reach_gives_an_empty_table(tiny_database: MashupDB, vocal: Path) -> None:
    def ranked(tempo_bpm: float, **settings: bool) -> pl.DataFrame:
        query = {"query": {"vocal": vocal}, "library": tiny_database.root, "key": "C"}
        where = {"tempo_bpm": tempo_bpm, "first_downbeat_s": 0.0}
        return Model(LikesLength()).rank(**query, **where, **settings)

    assert ranked(600.0).is_empty()
    assert ranked(600.0).columns[:2] == ["score", "clip_id"]
    assert set(ranked(200.0)["tempo_level"]) == {2.0}  # one beat of theirs on two of the query's
    assert ranked(200.0, tempo_levels=False).is_empty()


def test_what_cannot_be_ranked_is_refused(tiny_database: MashupDB, vocal: Path) -> None:
    model = Model(LikesLength())
    with pytest.raises(DatabaseError, match="is not a MashupDB"):
        model.rank(query={"vocal": vocal}, library=vocal.parent / "nowhere")
    with pytest.raises(ConfigError, match="one or two of the roles"):
        model.rank(query={"voice": vocal}, library=tiny_database.root)
    with pytest.raises(ConfigError, match="'H major' is not a key"):
        model.rank(query={"vocal": vocal}, library=tiny_database.root, key="H major")


def test_a_missing_role_is_named(vocal: Path) -> None:
    with pytest.raises(ConfigError, match="missing: harmonic, percussion"):
        Model(LikesLength()).score(vocal=vocal)
    with pytest.raises(ConfigError, match="Did you mean 'vocal'"):
        Model(LikesLength()).score(vocals=vocal)
    with pytest.raises(ConfigError, match="instrument=… is for networks that look for stems"):
        Model(LikesLength()).score(vocal=vocal, instrument="bass")


def test_importing_mashnet_is_cheap() -> None:
    assert callable(mashnet.load)


def test_placenet_ranks_clips_as_they_lie_and_says_where(tmp_path: Path) -> None:
    """Its own music stands first, at the bars it is from; nothing is rendered."""
    database = phrase_library(tmp_path, 4, bars=9)
    scorer = PlaceNetScorer(PlaceNet(), PhraseFrontend(bars=4), name="placenet")
    row, asked = database.clip_rows["002"], {"vocal": database.audio_path("002-vocal")}
    known = {"tempo_bpm": row["tempo_bpm"], "key": "Bb major"}
    known["first_downbeat_s"] = row["downbeats"][0]
    found = Model(scorer).rank(
        asked, database.root, **known, max_semitones=6, tempo_range=(0.5, 2.0)
    )
    assert found["clip_id"][0] == "002"
    first = found.row(0, named=True)
    assert (first["query_bar"], first["semitones"], first["bars"]) == (first["clip_bar"], 0, 4)
    assert found["score"].is_sorted(descending=True)
    near = Model(scorer).rank(asked, database.root, **known, max_semitones=0)
    assert near["clip_id"].to_list() == ["002"]


def test_of_many_clips_the_likeliest_are_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = phrase_library(tmp_path, 4, bars=9)
    row = database.clip_rows["001"]
    found = Model(RandomScorer()).rank(
        {"vocal": database.audio_path("001-vocal")},
        database.root,
        tempo_bpm=row["tempo_bpm"],
        key="F major",
        first_downbeat_s=row["downbeats"][0],
        max_semitones=6,
        tempo_range=(0.5, 2.0),
        heard=1,
    )
    assert found["clip_id"].to_list() == ["001"]
    assert "4 clips were compared as they lie; the likeliest 1" in capsys.readouterr().err
