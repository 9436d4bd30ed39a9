"""Batch normalisation over several processes is that over all of their examples."""

from __future__ import annotations

import copy
import multiprocessing
from pathlib import Path

import torch
from torch import distributed, nn

from mashnet.tasks.batch_norm import WholeBatchNorm, normalise_whole_batches

SHARES = (slice(0, 3), slice(3, 5))  # uneven ones, too


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False),
        nn.Sequential(nn.BatchNorm2d(4, momentum=0.3, eps=1e-3), nn.PReLU()),
        nn.BatchNorm2d(4, affine=False, momentum=None),
        nn.Flatten(),
        nn.Linear(64, 6),
        nn.BatchNorm1d(6, track_running_stats=False),
    ).double()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = 2 + 3 * torch.randn(5, 3, 6, 6, generator=generator, dtype=torch.float64)
    return x, torch.randn(5, 6, generator=generator, dtype=torch.float64)


def outcome(network: nn.Module, x: torch.Tensor, wanted: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    out = network(x)
    (out * wanted).sum().backward()
    assert x.grad is not None
    return [out.detach(), x.grad]


def in_a_process(rank: int, store: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    whole = layers()
    part = copy.deepcopy(whole)
    normalise_whole_batches(part)
    assert sum(isinstance(m, WholeBatchNorm) for m in part.modules()) == 3
    assert list(part.state_dict()) == list(whole.state_dict())
    x, wanted = batch()
    for _ in range(2):  # running statistics and the count of batches go on
        everybody = outcome(whole, x, wanted)
        own = outcome(part, x[SHARES[rank]], wanted[SHARES[rank]])
        for found, expected in zip(own, everybody, strict=True):
            torch.testing.assert_close(found, expected[SHARES[rank]])
    for found, expected in zip(part.parameters(), whole.parameters(), strict=True):
        distributed.all_reduce(found.grad)
        torch.testing.assert_close(found.grad, expected.grad)
    torch.testing.assert_close(part.state_dict(), whole.state_dict())
    torch.testing.assert_close(part.eval()(x), whole.eval()(x))


def test_two_uneven_shares_are_normalised_as_one_batch(tmp_path: Path) -> None:
    # Copies of a process that has imported all that is needed, and has no threads as this one has.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    workers = [
        context.Process(target=in_a_process, args=(rank, tmp_path / "store")) for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0]


def test_alone_it_is_batch_normalisation_with_exact_sums() -> None:
    whole, part = layers(), layers()
    normalise_whole_batches(part)
    for found, expected in zip(outcome(part, *batch()), outcome(whole, *batch()), strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(part.state_dict(), whole.state_dict())
    # 32 bits, channels last, a mean far from zero: log-mels of many frames.
    x = torch.randn(16, 4, 128, 128) - 6
    exact = nn.BatchNorm2d(4)(x.double().float().contiguous())
    found = WholeBatchNorm(4)(x.to(memory_format=torch.channels_last))
    assert (found - exact).abs().max() < 1e-5


def test_half_precision_is_normalised_in_single() -> None:
    x = 10 + torch.randn(64, 8)
    found = WholeBatchNorm(8)(x.bfloat16().requires_grad_())
    assert found.dtype == torch.bfloat16
    expected = nn.BatchNorm1d(8)(x.bfloat16().float())
    assert (found.float() - expected).abs().max() < 0.02
    found.float().square().sum().backward()
