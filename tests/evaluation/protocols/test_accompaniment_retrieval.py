"""Vocals look for an accompaniment: ranks by hand, first choices rendered."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.parts import Group
from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.protocols.accompaniment_retrieval import run
from mashnet.evaluation.report import publish
from mashnet.evaluation.results import Outcome
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.seeds import DatabaseSeeds
from mashnet.listening.__main__ import _settings
from mashnet.mashups.collection import read_collection
from tests.metronome import MetronomeDB

BOOTSTRAP = Bootstrap(num_resamples=20)


class Likes:
    """Scores accompaniments by the clip that their harmonic part is of."""

    def __init__(self, name: str, worth: dict[str, float]) -> None:
        self.name, self.worth = name, worth

    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        assert set(query) == {"vocal"}
        assert all(set(c) == {"harmonic", "percussion"} for c in candidates)
        return torch.tensor([self._of(c["harmonic"]) for c in candidates])

    def _of(self, part) -> float:
        (path,) = part.part.paths
        return self.worth[path.parent.name]


def songs(
    folder: Path, count: int, *, split: str = "test", roles: tuple[str, ...] = ROLES
) -> tuple[MashupDB, list[str]]:
    collected = MetronomeDB(folder)
    clips = [
        collected.add(tempo_bpm=120 + i, tonic=0, duration_s=4, split=split, roles=roles)
        for i in range(count)
    ]
    return collected.write(), clips


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[MashupDB, list[str]]:
    return songs(tmp_path_factory.mktemp("library"), 3)


def result(outcome: Outcome, name: str):
    return next(r for r in outcome.results if r.scorer == name)


def test_the_own_accompaniment_is_ranked_among_all_pairs(
    library: tuple[MashupDB, list[str]], tmp_path: Path
) -> None:
    database, clips = library
    source = DatabaseSeeds(database.root, split="test")
    best_first = dict(zip(clips, (3.0, 2.0, 1.0), strict=True))
    all_alike = dict.fromkeys(clips, 1.0)
    scorers = [Likes("first", best_first), Likes("nobody", all_alike)]
    outcome = run(scorers, source, bootstrap=BOOTSTRAP, folder=tmp_path, rendered=False)
    # Each vocal has 2 × 2 accompaniments of the two other songs, two for each harmonic part, and
    # its own. The first song's own is before all 4, the second's before 2, the third's before none.
    metrics = result(outcome, "first").metrics
    assert metrics["average_rank"].value == pytest.approx((1 + 3 + 5) / 3)
    assert metrics["normalised_rank_mean"].value == pytest.approx((0 + 0.5 + 1) / 3)
    assert metrics["top_1"].value == pytest.approx(1 / 3)
    assert metrics["top_1"].n == 3
    # A Scorer to whom all are alike gains nothing: ties share their ranks.
    assert result(outcome, "nobody").metrics["average_rank"].value == pytest.approx(3)
    assert result(outcome, "nobody").metrics["normalised_rank_mean"].value == pytest.approx(0.5)
    assert outcome.metrics["average_rank"].chance == pytest.approx(3)
    assert outcome.scores.height == 2 * 3 * 5 and outcome.scores["own"].sum() == 6
    assert not list(tmp_path.iterdir()) and not outcome.examples


def test_first_choices_and_originals_are_rendered_for_listeners(
    library: tuple[MashupDB, list[str]], tmp_path: Path
) -> None:
    database, clips = library
    source = DatabaseSeeds(database.root, split="test")
    worths = (3.0, 2.0, 1.0), (1.0, 2.0, 3.0)
    scorers = [
        Likes(name, dict(zip(clips, worth, strict=True)))
        for name, worth in zip(("up", "down"), worths, strict=True)
    ]
    outcome = run(scorers, source, bootstrap=BOOTSTRAP, folder=tmp_path, num_candidates=3)
    rows = read_collection(tmp_path / "mashups")
    assert [(row["system"], row["kind"]) for row in rows] == (
        [("up", "top")] * 3 + [("down", "top")] * 3 + [("original", "original")] * 3
    )
    for row in rows[:6]:
        own = row["base"]["clip_id"]
        assert [guest["role"] for guest in row["guests"]] == ["harmonic", "percussion"]
        assert own not in [guest["clip_id"] for guest in row["guests"]]
        assert set(row["scores"]) == {"up", "down"} and row["score"] == row["scores"][row["system"]]
        same = outcome.scores.filter(
            (outcome.scores["scorer"] == row["system"])
            & (outcome.scores["vocal_clip_id"] == own)
            & ~outcome.scores["own"]
        )
        assert row["score"] == same["score"].max() and same.height == 3
    assert all(row["guests"] == [] and row["score"] is None for row in rows[6:])
    assert [e.audio.is_file() for e in outcome.examples] == [True] * 9
    (command,) = [n.partition("test: ")[2] for n in outcome.notes if "mashnet.listening" in n]
    *_, name, systems, out = shlex.split(command)
    assert _settings(name, [systems, out])["systems"] == f"[{tmp_path / 'mashups'}]"
    choices = result(outcome, "up").facts["first_choices"]
    assert len(choices) == 3 and set(choices[0]) == {"vocal", "harmonic", "percussion", "score"}


def test_vocals_of_another_database(library: tuple[MashupDB, list[str]], tmp_path: Path) -> None:
    database, clips = library
    seeds, seed_clips = songs(tmp_path / "seeds", 2, split="val")
    source = DatabaseSeeds(database.root, split="test", query_db=seeds.root, query_split="val")
    worth = dict.fromkeys([*clips, *seed_clips], 0.0) | {seed_clips[0]: 1.0}
    outcome = run(
        [Likes("own", worth)], source, bootstrap=BOOTSTRAP, folder=tmp_path, rendered=False
    )
    # The seeds are songs of the library, too, which their ids say: those are not asked.
    assert outcome.scores.height == 2 * (2 * 2 + 1)
    assert set(outcome.scores["vocal_clip_id"]) == set(seed_clips)
    assert str(seeds.root) in outcome.results[0].data


def test_a_cappella_vocals_get_a_choice_without_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, clips = songs(tmp_path / "library", 4)
    seeds, _ = songs(tmp_path / "seeds", 2, roles=("vocal",))
    scorer = Likes("fourth", dict.fromkeys(clips, 0.0) | {clips[3]: 1.0})
    source = DatabaseSeeds(database.root, split="test", query_db=seeds.root)
    outcome = run([scorer], source, bootstrap=BOOTSTRAP, folder=tmp_path / "out")
    rows = read_collection(tmp_path / "out" / "mashups")
    assert [(row["system"], row["kind"]) for row in rows] == [("fourth", "top")] * 2
    assert all(row["base"]["stems"] == ["vocal"] for row in rows)
    assert all(row["guests"][0]["clip_id"] == clips[3] for row in rows)
    assert outcome.results[0].metrics == {} and not outcome.plots and not outcome.comparisons
    assert any("No vocal has its own accompaniment" in note for note in outcome.notes)
    publish(outcome, tmp_path / "out", command="")
    assert "report.html" in capsys.readouterr().out
    with pytest.raises(DatabaseError, match="none of 2 vocals.*rendered=true"):
        run([scorer], source, bootstrap=BOOTSTRAP, folder=tmp_path / "none", rendered=False)


def test_one_line_where_there_is_nothing_to_choose(
    library: tuple[MashupDB, list[str]], tmp_path: Path
) -> None:
    database, clips = library
    scorer = Likes("first", dict.fromkeys(clips, 0.0))
    with pytest.raises(DatabaseError, match="no vocal of the split val.*data.split=all"):
        source = DatabaseSeeds(database.root, split="val")
        run([scorer], source, bootstrap=BOOTSTRAP, folder=tmp_path)
    source = DatabaseSeeds(database.root, split="test")
    with pytest.raises(ConfigError, match="num_candidates=0"):
        run([scorer], source, bootstrap=BOOTSTRAP, folder=tmp_path, num_candidates=0)
    with pytest.raises(ConfigError, match="technique"):
        run([scorer], source, bootstrap=BOOTSTRAP, folder=tmp_path, technique="luck")
    with pytest.raises(ConfigError, match="query_split"):
        DatabaseSeeds(database.root, split="test", query_split="some")
    with pytest.raises(DatabaseError, match="not a MashupDB"):
        DatabaseSeeds(database.root, split="test", query_db=tmp_path / "none")


def test_a_damaged_stem_costs_its_own_candidates_only(tmp_path: Path) -> None:
    database, clips = songs(tmp_path / "db", 4)
    (path,) = (database.root / "audio" / clips[0]).glob("harmonic.*")
    path.write_bytes(b"no sound")
    source = DatabaseSeeds(database.root, split="test")
    scorer = Likes("first", dict.fromkeys(clips, 0.0))
    outcome = run([scorer], source, bootstrap=BOOTSTRAP, folder=tmp_path, rendered=False)
    # 3 × 3 accompaniments and the own one for each of 4 vocals; without the damaged stem the
    # first vocal has no own one, the others 2 × 3.
    assert outcome.scores.height == 9 + 3 * (2 * 3 + 1)
    assert outcome.scores["own"].sum() == 3
    assert any(note.startswith("Left out: ") and "harmonic" in note for note in outcome.notes)
