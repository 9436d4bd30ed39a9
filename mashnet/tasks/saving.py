"""What a run leaves on disk when it is killed: whole checkpoints, and the log of what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.loggers import CSVLogger

from mashnet.files import written_atomically


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it into it.

    Lightning's own way makes it in $TMPDIR. From another disk it cannot be renamed, so a kill in
    the middle of the copy would cost the last checkpoint; and it would be left behind there.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint, atomically."""
        with written_atomically(Path(path)) as temporary:
            torch.save(checkpoint, temporary)


class LoggedFirst(pl.Callback):
    """Logs the training figures of an epoch before the checkpoint of that epoch is written.

    Lightning does so afterwards: a kill in between would leave a hole in the curve, as a run goes
    on behind its last checkpoint.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write what Lightning will write once more, which changes nothing."""
        logged = {n: v for n, v in trainer.logged_metrics.items() if n.startswith("train/")}
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                figures: dict[str, Any] = {"epoch": trainer.current_epoch, **logged}
                logger.log_metrics(figures, step=max(0, trainer.global_step - 1))
                logger.save()
