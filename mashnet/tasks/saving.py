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
from mashnet.models.torch_file import Declared, TorchFile, torch_file
from mashnet.models.weights import require_weights

_MOST_VALUES = 1_000_000  # in a checkpoint, a value counted wherever it stands
_MOST_DEPTH = 50


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

        It comes through the one door for such files; arrays lie in the main memory. What Lightning
        says of how to unpickle is not needed.

        Raises:
            CheckpointError: if it cannot be read, or is none of a training.
        """
        path = Path(path)
        try:
            require_weights(path)
            with torch_file(path) as file:
                checkpoint: Any = _Reading(file).read(file.values)
        except CheckpointError:
            raise
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise CheckpointError(f"{path} cannot be read: {reason}") from error
        states = checkpoint.get("callbacks", {}) if isinstance(checkpoint, dict) else None
        if not isinstance(states, dict) or not all(map(_is_state, states.values())):
            raise CheckpointError(f"{path} is no checkpoint of a training: its callbacks' states")
        found: dict[str, Any] = checkpoint
        return found

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


class _Reading:
    """The values of one file of `torch.save`, with its arrays read.

    All arrays are outlined, and their numbers counted, before the first is read.
    """

    def __init__(self, file: TorchFile) -> None:
        self._file = file
        self._values = self._numbers = 0

    def read(self, value: Any) -> Any:
        """Return the values; raises ValueError for what no training saves."""
        self._check(value, 0)
        # Two names may share their numbers, as in `Weights`.
        if self._numbers > 2 * self._file.size:
            raise ValueError("it declares more numbers than it has")
        return self._read(value)

    def _check(self, value: Any, depth: int) -> None:
        self._values += 1
        if self._values > _MOST_VALUES or depth > _MOST_DEPTH:
            raise ValueError("it has too many values or is nested too deeply")
        if isinstance(value, Declared):
            try:
                self._numbers += self._file.outline(value).numel()
            except ValueError as error:
                raise ValueError(f"an array {error}") from error
        elif isinstance(value, dict | list | tuple):
            inside = [*value, *value.values()] if isinstance(value, dict) else value
            for one in inside:
                self._check(one, depth + 1)
        elif not isinstance(value, str | int | float | None):
            raise ValueError("it holds an object that no training saves")

    def _read(self, value: Any) -> Any:
        if isinstance(value, Declared):
            return self._file.array(value)
        if isinstance(value, dict):
            return {key: self._read(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self._read, value))
        return value


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
