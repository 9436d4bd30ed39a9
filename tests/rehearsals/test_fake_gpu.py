"""The GPU that is not there refuses what a real one would, and lets pass what a real one lets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
)

from mashnet.rehearsals.fake_gpu import GPU, fake_gpu
from mashnet.rehearsals.gpu_memory import PeakMemory
from mashnet.rehearsals.steps import Figures, rehearse_steps

WIDTH = 64


class Toy(pl.LightningModule):
    """A linear layer, and what a test does to its outputs."""

    def __init__(self, then: Callable[[Toy, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("offset", torch.ones(WIDTH))
        self.forgotten = [torch.ones(WIDTH)]  # in a list nobody moves it
        self.then = then
        self.seen: list[torch.Tensor] = []

    def training_step(self, batch: dict, batch_index: int) -> torch.Tensor:
        return self.then(self, self.layer(batch["x"])).float().square().mean()

    def validation_step(self, batch: dict, batch_index: int) -> None:
        self.seen.append(self.then(self, self.layer(batch["x"])).cpu())

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.AdamW(self.parameters())
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1),
        }


def rehearsed(then: Callable[[Toy, torch.Tensor], torch.Tensor]) -> Figures:
    batch = {"x": torch.ones(32, WIDTH)}
    return rehearse_steps(Toy(then), batch, batch)


def test_an_honest_module_passes_and_is_counted() -> None:
    def honest(toy: Toy, y: torch.Tensor) -> torch.Tensor:
        assert y.dtype == torch.bfloat16 and y.device == GPU and isinstance(y, FakeTensor)
        on_cpu = torch.arange(3.0).sum().item()  # real, as beside a GPU
        assert on_cpu == 3.0
        places = torch.arange(len(y), device=y.device)
        return (y + toy.offset * torch.tensor(2.0, device=y.device))[places]

    figures = rehearsed(honest)
    # Forward, and the gradient of the weight; the input needs none. A product and a sum each.
    assert figures.flop == 2 * 2 * 32 * WIDTH * WIDTH
    assert figures.parameters == figures.trained == WIDTH * WIDTH + WIDTH


def left_on_the_cpu(toy: Toy, y: torch.Tensor) -> torch.Tensor:
    return y + toy.forgotten[0]


def made_on_the_cpu(toy: Toy, y: torch.Tensor) -> torch.Tensor:
    return y * torch.linspace(0, 1, WIDTH)


def to_numpy(toy: Toy, y: torch.Tensor) -> torch.Tensor:
    return y * float(y.detach().float().numpy().mean())


def to_numpy_by_the_cpu(toy: Toy, y: torch.Tensor) -> torch.Tensor:
    return y * float(y.detach().float().cpu().numpy().mean())


def transform_of_bf16(toy: Toy, y: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft(y).abs()


def inverse_of_bf16(toy: Toy, y: torch.Tensor) -> torch.Tensor:
    return torch.linalg.inv(y.T @ y)


def mixed_types(toy: Toy, y: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cuda", enabled=False):
        return y @ toy.layer.weight  # bfloat16 times float32


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (left_on_the_cpu, "two devices"),
        (made_on_the_cpu, "two devices"),
        (to_numpy, "numpy was asked for the numbers of a tensor of cuda:0"),
        (to_numpy_by_the_cpu, "numpy was asked"),
        (transform_of_bf16, "_fft_r2c has no kernel for bfloat16"),
        (inverse_of_bf16, "linalg_inv_ex has no kernel for bfloat16"),
        (mixed_types, "mm takes operands of one type, got torch.bfloat16 and torch.float32"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_would_be_an_error_is_one(broken: Callable, said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        rehearsed(broken)


@pytest.mark.parametrize(
    ("waiting", "error"),
    [
        (lambda toy, y: y * y.mean().item(), DataDependentOutputException),
        (lambda toy, y: y if (y > 0).any() else -y, DataDependentOutputException),
        (lambda toy, y: y[(y > 0).all(1)], DynamicOutputShapeException),
        (lambda toy, y: y.unique(), DynamicOutputShapeException),
    ],
    ids=["item", "if", "mask", "unique"],
)
def test_what_would_wait_for_the_gpu_is_an_error(waiting: Callable, error: type) -> None:
    with pytest.raises(error):
        rehearsed(waiting)


def test_nothing_is_left_behind() -> None:
    with fake_gpu():
        assert torch.ones(2, device="cuda").device == GPU
    assert not torch.is_autocast_enabled("cuda")
    layer = nn.Linear(2, 2)
    layer(torch.ones(1, 2)).sum().backward()
    assert type(layer.weight.grad) is torch.Tensor
    assert torch.ones(2).numpy().sum() == 2


def test_attention_is_fused_in_half_precision() -> None:
    whole = torch.ones(2, 3, 1000, 64)
    with fake_gpu(), PeakMemory() as memory:
        q = whole.to(GPU, torch.bfloat16)
        nn.functional.scaled_dot_product_attention(q, q, q)
        assert memory.peak_bytes < 4 * q.nbytes  # no matrix of 1000 × 1000
        memory.begin()
        q = q.float()
        nn.functional.scaled_dot_product_attention(q, q, q)
        assert memory.peak_bytes > 2 * 3 * 1000 * 1000 * 4


def test_memory_by_hand() -> None:
    with fake_gpu(), PeakMemory() as memory:
        x = torch.zeros(256, 256, device="cuda")  # 256 KiB
        half = x[:128]  # a view takes nothing
        y = x + 1
        assert memory.present_bytes == 2 * 2**18
        del x
        assert memory.present_bytes == 2 * 2**18  # the view still holds it
        del half
        z = torch.zeros(1, device="cuda")
        assert memory.present_bytes == 2**18 + 512
        assert memory.peak_bytes == 2 * 2**18
        del y, z
    assert memory.present_bytes == 0
