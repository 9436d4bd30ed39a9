"""Runs of PlaceNet: it trains, learns, goes on as if nothing had happened, and becomes a bundle."""

from __future__ import annotations

import pytest
import torch

import mashnet
from mashnet.commands.hydra_program import compose
from mashnet.data.parts import FilePart
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.execution import local
from mashnet.export.bundle import export_bundle
from mashnet.models.loading import load_scorer
from mashnet.models.networks import scorer_class_of
from mashnet.tasks.fit import fit, read_run
from mashnet.tasks.phrase import PhraseTask
from mashnet.tasks.run_log import read_log
from mashnet.tasks.settings import settings_of
from tests.models.phrases.test_terms import phrase
from tests.phrases import phrase_library
from tests.tasks.killed_run import train_until_killed


@pytest.fixture(scope="module", autouse=True)
def _in_this_process():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_WORTH_PROCESSES", 1000)
        yield


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return phrase_library(tmp_path_factory.mktemp("phrases"), 8, splits=("train", "val"), bars=9)


def settings(database, *overrides):
    return settings_of(
        compose(
            "train",
            [
                *("model=placenet", "data=mashupdb", f"data.root={database.root}"),
                *("trainer.accelerator=cpu", "trainer.max_epochs=2", "model.bars=[4]"),
                *("data.phrases.per_clip=4", "scale.placenet.batch_size=8"),
                *("scale.placenet.frontend.bars=4", "scale.placenet.sizes.channels=4"),
                *overrides,
            ],
        )
    )


@pytest.fixture(scope="module")
def run(database, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "placenet"
    fit(run, settings(database))
    return run


def group(database, clip_id, *roles):
    facts = database.facts_of(clip_id)
    return {role: FilePart(database.audio_path(f"{clip_id}-{role}"), facts) for role in roles}


def test_a_run_moves_both_heads_and_logs_them(run):
    logged = read_log(run)[1]
    assert {"train/loss", "train/vector_loss", "train/joint_loss", "val/rank_share"} <= set(logged)
    network = load_scorer(run / "checkpoints" / "last.ckpt").network
    start = scorer_class_of("placenet").network_class(channels=4)
    assert not torch.equal(network.weights, start.weights)
    assert network.joint.out.weight.abs().sum() > 0


@pytest.mark.long  # test_fit.py kills a run of loops, tests/kill one of mixes
def test_a_run_that_is_killed_continues_as_if_nothing_had_happened(database, tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    config = settings(database, "trainer.max_epochs=60")
    fit(undisturbed, config)
    train_until_killed(killed, config)
    fit(killed, read_run(killed))
    states = [load_scorer(run / "checkpoints/last.ckpt").network for run in (undisturbed, killed)]
    for one, other in zip(*(network.parameters() for network in states), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_vocal_finds_its_own_music_at_other_tempi_and_keys(database, run):
    scorer = load_scorer(run)
    clips = sorted(database.clip_rows)
    music = [group(database, clip_id, "harmonic", "percussion") for clip_id in clips]
    for row, clip_id in enumerate(clips):
        scores = scorer.score(group(database, clip_id, "vocal"), music)
        assert int(scores.argmax()) == row


def test_a_bundle_scores_as_its_run_does(database, run, tmp_path):
    bundle = tmp_path / "bundle"
    export_bundle(run, bundle)
    scorer = mashnet.load(bundle).scorer
    pair = group(database, "001", "vocal"), [group(database, "003", "harmonic", "percussion")]
    torch.testing.assert_close(scorer.score(*pair), load_scorer(run).score(*pair))
    card = (bundle / "README.md").read_text()
    assert "phrases in training: 4 bars" in card and "before anything is moved" in card
    assert sum(path.stat().st_size for path in bundle.iterdir()) < 2_000_000


def test_hardest_are_chosen_by_vectors_and_the_loss_of_a_head_that_corrects_nothing_is_theirs():
    """Three of 20 others that look alike: the joint loss is a softmax over what vectors say."""
    kind = scorer_class_of("placenet")
    task = PhraseTask(
        kind(kind.network_class(channels=4), PhraseFrontend(), name="p"),
        learning_rate=1e-3,
        weight_decay=0.0,
        seed=0,
    ).eval()
    scores = torch.zeros(2, 20)
    scores[0, 0], scores[0, 5] = 2.0, 3.0
    scores[1, 1] = 1.0
    offered = phrase(1, n=20)
    loss = task._of_hardest(phrase(2, n=2), offered, scores)
    first = -torch.log_softmax(torch.tensor([2.0, 3.0, *[0.0] * 8]), 0)[0]
    second = -torch.log_softmax(torch.tensor([1.0, *[0.0] * 9]), 0)[0]
    assert loss.item() == pytest.approx(float((first + second) / 2), abs=1e-5)
