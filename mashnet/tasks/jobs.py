"""From a run's settings to what is trained, on what, and by which figure it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from mashnet.data.epoch_order import WHOLE, Share
from mashnet.data.loops.view import LoopData
from mashnet.data.mixes.module import MixData
from mashnet.data.phrases.data import PhraseData
from mashnet.data.phrases.examples import TrackerErrors
from mashnet.data.stems.data import StemData
from mashnet.data.stems.view import Augmentation
from mashnet.errors import CheckpointError, ConfigError
from mashnet.extras import lacking
from mashnet.models.limits import no_larger_than
from mashnet.models.loading import NETWORK_PREFIX, build_scorer, load_scorer
from mashnet.models.loops.scoring import LoopScorer
from mashnet.models.mixes.scoring import MixScorer
from mashnet.models.networks import scorer_class_of
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.stems.jepa import Jepa
from mashnet.models.stems.predictive import PredictiveNetwork
from mashnet.models.stems.scoring import StemScorer
from mashnet.models.torch_file import torch_file
from mashnet.models.trained import TrainedScorer
from mashnet.models.weights import require_fitting, require_weights, weights_in
from mashnet.storage.contained_paths import shown
from mashnet.tasks.contrastive import ContrastiveTask
from mashnet.tasks.jepa import JepaTask
from mashnet.tasks.loop import LoopTask
from mashnet.tasks.mix import MixTask
from mashnet.tasks.phrase import PhraseTask


@dataclass(frozen=True)
class Job:
    """A module and its data, as `trainer.fit` takes them, and the figure to minimise."""

    task: pl.LightningModule
    data: dict[str, Any]
    monitor: str


def job_of(
    config: dict[str, Any], device: str, share: Share = WHOLE, *, resumed: Path | None = None
) -> Job:
    """Build the job that a run's settings describe; the network says what it is trained on.

    What the database's caches lack is computed here.

    Args:
        config: the run's settings.
        device: where log-mels are computed.
        share: of the examples, for this process.
        resumed: the checkpoint that the run goes on from; its network is no larger than what lies
            there, whatever the settings say.

    Raises:
        MashnetError: if the settings make no sense, or the database lacks what is asked for.
    """
    if resumed is None:
        scorer = build_scorer(config["model"], name=config["name"])
    else:
        scorer = _scorer_as_in(resumed, config["model"], config["name"])
    if first_phase := config.get("init_from"):
        if not isinstance(scorer.network, Jepa):
            raise ConfigError(f"init_from is for model=jepa; {config['name']} starts by itself")
        scorer.network.load_encoder(load_scorer(first_phase).network.state_dict())
    if isinstance(scorer, LoopScorer):
        return _loops(scorer, config, device, share)
    if isinstance(scorer, StemScorer):
        return _stems(scorer, config, share)
    if isinstance(scorer, PhraseScorer):
        return _phrases(scorer, config, share)
    assert isinstance(scorer, MixScorer)
    return _mixes(scorer, config, device, share)


def _scorer_as_in(checkpoint: Path, model: dict[str, Any], name: str) -> TrainedScorer:
    """Build the network of a run that goes on, which may be a stranger's.

    It is laid out and compared with the checkpoint first; its weights are Lightning's to read.

    Raises:
        ConfigError: if there is no such network, or it lacks what its user must name.
        CheckpointError: if it is not the one of the checkpoint, or cannot be built.
    """
    sizes = model["sizes"]
    network = scorer_class_of(model["network"]).network_class
    try:
        require_weights(checkpoint)
        with torch_file(checkpoint) as file:
            weights = weights_in(checkpoint, file, file.values["state_dict"], prefix=NETWORK_PREFIX)
            require_fitting(lambda: network(**sizes), weights)
            with no_larger_than(weights.outline):
                scorer = build_scorer(model, name=name)
    except (CheckpointError, ConfigError):
        raise
    except ModuleNotFoundError as error:
        raise lacking(error) or error from error
    # Wrong settings fail in as many ways as networks use them; none may pass for a crash.
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckpointError(
            f"{checkpoint} does not hold the weights of {shown(model['network'])} as config.yaml "
            f"beside it describes it: {reason}"
        ) from error
    if model["view"] != scorer.view:
        raise CheckpointError(
            f"{checkpoint}: {shown(model['network'])} is of the view {scorer.view}, not "
            f"{shown(model['view'])} as model.view in config.yaml says"
        )
    return scorer


def task_of(scorer: TrainedScorer, model: Mapping[str, Any], seed: int) -> pl.LightningModule:
    """Return what trains a network.

    Args:
        scorer: holds the network.
        model: the settings of a run's model.
        seed: decides what is random in a step.
    """
    rate = model["learning_rate"]
    if isinstance(scorer, LoopScorer):
        return LoopTask(scorer, learning_rate=rate, seed=seed)
    if isinstance(scorer, StemScorer):
        kind = JepaTask if isinstance(scorer.network, PredictiveNetwork) else ContrastiveTask
        return kind(scorer, learning_rate=rate, weight_decay=model["weight_decay"], seed=seed)
    if isinstance(scorer, PhraseScorer):
        return PhraseTask(scorer, learning_rate=rate, weight_decay=model["weight_decay"], seed=seed)
    assert isinstance(scorer, MixScorer)
    return MixTask(scorer, unlabelled=model["unlabelled"], learning_rate=rate)


def _mixes(scorer: MixScorer, config: dict[str, Any], device: str, share: Share) -> Job:
    model, settings = config["model"], config["data"]
    data = MixData(
        settings["root"],
        artefact_control=settings["artefact_control"],
        inputs=scorer.network.inputs,  # type: ignore[arg-type]
        frontend=scorer.frontend,
        with_unlabelled=model["unlabelled"] != "none",
        transposed_negatives=settings["transposed_negatives"],
        batch_size=settings["batch_size"],
        validation_windows=settings["validation_windows"],
        num_workers=settings["num_workers"],
        seed=config["seed"],
        device=device,
        share=share,
    )
    data.setup("fit")
    return Job(task_of(scorer, model, config["seed"]), {"datamodule": data}, "val/average_rank")


def _loops(scorer: LoopScorer, config: dict[str, Any], device: str, share: Share) -> Job:
    settings = config["data"]
    data = LoopData(
        settings["root"],
        inputs=scorer.network.inputs,  # type: ignore[arg-type]
        frontend=scorer.frontend,
        negatives=settings["negatives"],
        batch_size=settings["batch_size"],
        num_workers=settings["num_workers"],
        seed=config["seed"],
        device=device,
        share=share,
    )
    return Job(task_of(scorer, config["model"], config["seed"]), _loaders(data), "val/rank_share")


def _stems(scorer: StemScorer, config: dict[str, Any], share: Share) -> Job:
    model, settings = config["model"], config["data"]
    chunks = settings["chunks"]
    shortest_s, longest_s = model["chunk_s"]
    data = StemData(
        settings["root"],
        sample_rate=scorer.frontend.sample_rate,
        target=model["target"],
        chunk_s=(shortest_s, longest_s),
        validation_chunk_s=scorer.frontend.settings["window_s"],
        batch_size=settings["batch_size"],
        per_clip=chunks["per_clip"],
        validation_per_clip=chunks["validation_per_clip"],
        silence_db=chunks["silence_db"],
        augmentation=Augmentation(chunks["gain_db"], chunks["noise_db"]),
        seed=config["seed"],
        num_workers=settings["num_workers"],
        share=share,
    )
    return Job(task_of(scorer, model, config["seed"]), _loaders(data), "val/rank_share")


def _phrases(scorer: PhraseScorer, config: dict[str, Any], share: Share) -> Job:
    model, settings = config["model"], config["data"]
    drawn = settings["phrases"]
    data = PhraseData(
        settings["root"],
        bars=tuple(model["bars"]),
        validation_bars=scorer.frontend.bars,
        batch_size=settings["batch_size"],
        per_clip=drawn["per_clip"],
        validation_per_clip=drawn["validation_per_clip"],
        errors=TrackerErrors(drawn["tempo_errors"], drawn["late_bars"]),
        seed=config["seed"],
        num_workers=settings["num_workers"],
        share=share,
    )
    return Job(task_of(scorer, model, config["seed"]), _loaders(data), "val/rank_share")


def _loaders(data: LoopData | StemData | PhraseData) -> dict[str, Any]:
    return {
        "train_dataloaders": data.train_dataloader(),
        "val_dataloaders": data.val_dataloader(),
    }
