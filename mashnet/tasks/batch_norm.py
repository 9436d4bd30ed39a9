"""Batch normalisation over the examples of all processes, on the CPU.

`torch.nn.SyncBatchNorm` does it on GPUs and refuses tensors of the CPU. There nn.BatchNorm adds up
a channel of channels_last maps in a single 32-bit number, which is off by up to 3e-4 standard
deviations, by others for other batch sizes; training amplifies that. Here sums are exact to 1e-6,
so that one process and several agree.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


class _Normalise(torch.autograd.Function):
    """Brings each channel of all processes' batches together to mean 0 and variance 1."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return normalised x, mean and biased variance per channel, and the count behind them."""
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        variance, mean = torch.var_mean(exact, _around_channels(x), correction=0)
        count = mean.new_tensor([x.numel() / x.shape[1]])
        own = torch.cat([count, mean, variance])
        rows = [own]
        if distributed.is_initialized():
            rows = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
            distributed.all_gather(rows, own)
        counts, means, variances = torch.stack(rows).split([1, len(mean), len(mean)], dim=1)
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean).square())).sum(0) / total
        ctx.save_for_backward(x, weight, mean, variance, total)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance, total)
        return (
            functional.batch_norm(x, mean, variance, weight, bias, eps=eps),
            mean,
            variance,
            total,
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Return gradients of x, weight and bias; those of the latter are this process's own."""
        x, weight, mean, variance, total = ctx.saved_tensors
        as_if_fixed, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.eps, [True] * 3
        )
        sums = torch.stack([of_weight, of_bias])
        if distributed.is_initialized():
            distributed.all_reduce(sums)
        shape = (1, -1, *[1] * (x.ndim - 2))
        deviation = (variance + ctx.eps).sqrt()
        # What mean and variance owe to x (Ioffe & Szegedy, 2015, section 3).
        slope = (-weight / deviation**2 * sums[0] / total).view(shape)
        offset = (-weight / deviation * sums[1] / total).view(shape) - slope * mean.view(shape)
        of_x = torch.addcmul(as_if_fixed + offset, x, slope)
        return of_x.to(x.dtype), of_weight, of_bias, None


class WholeBatchNorm(_BatchNorm):
    """In training nn.BatchNorm over the batches of all processes; else nn.BatchNorm.

    Without other processes it is nn.BatchNorm with better sums.
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Accept what the layer accepted that this one replaced."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return normalised x, (batch, channels, …)."""
        if not self.training:
            return super().forward(x)
        weight = x.new_ones(x.shape[1]) if self.weight is None else self.weight
        bias = x.new_zeros(x.shape[1]) if self.bias is None else self.bias
        normalised, mean, variance, total = _Normalise.apply(x, weight, bias, self.eps)
        if total <= 1:
            raise ValueError(f"expected more than 1 value per channel, got input {tuple(x.shape)}")
        if self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            momentum = self.momentum
            if momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * total / (total - 1), momentum)
        return normalised


def normalise_whole_batches(network: nn.Module) -> None:
    """Replace every nn.BatchNorm of a network; names in its state stay as they are."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, WholeBatchNorm):
                setattr(module, name, _replaced(child))


def _replaced(layer: _BatchNorm) -> WholeBatchNorm:
    new = WholeBatchNorm(
        layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats
    )
    new.weight, new.bias = layer.weight, layer.bias
    new.running_mean, new.running_var = layer.running_mean, layer.running_var
    new.num_batches_tracked = layer.num_batches_tracked
    return new.train(layer.training)


def _around_channels(x: torch.Tensor) -> list[int]:
    return [dim for dim in range(x.ndim) if dim != 1]
