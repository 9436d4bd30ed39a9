"""song_selection with Scorers that are told a matrix, so that every figure is known before."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
import torch

from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.protocols.song_selection.as_published import block_of, right_cells
from mashnet.evaluation.protocols.song_selection.pairs import CORRELATIONS
from mashnet.evaluation.protocols.song_selection.protocol import run
from mashnet.evaluation.report import publish
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.songs import DatabaseSongs, SongClip

FAST = Bootstrap(num_resamples=30)


@dataclasses.dataclass(frozen=True)
class Named:
    """A part that is only a name; a protocol must not listen itself."""

    part_id: str


@dataclasses.dataclass
class Library:
    """One clip per song, or two of each where all are asked for."""

    num_songs: int = 8
    name: str = "made/up"
    split: str = "test"

    def clips(self, which):
        per_song = 1 if which == "one" else 2
        return [
            SongClip(
                f"clip {i}", f"song {i // per_song}", f"Song {i // per_song}",
                {"vocal": Named(f"v{i}")}, {"harmonic": Named(f"m{i}")}, 30.0,
            )
            for i in range(self.num_songs * per_song)
        ]  # fmt: skip

    def left_out(self):
        return ["one clip is left out."]


class Told:
    """Scores from a matrix; counts what it is asked to encode."""

    def __init__(self, name, matrix):
        self.name, self.matrix, self.encoded = name, torch.tensor(matrix), 0

    def score(self, query, candidates):
        raise AssertionError("an EmbeddingScorer is not asked pair by pair")

    def embed_query(self, queries):
        return self._numbers(queries, "vocal")

    def embed_candidate(self, candidates):
        return self._numbers(candidates, "harmonic")

    def similarity(self, queries, candidates):
        return self.matrix[queries][:, candidates]

    def _numbers(self, groups, role):
        self.encoded += len(groups)
        return torch.tensor([int(group[role].part_id[1:]) for group in groups])


def random(seed, count=8):
    return np.random.default_rng(seed).standard_normal((count, count))


def metrics(outcome, name):
    return next(r.metrics for r in outcome.results if r.scorer == name)


def test_who_thinks_as_the_judge_and_who_thinks_the_opposite():
    judged = random(0)
    judge, same = Told("judge", judged), Told("same", 2 * judged + 5)
    outcome = run(
        [same, judge, Told("opposite", -judged), Told("constant", np.ones((8, 8)))],
        Library(), bootstrap=FAST, judge="judge",
    )  # fmt: skip
    assert judge.encoded == 16  # n + m
    for name in CORRELATIONS:
        for suffix in ("", "_diagonal_in"):
            assert metrics(outcome, "same")[name + suffix].value == pytest.approx(1)
            assert metrics(outcome, "opposite")[name + suffix].value == pytest.approx(-1)
            assert np.isnan(metrics(outcome, "constant")[name + suffix].value)
    assert metrics(outcome, "same")["ari"].value == 1
    assert metrics(outcome, "same")["pearson"].n == 56
    assert metrics(outcome, "same")["pearson_diagonal_in"].n == 64
    assert "pearson" not in metrics(outcome, "judge")
    constant = metrics(outcome, "constant")
    assert constant["normalised_rank_mean"].value == 0.5
    assert constant["top_1"].value == pytest.approx(1 / 8)
    assert (constant["asymmetry_share"].value, constant["asymmetry_p"].value) == (0, 1)


def test_the_diagonal_is_what_two_scorers_can_have_in_common():
    """Both know originals, and nothing else in common: diagonal out says so."""
    own = 10 * np.eye(8)
    outcome = run(
        [Told("judge", random(1) + own), Told("other", random(2) + own)],
        Library(), bootstrap=FAST,
    )  # fmt: skip
    found = metrics(outcome, "other")
    assert found["pearson_diagonal_in"].value > 0.8
    first, second = (random(s)[~np.eye(8, dtype=bool)] for s in (1, 2))
    assert found["pearson"].value == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert found["pearson"].low < found["pearson"].value < found["pearson"].high
    assert found["top_1"].value == 1
    assert found["normalised_rank_mean"].value == 0


def test_all_clips_of_a_song_are_one_song():
    outcome = run(
        [Told("judge", random(3, 16)), Told("other", random(4, 16))],
        Library(), bootstrap=FAST, clips="all",
    )  # fmt: skip
    found = metrics(outcome, "other")
    assert found["kendall"].n == 16 * 14
    assert found["asymmetry_share"].n == 16 * 7


def test_the_best_and_the_worst_mashups_are_named():
    scores = np.arange(16.0).reshape(4, 4)
    outcome = run([Told("judge", scores)], Library(4), bootstrap=FAST, num_listed=3)
    selected = outcome.results[0].facts["selected"]
    best = [(pair["vocal"], pair["music"]) for pair in selected["best"]]
    # 15, 10 and 5 are on the diagonal: originals are no mashups.
    assert best == [("clip 3", "clip 2"), ("clip 3", "clip 1"), ("clip 3", "clip 0")]
    assert [pair["score"] for pair in selected["worst"]] == [1, 2, 3]


def test_a_report_with_figures_for_every_scorer_judge_and_all(tmp_path, capsys):
    outcome = run(
        [Told("judge", random(5)), Told("a", random(6)), Told("b", random(7))],
        Library(), bootstrap=FAST,
    )  # fmt: skip
    publish(outcome, tmp_path, command="typed")
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert [w["scorer"] for w in written] == ["judge", "a", "b"]
    assert written[1]["ari_between"]["a"] == 1
    for name in ("heatmaps", "against_judge", "asymmetry", "clusters", "tsne", "ari"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
    html = (tmp_path / "report.html").read_text()
    assert "Corrected:" in html
    assert "one clip is left out." in html
    assert [(c.first, c.second) for c in outcome.comparisons] == [("a", "b")]
    assert outcome.scores.height == 3 * 64
    row = outcome.scores.row(1, named=True)
    assert (row["vocal_clip_id"], row["music_clip_id"]) == ("clip 0", "clip 1")
    assert row["score"] == random(5)[0, 1]
    assert "(chance)" in capsys.readouterr().out


def test_what_is_wrong_is_said_in_a_line():
    scorers = [Told("judge", random(0))]
    with pytest.raises(ConfigError, match="Did you mean 'judge'"):
        run(scorers, Library(), bootstrap=FAST, judge="jugde")
    with pytest.raises(DatabaseError, match=r"only 2 song\(s\).*3 are needed"):
        run(scorers, Library(num_songs=2), bootstrap=FAST)
    with pytest.raises(ConfigError, match="num_clusters=1"):
        run(scorers, Library(), bootstrap=FAST, num_clusters=1)


def test_the_notebooks_block_of_21_songs_has_few_right_cells():
    """DESIGN: of 441 cells 121 are vocal with music, and 1 is the cell of the judge (MERT's)."""
    assert right_cells("mert", 21) == (121, 1)
    assert right_cells("clap", 21) == (110, 0)


@pytest.mark.parametrize(("name", "rows"), [("clap", (3, 4, 5)), ("mert", (0, 1, 2))])
def test_the_block_is_cut_as_in_the_notebooks(name, rows):
    listed = ["v0", "m0", "v1", "m1", "v2", "m2"]
    cosines = np.array([[10.0 * i + j for j in range(6)] for i in range(6)])
    found = block_of(cosines, name, np.arange(3))
    assert found.tolist() == [[10.0 * i + j for j in (3, 4, 5)] for i in rows]
    drawn = block_of(cosines, name, np.array([2, 2, 0]))  # v2 m2 v2 m2 v0 m0
    order = [listed.index(part) for part in ("v2", "m2", "v2", "m2", "v0", "m0")]
    expected = [[10.0 * order[i] + order[j] for j in (3, 4, 5)] for i in rows]
    assert drawn.tolist() == expected


def test_songs_of_a_database_with_all_their_roles(tiny_database):
    source = DatabaseSongs(tiny_database.root, split="all")
    clips = source.clips("one")
    assert len(clips) == tiny_database.clips["song_id"].n_unique()
    assert all(set(c.vocal) == {"vocal"} for c in clips)
    assert all(set(c.music) == {"harmonic", "percussion"} for c in clips)
    assert source.left_out() == []
    chosen = (pl.col("clip_id") == clips[0].clip_id) & (pl.col("role") == "percussion")
    level = pl.when(chosen).then(-90.0).otherwise(-20.0)
    tiny_database.write_table("stems", tiny_database.stems.with_columns(rms_db=level))
    left = DatabaseSongs(tiny_database.root, split="all")
    assert [c.clip_id for c in left.clips("all")] == [c.clip_id for c in clips[1:]]
    assert left.left_out()[0].startswith(f"1 of {len(clips)} clips are left out")
    with pytest.raises(ConfigError, match="Available: all, one"):
        left.clips("some")
