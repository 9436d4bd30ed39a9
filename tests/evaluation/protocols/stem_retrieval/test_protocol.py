from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch
from omegaconf import OmegaConf

from mashnet.commands.hydra_program import compose
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.protocols.stem_retrieval.protocol import run
from mashnet.evaluation.results import write_outcome
from mashnet.evaluation.run import _require_view, evaluate
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.stems import DatabaseStems
from mashnet.models.stems.scoring import StemNetwork, StemScorer
from tests.told_stems import CONSTANT, KNOWING, Rule, Stems

FAST = Bootstrap(num_resamples=50)


OF_THE_TRACK = Rule("track", lambda asked, answer, _: asked[0] == answer[0])
NUMBER_OF = {"guitar": "0", "bass": "1", "drums": "2", "": "none"}
OF_THE_NAME = Rule("name", lambda _, answer, instrument: NUMBER_OF[instrument] == answer[1])


def values(outcome, which=0):
    return {name: e.value for name, e in outcome.results[which].metrics.items()}


def test_who_knows_is_always_right():
    found = values(run([KNOWING], Stems(), bootstrap=FAST))
    for suffix in ("", "_among_others"):
        assert all(found[f"recall_at_{k}{suffix}"] == 1 for k in (1, 5, 10))
        assert found[f"normalised_rank_mean{suffix}"] == 0
        assert found[f"normalised_rank_median{suffix}"] == 0
    assert found["right_track_and_instrument"] == 1
    assert found["top_1_of_64"] == 1


def test_who_says_nothing_gets_chance_in_every_figure():
    outcome = run([CONSTANT], Stems(num_songs=6), bootstrap=FAST)
    found = values(outcome)
    assert set(found) == set(outcome.metrics)
    for name, value in found.items():
        assert value == pytest.approx(outcome.metrics[name].chance), name
    assert found["recall_at_5"] == pytest.approx(5 / 18)
    assert found["recall_at_5_among_others"] == pytest.approx(5 / 16)
    assert found["normalised_rank_mean"] == 0.5
    assert found["top_1_of_64"] == 1 / 64
    # Of 18 stems, 1 is right, 2 more are of the track, 5 more of the instrument.
    assert found["right_track_and_instrument"] == pytest.approx(1 / 18)
    assert found["right_track_only"] == pytest.approx(2 / 18)
    assert found["right_instrument_only"] == pytest.approx(5 / 18)
    assert found["neither"] == pytest.approx(10 / 18)
    # Without the two more of the track.
    assert found["right_track_and_instrument_among_others"] == pytest.approx(1 / 16)
    assert found["right_track_only_among_others"] == 0
    assert found["right_instrument_only_among_others"] == pytest.approx(5 / 16)
    assert found["neither_among_others"] == pytest.approx(10 / 16)


def test_who_hears_the_track_only():
    found = values(run([OF_THE_TRACK], Stems(num_songs=4), bootstrap=FAST))
    assert found["recall_at_1"] == pytest.approx(1 / 3)  # level with the song's other two
    assert found["normalised_rank_mean"] == pytest.approx(1 / 11)
    assert found["recall_at_1_among_others"] == 1
    assert found["right_track_and_instrument"] == pytest.approx(1 / 3)
    assert found["right_track_only"] == pytest.approx(2 / 3)


def test_who_reads_the_name_only():
    outcome = run([OF_THE_NAME], Stems(num_songs=4), bootstrap=FAST)
    found = values(outcome)
    assert found["recall_at_1"] == pytest.approx(1 / 4)  # level with the other songs' three
    assert found["recall_at_5"] == 1
    assert found["right_track_and_instrument"] == pytest.approx(1 / 4)
    assert found["right_instrument_only"] == pytest.approx(3 / 4)
    per_instrument = outcome.results[0].facts["per_instrument"]
    assert set(per_instrument) == {"guitar", "bass", "drums"}
    assert per_instrument["bass"]["n"] == 4
    assert per_instrument["bass"]["right_instrument_only"] == pytest.approx(3 / 4)
    assert per_instrument["bass"]["right_instrument_only_among_others"] == pytest.approx(3 / 4)


