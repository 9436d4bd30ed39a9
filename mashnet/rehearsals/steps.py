"""A rehearsal of a model's steps on a GPU that is not there (`mashnet.rehearsals.fake_gpu`).

The steps are those of the project's LightningModules, in the precision, with the optimiser and in
the order in which Lightning's Trainer takes them. What a step asks of a Trainer is attached.

What is not rehearsed: what Lightning does with logged figures, the end of a validation (it takes
place on the CPU, with numbers), torch.compile, and several processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch.utils.flop_counter import FlopCounterMode

from mashnet.data.mixes.module import MixData
from mashnet.data.mixes.transposed_windows import MOST_SEMITONES
from mashnet.models.loading import build_scorer
from mashnet.models.mixes.scoring import MixScorer
from mashnet.rehearsals.batches import Batch, batches_of
from mashnet.rehearsals.fake_gpu import GPU, fake_gpu
from mashnet.rehearsals.gpu_memory import PeakMemory
from mashnet.tasks.jobs import task_of

STEPS = 300_000  # of the run that is rehearsed; schedules want to know


@dataclass(frozen=True)
class Figures:
    """What a training step takes.

    Attributes:
        parameters: of the network, those that follow others included.
        trained: of them, those that the optimiser changes.
        flop: floating point operations of matrix products, convolutions and attention, forward and
            backward; a product and a sum are two. Transforms (FFT) and what is done number by
            number are not among them.
        peak_bytes: what tensors take on the GPU at most.
        of_state_bytes: what of it is there between steps: weights, buffers, the optimiser's state.
    """

    parameters: int
    trained: int
    flop: int
    peak_bytes: int
    of_state_bytes: int


def rehearse(config: Mapping[str, Any], *, steps: int = 2) -> Figures:
    """Take training steps of a run and one of validation; return what the last one takes.

    Args:
        config: a run's settings: `name`, `model`, `data`, `trainer`, `seed`.
        steps: of training. One is enough for errors and operations; the peak is right from the
            second on, with the optimiser's state there and nothing counted but memory.

    Raises:
        RuntimeError: for what would be an error on a GPU, or would make it wait for Python.
    """
    scorer = build_scorer(dict(config["model"]), name=config["name"])
    task = task_of(scorer, config["model"], config["seed"])
    training, validation = batches_of(scorer, config)
    transposition = None
    if isinstance(scorer, MixScorer) and config["data"]["transposed_negatives"]:
        transposition = scorer.frontend.transposition(MOST_SEMITONES)
    data: Any = SimpleNamespace(transposition=transposition)
    return rehearse_steps(
        task,
        training,
        validation,
        after_transfer=lambda batch: MixData.on_after_batch_transfer(data, batch, 0),
        gradient_clip=config["trainer"]["gradient_clip"],
        steps=steps,
    )


def rehearse_steps(
    task: pl.LightningModule,
    training: Batch,
    validation: Batch,
    *,
    after_transfer: Callable[[Batch], Batch] = lambda batch: batch,
    gradient_clip: float = 1.0,
    steps: int = 2,
) -> Figures:
    """Take training steps of a module and one of validation; return what the last one takes.

    Args:
        task: the module, on the CPU; it is moved to the fake GPU, and of no use afterwards.
        training: a batch on the CPU.
        validation: a batch on the CPU.
        after_transfer: what is done to a batch once it lies on the GPU.
        gradient_clip: largest norm of the gradients.
        steps: of training.

    Raises:
        RuntimeError: for what would be an error on a GPU, or would make it wait for Python.
    """
    trainer: Any = SimpleNamespace(
        world_size=1,
        global_rank=0,
        global_step=0,
        estimated_stepping_batches=STEPS,
        strategy=SingleDeviceStrategy(GPU),
    )
    precision = MixedPrecision("bf16-mixed", "cuda")
    counter = FlopCounterMode(display=False)
    task.log = lambda *_, **__: None  # type: ignore[assignment, method-assign]
    with torch.random.fork_rng(devices=[]), fake_gpu() as gpu, PeakMemory() as memory:
        task.to(GPU)
        task.trainer = trainer
        accumulators = gpu.accumulators(task.parameters())
        configured: Any = task.configure_optimizers()
        optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]
        schedule = schedule["scheduler"] if isinstance(schedule, dict) else schedule
        task.on_fit_start()
        task.train()
        for step in range(steps):
            trainer.global_step = step
            memory.begin()
            # The counter keeps tensors of blocks that are recomputed; only a first step has it.
            with counter if step == 0 else contextlib.nullcontext():
                batch = task.transfer_batch_to_device(dict(training), GPU, 0)
                batch = after_transfer(batch)
                with precision.train_step_context():
                    loss: Any = task.training_step(batch, step)
                optimizer.zero_grad()
                gpu.backward(loss)
                precision.clip_gradients(optimizer, gradient_clip)
                optimizer.step()
            schedule.step()
            trainer.global_step = step + 1
            task.on_train_batch_end(loss, batch, step)
            del batch, loss
        optimizer.zero_grad()
        peak, state = memory.peak_bytes, memory.present_bytes
        task.eval()
        with torch.inference_mode(), precision.val_step_context():
            batch = after_transfer(task.transfer_batch_to_device(dict(validation), GPU, 0))
            task.validation_step(batch, 0)
        del accumulators
    parameters = list(task.parameters())
    return Figures(
        parameters=sum(p.numel() for p in parameters),
        trained=sum(p.numel() for p in parameters if p.requires_grad),
        flop=counter.get_total_flops(),
        peak_bytes=peak,
        of_state_bytes=state,
    )
