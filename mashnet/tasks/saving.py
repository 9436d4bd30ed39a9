"""What a run leaves on disk when it is killed: whole checkpoints, and the log of what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from mashnet.errors import CheckpointError
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

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read a checkpoint, whose callbacks' states are plain values.

        Raises:
            CheckpointError: if it cannot be read, or is none of a training.
        """
        try:
            checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        except Exception as error:  # a file of any kind, read by others
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise CheckpointError(f"{path} cannot be read: {reason}") from error
        states = checkpoint.get("callbacks", {}) if isinstance(checkpoint, dict) else None
        if not isinstance(states, dict) or not all(map(_is_state, states.values())):
            raise CheckpointError(f"{path} is no checkpoint of a training: its callbacks' states")
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint: one file. Lightning would delete a folder with all that is in it."""
        Path(path).unlink(missing_ok=True)


class OwnCheckpoint(ModelCheckpoint):
    """One checkpoint under one name in the run's own folder, whatever the run was told.

    Lightning takes the names of files that it will delete or replace from the checkpoint that a run
    goes on from, which may be a stranger's. Here they follow from the run's folder alone; of what
    was kept only the figure counts. So a run that was moved keeps its best, too.
    """

    def __init__(self, folder: Path, name: str, **settings: Any) -> None:
        """Name the folder and the file, without .ckpt; settings are Lightning's."""
        super().__init__(folder, filename=name, enable_version_counter=False, **settings)

    @property
    def state_key(self) -> str:
        """As Lightning's own, under which earlier runs kept their state."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the best figure.

        Raises:
            CheckpointError: if it is none.
        """
        own = str(Path(self.dirpath or "") / f"{self.filename}{self.FILE_EXTENSION}")
        score = state_dict.get("best_model_score")
        if score is None:
            self.best_model_path = own if state_dict.get("best_model_path") else ""
            return
        if not _is_scalar(score):
            raise CheckpointError(f"{own}: its best figure is none")
        self.best_model_score = self.kth_value = torch.as_tensor(score)
        self.best_model_path = self.kth_best_model_path = own
        self.best_k_models = {own: self.best_model_score}


def _is_scalar(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.layout is torch.strided and value.device.type != "meta" and value.numel() == 1
    return isinstance(value, int | float)


def _is_state(state: Any) -> bool:
    """Return whether a callback's state is made of figures, names, and figures by name."""
    return isinstance(state, dict) and all(
        value is None
        or isinstance(value, str)
        or _is_scalar(value)
        or (isinstance(value, dict) and all(map(_is_scalar, value.values())))
        for value in state.values()
    )


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