def test_fine_labels_decide_what_is_the_right_instrument():
    found = values(run([OF_THE_NAME], Stems(num_songs=4), bootstrap=FAST, labels="fine"))
    # The four that stand first are of two fine names.
    assert found["right_instrument_only"] == pytest.approx(1 / 4)
    assert found["neither"] == pytest.approx(2 / 4)


def test_an_unknown_instrument_is_only_found_as_the_very_stem():
    outcome = run([CONSTANT], Stems(labels=("guitar", "")), bootstrap=FAST)
    unknown = outcome.results[0].facts["per_instrument"]["(unknown)"]
    assert unknown["right_track_and_instrument"] == pytest.approx(1 / 6)
    assert unknown["right_instrument_only"] == 0
    assert "3 of the stems have no label" in " ".join(outcome.notes)


def test_own_stems_before_the_right_one_count_in_the_first_block_only():
    not_the_stem = Rule("x", lambda a, b, _: 1 if a[0] == b[0] and a != b else 0.5 * (a == b))
    found = values(run([not_the_stem], Stems(num_songs=4), bootstrap=FAST))
    assert found["recall_at_1"] == 0
    assert found["normalised_rank_mean"] == pytest.approx(2 / 11)
    assert found["right_track_only"] == 1
    assert found["recall_at_1_among_others"] == 1


@pytest.mark.parametrize(("num_songs", "each"), [(2, 63), (3, 32), (10, 20)])
def test_few_songs_bring_more_chunks_each(num_songs, each):
    outcome = run([CONSTANT], Stems(num_songs=num_songs), bootstrap=FAST)
    assert outcome.results[0].metrics["top_1_of_64"].n == num_songs * each
    assert f"{num_songs * each} chunks of 5 s of {num_songs} songs" in outcome.notes[1]


def test_top_1_is_among_64_of_other_songs():
    asked = []

    class Counting(Rule):
        def score(self, query, candidates):
            if query["harmonic"].part_id.endswith("submix"):
                asked.append([c["harmonic"].part_id for c in candidates])
            return super().score(query, candidates)

    run([Counting("x", lambda *_: 0.0)], Stems(num_songs=5), bootstrap=FAST)
    assert len(asked) == 100
    for own, *others in asked:
        song = own.split("-")[0]
        assert len(set(others)) == 63
        counts = [sum(o.split("-")[0] == str(s) for o in others) for s in range(5)]
        assert counts.pop(int(song)) == 0
        assert sorted(counts) == [15, 16, 16, 16]


def test_too_few_chunks_leave_top_1_out():
    outcome = run([CONSTANT], Stems(most_chunks=5), bootstrap=FAST)
    assert "top_1_of_64" not in outcome.metrics
    assert "top_1_of_64" not in outcome.results[0].metrics
    assert "top_1_of_64 is left out" in " ".join(outcome.notes)
    assert outcome.notes[-1] == "Something is left out."


def test_comparisons_and_files(tmp_path):
    outcome = run([KNOWING, CONSTANT], Stems(num_songs=6), bootstrap=FAST)
    differences = {c.metric: c.difference.value for c in outcome.comparisons}
    assert differences["recall_at_1"] == pytest.approx(1 - 1 / 18)
    assert differences["normalised_rank_mean_among_others"] == pytest.approx(-0.5)
    assert differences["top_1_of_64"] == pytest.approx(1 - 1 / 64)
    names = {path.name for path in write_outcome(outcome, tmp_path)}
    assert {"recall.png", "instruments.png", "instruments_among_others.png"} <= names
    # What is needed to pool folds: places as counts, one row per stem and per chunk.
    scores = pl.read_parquet(tmp_path / "scores.parquet").filter(pl.col("scorer") == "constant")
    stems, chunks = (scores.filter(pl.col("asked") == kind) for kind in ("stem", "chunk"))
    assert (len(stems), len(chunks)) == (18, 120)
    assert stems["tied"].to_list() == [17] * 18
    assert stems["candidates_among_others"].to_list() == [16] * 18
    assert chunks["candidates"].to_list() == [64] * 120
    assert np.isfinite(scores["score"].to_numpy()).all()


