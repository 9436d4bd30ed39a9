"""What a step of training on stems does: rates, the moving encoder, who is compared with whom."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from mashnet.errors import MashnetError
from mashnet.models.stems.contrastive import Contrastive
from mashnet.models.stems.jepa import Jepa
from mashnet.models.stems.scoring import ContrastiveNetwork
from mashnet.tasks.scorer_task import rate_share
from mashnet.tasks.stem import retrieval_figures
from tests.tasks.doubled_batch import batch_of, losses_and_weights, task_of

ROOT = Path(__file__).resolve().parents[2]


class Recorder(pl.Callback):
    """Keeps what a step does."""

    def __init__(self):
        self.rates, self.encoders, self.targets = [], [], []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])
        if hasattr(module.network, "target_encoder"):
            self.targets.append(flat(module.network.target_encoder))

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if hasattr(module.network, "target_encoder"):
            self.encoders.append(flat(module.network.encoder))  # the target has not followed yet


def flat(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().double().flatten() for p in network.parameters()])


def trained(task: pl.LightningModule, batches: list[dict], tmp_path: Path, *, epochs: int = 1, **k):
    """Train on some batches with nothing around; return the callback that watched."""
    recorder = Recorder()
    trainer = pl.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[recorder],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **k,
    )
    trainer.fit(task, DataLoader(batches, batch_size=None), DataLoader(batches, batch_size=None))
    return recorder


def test_the_target_encoder_follows_by_the_schedule(tmp_path):
    """Six steps by hand: T ← r·T + (1 − r)·W with r from 0.5 towards 0.8 in a straight line."""
    torch.manual_seed(0)
    network = Jepa(width=64, depth=1, hidden=16, layers=2, conditioning="none", ema=(0.5, 0.8))
    batches = [batch_of([0, 1, 2], seed=seed) for seed in range(3)]
    seen = trained(task_of(network, learning_rate=0.01), batches, tmp_path, epochs=2)
    assert len(seen.encoders) == 6
    expected = seen.targets[0]
    for step, encoder in enumerate(seen.encoders):
        rate = 0.5 + 0.3 * step / 6
        expected = rate * expected + (1 - rate) * encoder
    assert (seen.encoders[0] - seen.targets[0]).abs().max() > 1e-3  # there was something to follow
    torch.testing.assert_close(flat(network.target_encoder), expected, atol=1e-6, rtol=0)


def test_the_learning_rate_rises_and_falls_by_step(tmp_path):
    """30 steps: two rise (a fifteenth), then half a cosine over the rest."""
    torch.manual_seed(0)
    batches = [batch_of([0, 1], seed=seed, samples=400) for seed in range(15)]
    task = task_of(Contrastive(width=64, depth=1), learning_rate=1e-3)
    rates = np.array(trained(task, batches, tmp_path, epochs=2).rates)
    assert rates.shape == (30, 2) and (rates[:, 0] == rates[:, 1]).all()
    falling = [0.5 + 0.5 * math.cos(math.pi * step / 29) for step in range(29)]
    assert rates[:, 0] / 1e-3 == pytest.approx([0.5, *falling])


def test_the_published_schedule():
    shares = [rate_share(step, 300_000) for step in (0, 9_999, 19_999, 20_000, 159_999, 299_999)]
    assert shares[:3] == pytest.approx([1 / 20_000, 0.5, 1.0])
    assert 0.999999 < shares[3] < 1 and shares[4] == pytest.approx(0.5, abs=1e-4)
    assert 0 < shares[5] < 1e-9
    for total in (1, 2, 3, 17):
        assert all(0 < rate_share(step, total) <= 1 for step in range(total))
        assert rate_share(10 * total, total) >= 0  # a resumed run may go beyond its plan


def test_only_matrices_decay():
    task = task_of(Contrastive(width=64, depth=1))
    task.trainer = SimpleNamespace(estimated_stepping_batches=10)
    groups = task.configure_optimizers()["optimizer"].param_groups
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
    assert all(p.ndim > 1 for p in groups[0]["params"])
    assert any(p is task.network.log_scale for p in groups[1]["params"])
    assert sum(len(group["params"]) for group in groups) == len(list(task.network.parameters()))


class Told(ContrastiveNetwork):
    """A network whose embeddings of a target are told, by what kind of collapse is wanted."""

    sample_rate = 16_000
    windows_meet = False

    def __init__(self, kind: str):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1, 1))
        self.kind = kind
        self.ignored, self.shapes = [], []

    def embed_target(self, waves):
        values = waves[:, :32]
        told = {
            "healthy": values,
            "point": torch.ones_like(values),
            "nearly a point": 1 + 1e-4 * values,
            "few dimensions": torch.nn.functional.pad(values[:, :6], (0, 26)),
            "near each other": 0.5 + values,
            "line": waves[:, :1] * torch.arange(1.0, 33.0),
            "diverged": values * torch.nan,
        }
        return self.scale * told[self.kind]

    def embed_context(self, waves, instruments):
        return self.scale * waves[:, :32]

    def forward(self, batch):
        made = batch["target"][:2, 32:64] * self.scale
        targets = torch.cat([self.embed_target(batch["target"]), made])
        return self.embed_context(batch["context"], batch["label"]), targets

    def loss(self, contexts, targets, ignore):
        self.ignored.append(ignore)
        self.shapes.append((tuple(contexts.shape), tuple(targets.shape)))
        return (contexts @ targets.T).square().mean()


@pytest.mark.parametrize("kind", ["point", "nearly a point", "line"])
def test_a_collapse_is_warned_of(tmp_path, kind):
    batches = [batch_of(list(range(16)), samples=64)]
    with pytest.warns(UserWarning, match=r"embeddings collapse: after 1 steps") as caught:
        trained(task_of(Told(kind)), batches, tmp_path)
    ours = [str(w.message) for w in caught if "collapse" in str(w.message)]
    assert len(ours) == 1 and "\n" not in ours[0]


def test_healthy_embeddings_are_not_warned_of(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained(task_of(Told("healthy")), [batch_of(list(range(16)), samples=64)], tmp_path)
        # Three chunks cannot span four dimensions.
        trained(task_of(Told("healthy")), [batch_of([0, 1, 2], samples=64)], tmp_path)
    assert [str(w.message) for w in caught if "collapse" in str(w.message)] == []


def validated(task: pl.LightningModule, kind: str, tmp_path: Path) -> list[str]:
    """Train and validate once; return what is warned of."""
    task.network.kind = kind
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained(task, [batch_of(list(range(32)), samples=64)], tmp_path)
    return [str(w.message) for w in caught if "embeddings" in str(w.message)]


@pytest.mark.parametrize("kind", ["few dimensions", "near each other"])
def test_a_fall_from_the_best_so_far_is_warned_of(tmp_path, kind):
    """Far above the floors, but below a third of the best of the run, also of one taken up."""
    task = task_of(Told("healthy"))
    assert validated(task, "healthy", tmp_path) == []
    assert validated(task, "healthy", tmp_path) == []
    (message,) = validated(task, kind, tmp_path)
    assert "embeddings draw together: after 1 steps" in message and "\n" not in message
    checkpoint = {}
    task.on_save_checkpoint(checkpoint)
    resumed = task_of(Told("healthy"))
    assert validated(resumed, kind, tmp_path) == []
    resumed.on_load_checkpoint(checkpoint)
    assert len(validated(resumed, kind, tmp_path)) == 1
    resumed.on_load_checkpoint({})  # of a run from before
    assert validated(resumed, kind, tmp_path) == []


def test_a_diverged_run_ends_with_one_line(tmp_path):
    with pytest.raises(MashnetError, match="training has diverged: after 1 steps") as error:
        trained(task_of(Told("diverged")), [batch_of([0, 1, 2], samples=64)], tmp_path)
    assert "\n" not in str(error.value)


def test_pairs_of_one_song_are_left_out_of_the_choice(tmp_path):
    network = Told("healthy")
    trained(task_of(network), [batch_of([3, 5, 3, 7], samples=64)], tmp_path)
    (ignore,) = network.ignored
    assert network.shapes == [((4, 32), (6, 32))]
    expected = torch.zeros(4, 6, dtype=torch.bool)  # the last two are of the network's making
    expected[0, 2] = expected[2, 0] = True
    assert torch.equal(ignore, expected)


def test_chunks_of_one_song_alone_teach_nothing(tmp_path):
    """With every other pair ignored the choice is between a target and nothing."""
    torch.manual_seed(0)
    task = task_of(Contrastive(width=64, depth=1))
    logged = []
    task.log = lambda name, value, **_: logged.append(float(value.detach()))
    trained(task, [batch_of([4, 4, 4])], tmp_path, limit_val_batches=0)
    assert logged[0] == pytest.approx(0.0, abs=1e-6)


def test_retrieval_figures_by_hand():
    scores = torch.tensor(
        [
            [0.5, 0.9, 0.1, 0.5],  # song 0: 0.9 is of its own song; 0.5 ties
            [0.9, 0.7, 0.6, 0.2],  # song 0: nothing before it but its own song's
            [0.8, 0.7, 0.3, 0.2],  # song 1: two of three before it
            [0.1, 0.2, 0.3, 0.4],  # song 2: first
        ]
    )
    share, first = retrieval_figures(scores, torch.tensor([0, 0, 1, 2]))
    assert share == pytest.approx((0.5 / 2 + 0 + 2 / 3 + 0) / 4)
    assert first == pytest.approx(2 / 4)
    # A network that says the same of everything is no better than chance.
    assert retrieval_figures(torch.zeros(6, 6), torch.arange(6)) == (0.5, 0.0)


TWO_PROCESSES = """
import json, sys
import torch
from tests.tasks.doubled_batch import losses_and_weights

if __name__ == "__main__":
    found = losses_and_weights(devices=2)
    if found:
        open(sys.argv[1], "w").write(json.dumps(found))
"""


@pytest.mark.long  # test_several_devices.py trains one such network by two in every run
def test_two_processes_train_as_one_with_the_doubled_batch(tmp_path):
    program, out = tmp_path / "ddp.py", tmp_path / "out.json"
    program.write_text(TWO_PROCESSES)
    done = subprocess.run(
        [sys.executable, str(program), str(out)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone, found = losses_and_weights(devices=1), json.loads(out.read_text())
    assert len(alone) == 4 and alone[0] != alone[1]
    assert found == pytest.approx(alone, rel=1e-5)
