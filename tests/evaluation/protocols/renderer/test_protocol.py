"""renderer with Scorers that are told what to like, on songs whose keys and beats are known."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import polars as pl
import pytest
import torch
from playwright.sync_api import sync_playwright

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import ROLES
from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.mashup_measures.measures import MEASURES
from mashnet.evaluation.protocols.renderer.protocol import run
from mashnet.evaluation.report import publish
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.proposals import DatabaseProposals
from mashnet.mashups.collection import read_collection
from tests.metronome import MetronomeDB

CHROMIUM = shutil.which("chromium")
FAST = Bootstrap(num_resamples=30)
SMALL = {"top": 2, "bottom": 2, "per_song": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    collected = MetronomeDB(tmp_path_factory.mktemp("renderer"))
    for index, (tempo, tonic) in enumerate([(120, 0), (116, 1), (124, 2), (110, 11)]):
        collected.add(tempo_bpm=tempo, tonic=tonic, duration_s=6, first_s=0.2 + 0.1 * index)
    collected.add(tempo_bpm=118, duration_s=6, roles=("harmonic", "percussion"))
    collected.add(tempo_bpm=86, duration_s=6)  # too slow for all, and too fast for half of them
    return collected.write().root


class Likes:
    """Likes what is loud in one role, or the other way round; counts what it is asked."""

    def __init__(self, name: str, sign: float = 1.0, role: str = "harmonic") -> None:
        self.name, self.sign, self.role, self.asked = name, sign, role, 0

    def score(self, query, candidates):
        self.asked += len(candidates)
        groups = [{**query, **candidate} for candidate in candidates]
        assert all(set(group) == set(ROLES) for group in groups)
        sums = [float(np.sum(group[self.role].waveform(8000)[::7])) for group in groups]
        return self.sign * torch.tensor(sums)


def outcome_of(root: Path, folder: Path, *scorers: Likes, **settings):
    source = DatabaseProposals(root, split="all")
    return run(
        list(scorers or [Likes("one")]), source, bootstrap=FAST, folder=folder, **SMALL | settings
    )


@pytest.fixture(scope="module")
def two(root: Path, tmp_path_factory: pytest.TempPathFactory):
    """An outcome of two Scorers of opposite taste; the second judges."""
    folder = tmp_path_factory.mktemp("out")
    one, other = Likes("one"), Likes("other", -1.0)
    outcome = outcome_of(root, folder, one, other, judge="other")
    publish(outcome, folder, command="evaluate.py …")
    return outcome, folder, one


def test_best_and_worst_are_rendered_and_originals_of_the_same_bases(two) -> None:
    outcome, folder, _ = two
    rows = read_collection(folder / "mashups")
    kinds = Counter((row["system"], row["kind"]) for row in rows)
    assert {kinds[name, kind] for name in ("one", "other") for kind in ("best", "worst")} == {2}
    of_one = {row["name"]: row["kind"] for row in rows if row["system"] == "one"}
    of_other = {row["name"]: row["kind"] for row in rows if row["system"] == "other"}
    assert len(of_one) == 4  # none is best and worst
    # What one likes best the other likes least.
    assert {n for n, k in of_one.items() if k == "best"} == {
        n for n, k in of_other.items() if k == "worst"
    }
    scores = outcome.scores.filter(pl.col("scorer") == "one", pl.col("kind") != "original")
    ranked = outcome.scores.filter(
        pl.col("scorer") == "one", pl.col("kind").ne_missing("original")
    )["score"]
    best = scores.filter(pl.col("kind") == "best")["score"]
    assert best.max() == ranked.max()
    assert scores.filter(pl.col("kind") == "worst")["score"].min() == ranked.min()
    bases = {row["base"]["clip_id"] for row in rows if row["kind"] != "original"}
    originals = [row["base"]["clip_id"] for row in rows if row["kind"] == "original"]
    assert len(originals) == len(set(originals)) and set(originals) <= bases
    assert all((folder / "mashups" / row["audio"]).is_file() for row in rows)
    assert all(set(row["scores"]) == {"one", "other"} for row in rows)


def test_figures(two) -> None:
    outcome, folder, _ = two
    results = {r["scorer"]: r for r in json.loads((folder / "metrics.json").read_text())}
    metrics = results["one"]["metrics"]
    for name in ("judge_score", "key_clash", "masked", "onset_error_ms", "lufs"):
        figures = {k: metrics[f"{name}_{k}"] for k in ("best", "worst", "original", "difference")}
        apart = figures["best"]["value"] - figures["worst"]["value"]
        assert figures["difference"]["value"] == pytest.approx(apart, abs=1e-9)
        assert (figures["best"]["n"], figures["difference"]["n"]) == (2, 4)
    assert set(outcome.metrics) >= set(metrics)
    assert all(name.rpartition("_")[0] in MEASURES for name in metrics)
    # The judge has the opposite taste, and says so.
    assert metrics["judge_score_difference"]["value"] < 0
    assert "beat_error_ms_original" not in metrics
    compared = json.loads((folder / "comparisons.json").read_text())
    assert {"key_clash", "judge_score"} <= {c["metric"] for c in compared}
    assert all(c["told_apart"] == (c["low"] > 0 or c["high"] < 0) for c in compared if c["low"])


def test_nobody_is_his_own_judge(two) -> None:
    outcome, folder, _ = two
    results = {r["scorer"]: r for r in json.loads((folder / "metrics.json").read_text())}
    assert not [name for name in results["other"]["metrics"] if name.startswith("judge_score")]
    assert "other is the judge: what it chose itself has no judge's score." in outcome.notes
    assert not [n for n in outcome.notes if n.startswith("judge_score:")]
    assert any("intervals drawn from so few are too narrow" in note for note in outcome.notes)


def test_table_has_every_ranked_mashup(two) -> None:
    outcome, _, one = two
    mashups = outcome.scores.filter(
        pl.col("scorer") == "one", pl.col("vocal_clip_id").is_not_null()
    )
    assert mashups.height == 4 * 3 + 4  # four songs, and one that has no vocal
    assert mashups["score"].is_finite().all()
    rendered = mashups.filter(pl.col("kind").is_not_null())
    assert rendered.height == 4 and rendered["lufs"].is_not_null().all()
    assert mashups.filter(pl.col("kind").is_null())["lufs"].null_count() == 12
    assert one.asked == 4 * 3 + 4 + outcome.results[0].facts["originals"]


def test_players_stand_beside_the_numbers(two) -> None:
    outcome, folder, _ = two
    html = (folder / "report.html").read_text("utf-8")
    sources = re.findall(r'<audio controls preload="none" src="([^"]+)">', html)
    assert len(sources) == len(outcome.examples)
    for source in sources:
        assert not source.startswith("/") and (folder / unquote(source)).is_file()
    assert "the vocal of Song" in html and "as it is" in html
    assert "http" not in html.replace("http-equiv", "")
    assert {example.group for example in outcome.examples} == {"one", "other"}


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")
def test_a_browser_plays_what_the_report_links(two) -> None:
    _, folder, _ = two
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((folder / "report.html").as_uri())
        assert page.locator("details").count() == 2 and page.locator("audio").count() > 8
        assert page.locator("audio").first.is_visible()
        durations_s = page.evaluate(
            """() => Promise.all([...document.querySelectorAll("audio")].map(audio =>
                new Promise(done => {
                    audio.onloadedmetadata = () => done(audio.duration);
                    audio.onerror = () => done(-1);
                    audio.preload = "metadata";
                    audio.load();
                })))"""
        )
        assert durations_s == pytest.approx([6.0] * len(durations_s), abs=0.05)
        # Only what one Scorer chose is open at first.
        assert not page.locator("audio").last.is_visible()
        page.locator("summary").last.click()
        assert page.locator("audio").last.is_visible()
        browser.close()


def test_a_second_run_renders_nothing_again(root: Path, tmp_path: Path) -> None:
    first = outcome_of(root, tmp_path)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "mashups").glob("*.flac")}
    lost = next(iter(times))
    lost.unlink()  # a kill in the midst of it
    (tmp_path / "mashups" / ".half.partial.flac").write_bytes(b"")
    second = outcome_of(root, tmp_path)
    again = {p: p.stat().st_mtime_ns for p in (tmp_path / "mashups").glob("*.flac")}
    assert set(again) == set(times)
    assert {p for p in times if again[p] != times[p]} == {lost}
    assert first.results[0].as_json() == second.results[0].as_json()
    assert not list((tmp_path / "mashups").glob(".*"))


def test_songs_that_do_not_suffice_are_said(root: Path, tmp_path: Path) -> None:
    outcome = outcome_of(root, tmp_path, top=9, bottom=9, per_song=1, num_ranked=10)
    counts = Counter(example.label.split()[0] for example in outcome.examples)
    assert 2 <= counts["best"] <= 5 and counts["best"] + counts["worst"] <= 10
    assert any("Of 16 mashups within the limits those 10 were ranked" in n for n in outcome.notes)
    assert any(f"one: {counts['best']} instead of 9 best" in note for note in outcome.notes)
    assert any("10 were ranked, and none is both" in note for note in outcome.notes)
    assert any(note.startswith("No judge was named") for note in outcome.notes)
    for kind in ("best", "worst"):
        rows = outcome.scores.filter(pl.col("kind") == kind)
        assert rows["base_song_id"].is_unique().all() and rows["vocal_song_id"].is_unique().all()


def test_only_the_best(root: Path, tmp_path: Path) -> None:
    outcome = outcome_of(root, tmp_path, top=1, bottom=0)
    metrics = outcome.results[0].metrics
    assert "lufs_best" in metrics and "lufs_worst" not in metrics
    assert not outcome.comparisons and not [n for n in metrics if n.endswith("_difference")]
    assert np.isnan(metrics["lufs_best"].low)  # one song: nothing to draw from


def test_silent_vocals_are_measured_as_far_as_can_be(tmp_path: Path) -> None:
    collected = MetronomeDB(tmp_path / "db")
    for tempo in (120, 118, 122):
        collected.add(tempo_bpm=tempo, duration_s=5)
    for stem in collected.stems:
        if stem["role"] == "vocal":
            write_flac(collected.database.root / stem["path"], np.zeros((1, 80000)), 16000)
    root = collected.write().root
    outcome = outcome_of(root, tmp_path / "out", Likes("one"), Likes("two"), judge="two")
    publish(outcome, tmp_path / "out", command="")
    assert any(note.startswith("masked:") and "there is no voice" in note for note in outcome.notes)
    assert any(note.startswith("judge_score:") for note in outcome.notes)
    json.loads((tmp_path / "out" / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top": -1}, "nothing would be rendered"),
        ({"top": 0, "bottom": 0}, "nothing would be rendered"),
        ({"per_song": 0}, "nothing would be rendered"),
        ({"num_ranked": 0}, "nothing would be rendered"),
        ({"technique": "temp"}, "Did you mean 'tempo'"),
        ({"engine": "pedalboard"}, "cannot follow beats"),
        ({"judge": "nobody"}, "judge"),
        ({"clips": "some"}, "clips"),
    ],
)
def test_wrong_settings_are_refused(root: Path, tmp_path: Path, settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        outcome_of(root, tmp_path, **settings)


def test_a_library_of_which_nothing_can_be_made(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"within 0 semitones .* protocol.max_semitones=6"):
        outcome_of(root, tmp_path, max_semitones=0, tempo_range=(0.999, 1.001))