def test_what_cannot_be_asked():
    with pytest.raises(DatabaseError, match=r"1 song\(s\).*at least two. Something is left out"):
        run([CONSTANT], Stems(num_songs=1), bootstrap=FAST)
    for wrong in ({"num_draws": 0}, {"chunk_s": 0.0}):
        with pytest.raises(ConfigError, match="must be positive"):
            run([CONSTANT], Stems(), bootstrap=FAST, **wrong)


class Listening(StemNetwork):
    """Hears loudness over time, and writes down which instruments it was asked for."""

    windows_meet = False
    sample_rate = 16_000

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Linear(1, 1)
        self.texts = []

    def embed_context(self, waves, instruments):
        self.texts += instruments
        return self.embed_target(waves)

    def embed_target(self, waves):
        waves = torch.nn.functional.pad(
            waves, (0, 64_000 - waves.shape[1])
        )  # the last may be short
        return torch.log(waves.unflatten(1, (-1, 800)).square().mean(2) + 1e-6)


def test_a_network_is_told_the_instrument_of_a_stem_and_none_of_a_submix(tiny_database):
    network = Listening()
    scorer = StemScorer(network, StemFrontend(window_s=4.0), name="listening")
    source = DatabaseStems(tiny_database.root, split="test")
    outcome = run([scorer], source, bootstrap=FAST)
    # Nine stems of 12 s have three windows each; of 3 × 32 chunks of 5 s most have two.
    stems, chunks = network.texts[:27], network.texts[27:]
    assert stems == [q.label for q in source.questions("coarse") for _ in range(3)]
    assert set(stems) == {"vocal", "harmonic", "percussion"}
    assert set(chunks) == {""}
    assert 96 < len(chunks) <= 192
    again = run([scorer], source, bootstrap=FAST)
    assert again.results[0].as_json() == outcome.results[0].as_json()


def settings(*overrides):
    return OmegaConf.to_container(compose("evaluate", list(overrides)), resolve=True)


@pytest.mark.parametrize("labels", ["coarse", "fine"])
def test_from_settings_to_a_report(tiny_database, tmp_path, labels, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = evaluate(
        settings(
            "scorer=alignment",
            "protocol=stem_retrieval",
            f"data.root={tiny_database.root}",
            f"labels={labels}",
            "bootstrap.num_resamples=20",
        ),
        command="python evaluate.py …",
    )
    # Coarse and fine results do not replace each other.
    assert folder.name == ("stem_retrieval" if labels == "coarse" else "stem_retrieval_fine")
    found = json.loads((folder / "metrics.json").read_text())
    assert found["labels"] == labels
    assert found["candidates"] == 9
    names = {"recall_at_1", "recall_at_5", "recall_at_10", "normalised_rank_mean",
             "normalised_rank_median", "top_1_of_64"}  # fmt: skip
    assert names <= set(found["metrics"])
    report = (folder / "report.html").read_text("utf-8")
    assert all(name in report for name in names)
    # Three songs in three tempi, each with its own beat: what the rule was made to hear.
    assert found["metrics"]["top_1_of_64"]["value"] > 0.5
    assert found["metrics"]["recall_at_1_among_others"]["value"] > 0.5


def test_labels_are_refused_where_nobody_reads_them(tiny_database, tmp_path):
    common = ("scorer=random", f"data.root={tiny_database.root}", f"out={tmp_path / 'out'}")
    with pytest.raises(ConfigError, match="protocol=mashup_retrieval names no instruments"):
        evaluate(settings(*common, "protocol=mashup_retrieval", "labels=fine"), command="")
    with pytest.raises(ConfigError, match="labels 'fnie' is not available"):
        evaluate(settings(*common, "protocol=stem_retrieval", "labels=fnie"), command="")


def test_networks_of_stems_may_be_asked_everything_and_others_not_about_stems():
    networks = {view: Rule(view, lambda *_: 0.0) for view in ("mixes", "loops", "stems")}
    for view, network in networks.items():
        network.view = view
    for protocol in ("stem_retrieval", "sensitivity", "loop_ranking"):
        _require_view([networks["stems"], CONSTANT], protocol)
    with pytest.raises(ConfigError, match=r"mixes judges mixes, protocol=stem_retrieval.*sensitiv"):
        _require_view([networks["mixes"]], "stem_retrieval")
    with pytest.raises(ConfigError, match="use protocol=loop_ranking"):
        _require_view([networks["loops"]], "stem_retrieval")
