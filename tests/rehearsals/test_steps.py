"""Every model's steps and every Scorer's encoding on a GPU that is not there, in bf16."""

from __future__ import annotations

import inspect
from functools import cache

import pytest
from omegaconf import OmegaConf
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor

from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.loading import build_scorer
from mashnet.models.networks import NETWORKS
from mashnet.models.published.cocola_official import (
    CocolaOfficialScorer,
    PublishedCocola,
    PublishedFrontend,
)
from mashnet.models.published.phalar_official import PhalarOfficialScorer
from mashnet.models.scorers import SCORERS
from mashnet.models.stems.phalar import Phalar
from mashnet.models.trained import TrainedScorer
from mashnet.rehearsals.batches import batches_of
from mashnet.rehearsals.scoring import rehearse_scoring
from mashnet.rehearsals.steps import Figures, rehearse, rehearse_steps
from mashnet.tasks.jobs import task_of
from mashnet.tasks.settings import settings_of

MODELS = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))
SCALES = ("small", "paper")
# What cannot be rehearsed, and why. An entry that has become unnecessary fails a test below.
BY_RULE = "a rule over NumPy arrays: nothing of it goes to a GPU"
BY_OTHERS = "a network of the transformers package, which its Scorer keeps on the CPU"
NOT_ON_A_GPU = {
    "alignment": BY_RULE,
    "automashupper": BY_RULE,
    "clap": BY_OTHERS,
    "keytempo": BY_RULE,
    "mert": BY_OTHERS,
    "random": "a hash of the parts",
}
NOT_FAKED = "the end of a validation ranks by numbers, which it has on the CPU"

# M parameters at scale=paper: of the networks' own files and of the design.
PARAMETERS = {
    "premixnet": 38.8,
    "postmixnet": 13.1,
    "loop_cnn": 22.7,
    "loop_siamese": 22.7,
    "contrastive": 85.3,
    "phalar": 2.3,
}


def config_of(model: str, scale: str) -> dict:
    return settings_of(compose("train", [f"model={model}", f"scale={scale}"]))


@cache
def one_step(model: str, scale: str) -> Figures:
    return rehearse(config_of(model, scale), steps=1)


# At scale=small every model trains for real elsewhere.
LONG = {"paper": (), "small": pytest.mark.long}
STEPS = [pytest.param(m, s, marks=LONG[s]) for m in MODELS for s in SCALES]


@pytest.mark.parametrize(("model", "scale"), STEPS)
def test_steps_of_training_and_validation(model: str, scale: str) -> None:
    figures = one_step(model, scale)
    assert figures.flop > 0
    assert figures.peak_bytes > figures.of_state_bytes > 4 * figures.trained
    assert figures.peak_bytes < 80e9
    if scale == "paper" and model in PARAMETERS:
        assert figures.parameters / 1e6 == pytest.approx(PARAMETERS[model], abs=0.06)


@pytest.mark.parametrize("scale", [pytest.param(s, marks=LONG[s]) for s in SCALES])
@pytest.mark.parametrize("network", NETWORKS.names())
def test_scores_of_every_network(network: str, scale: str) -> None:
    settings = config_of(network, scale)["model"]
    assert settings["network"] == network
    assert rehearse_scoring(build_scorer(settings, name=network)).shape == (2,)


def published(kind: type[TrainedScorer]) -> TrainedScorer:
    """Build a Scorer of published weights without them."""
    scorer = object.__new__(kind)
    if kind is CocolaOfficialScorer:
        TrainedScorer.__init__(scorer, PublishedCocola(), PublishedFrontend(), name="x")
    else:
        assert kind is PhalarOfficialScorer
        TrainedScorer.__init__(scorer, Phalar(), StemFrontend(window_s=5.0), name="x")
    return scorer


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / "scorer").glob("*.yaml")))
def test_scores_of_every_other_scorer(name: str) -> None:
    kind = SCORERS.load(OmegaConf.load(CONFIGS / "scorer" / f"{name}.yaml").name)
    assert inspect.isclass(kind)
    # A Scorer that gets a device must be rehearsed; one that has none has nothing to rehearse.
    assert hasattr(kind, "device") == (name not in NOT_ON_A_GPU), NOT_ON_A_GPU.get(name)
    if name not in NOT_ON_A_GPU:
        assert rehearse_scoring(published(kind)).shape == (2,)


@pytest.mark.parametrize("model", ["premixnet", "loop_siamese", "contrastive"])
def test_what_cannot_be_faked_cannot(model: str) -> None:
    config = config_of(model, "small")
    scorer = build_scorer(config["model"], name=model)
    task = task_of(scorer, config["model"], seed=1)
    training, validation = batches_of(scorer, config | {"data": config["data"] | {"batch_size": 2}})
    training.pop("semitones", None)
    if model == "premixnet":
        bands = scorer.frontend.log_mel.n_mels
        training |= {role: training[role][..., :bands] for role in scorer.roles}
    rehearse_steps(task, training, validation, steps=1)
    assert all(isinstance(t, FakeTensor) for row in task._validation for t in row)
    task.trainer.sanity_checking = False
    with pytest.raises((DataDependentOutputException, RuntimeError)):  # NOT_FAKED
        task.on_validation_epoch_end()


def test_operations_are_those_of_a_vit_by_hand() -> None:
    """ViT-Base on both sides of 256 pairs of 8 s: 250 tokens of 768 numbers in 12 blocks."""
    tokens, width, depth, patch = 2 * 256 * 250, 768, 12, 256
    dense = tokens * depth * 12 * width**2  # products: 3 + 1 + 4 + 4 matrices of width²
    embedding = tokens * patch * width
    attention = tokens * depth * 2 * 250 * width  # scores, and what is heard by them
    forward = 2 * (dense + embedding + attention)
    found = one_step("contrastive", "paper").flop
    assert found == pytest.approx(3 * forward, rel=0.02)


def test_state_is_weights_and_two_moments() -> None:
    figures = one_step("contrastive", "small")
    # Four bytes each; filters of the spectrogram and rounding up come on top.
    assert figures.of_state_bytes == pytest.approx(12 * figures.trained, rel=0.03)


def test_recomputing_takes_a_fraction_of_the_memory() -> None:
    """Gradients are the same: tests/models/stems/test_contrastive.py."""
    config = config_of("contrastive", "paper")
    config["data"]["batch_size"] = 32
    plain, sparing = (
        rehearse(config | {"model": config["model"] | {"sizes": {"depth": 12, "recompute": again}}})
        for again in (False, True)
    )
    assert sparing.peak_bytes < plain.peak_bytes / 2
    # All but the last layer of a block, which nothing needs: two thirds of a forward pass.
    assert sparing.flop == pytest.approx((3 + 2 / 3) / 3 * plain.flop, rel=0.02)
