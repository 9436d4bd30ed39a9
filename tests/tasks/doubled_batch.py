"""A few steps of contrastive training, in one process or in two that share the same batches."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.stems.contrastive import Contrastive, ContrastiveScorer
from mashnet.models.stems.jepa import Jepa, JepaScorer
from mashnet.tasks.contrastive import ContrastiveTask
from mashnet.tasks.jepa import JepaTask

SONGS = [0, 1, 2, 3, 4, 1, 6, 7]


def batch_of(songs: list[int], *, seed: int = 0, samples: int = 3200) -> dict:
    generator = torch.Generator().manual_seed(seed)
    context, target = torch.randn(2, len(songs), samples, generator=generator) / 10
    labels = ["bass"] * len(songs)
    return {"context": context, "target": target, "label": labels, "song": torch.tensor(songs)}


def task_of(network, kind=None, *, learning_rate=1e-3):
    frontend = StemFrontend(sample_rate=network.sample_rate, window_s=1.0)
    if isinstance(network, Jepa):
        scorer, kind = JepaScorer(network, frontend, name="x"), kind or JepaTask
    else:
        scorer, kind = ContrastiveScorer(network, frontend, name="x"), kind or ContrastiveTask
    return kind(scorer, learning_rate=learning_rate, weight_decay=0.05, seed=1)


def losses_and_weights(*, devices: int) -> list[float]:
    """Train three steps; return their losses and the weights' square, in the first process only."""
    torch.manual_seed(0)
    task = task_of(Contrastive(width=64, depth=1))
    losses: list[float] = []
    task.log = lambda name, value, **_: losses.append(float(value.detach()))
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        use_distributed_sampler=False,
        max_epochs=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    size = len(SONGS) // devices
    rows = slice(size * trainer.global_rank, size * (trainer.global_rank + 1))
    batches = [batch_of(SONGS, seed=seed) for seed in range(3)]
    own = [{name: column[rows] for name, column in batch.items()} for batch in batches]
    trainer.fit(task, DataLoader(own, batch_size=None))
    if trainer.global_rank:
        return []
    weights = sum(p.detach().double().square().sum() for p in task.network.parameters())
    return [*losses, float(weights)]
