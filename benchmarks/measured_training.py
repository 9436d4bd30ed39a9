"""Steps of training, taken as one set of measures has it, on a batch that stays the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from mashnet.audio.spectrogram import LogMel
from mashnet.data.mashupdb import ROLES
from mashnet.models.loading import build_scorer
from mashnet.models.stems.vit import Vit
from mashnet.tasks.compilation import compile_transformers
from mashnet.tasks.scorer_task import BETAS


@dataclass(frozen=True)
class Measures:
    """How a step is taken."""

    name: str
    features: str = "cpu"  # cpu | device | kept: where log-mels come from
    bf16: bool = False
    channels_last: bool = False
    fused: bool = False
    compiled: bool = False


_CONVOLUTIONS = (
    Measures("32 bits"),
    Measures("+ features", "device"),
    Measures("kept features, 32 bits", "kept"),
    Measures("+ bf16", "kept", bf16=True),
    Measures("+ channels_last", "kept", bf16=True, channels_last=True),
    Measures("+ compiled", "kept", bf16=True, channels_last=True, compiled=True),
)
_TRANSFORMERS = (
    Measures("32 bits"),
    Measures("+ features", "device"),
    Measures("+ bf16", "device", bf16=True),
    Measures("+ fused", "device", bf16=True, fused=True),
    Measures("+ compiled", "device", bf16=True, fused=True, compiled=True),
)


def measures_of(model: str) -> tuple[Measures, ...]:
    """Return what is measured of a model, one measure after the other."""
    return _CONVOLUTIONS if model == "premixnet" else _TRANSFORMERS


class OnCpu(nn.Module):
    """Computes on the CPU what is wanted on a device, as a loader without one would."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return what the module makes of waves, on their device."""
        return self.inner.cpu()(waves.cpu()).to(waves.device)


class Training:
    """A network, its optimiser, and a batch that stays the same."""

    def __init__(
        self, model: str, config: Any, how: Measures, batch: int, seconds: float, device: str
    ) -> None:
        torch.manual_seed(0)
        self.model, self.how, self.device, self.batch_size = model, how, device, batch
        block = config.model.get("scale", config.model.view)
        scale: Any = OmegaConf.to_container(config.scale[block])
        settings = {"network": config.model.network, **{k: scale[k] for k in ("sizes", "frontend")}}
        scorer = build_scorer(settings, name=model)
        network: Any = scorer.network.train().to(device)
        self.network: Any = network
        if how.channels_last:
            network.to(memory_format=torch.channels_last)
        trained = [p for p in self.network.parameters() if p.requires_grad]
        rate = scale["learning_rate"]
        decay = config.model.get("weight_decay", 0.0)
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.Adam(trained, lr=rate)
            if model == "premixnet"
            else torch.optim.AdamW(trained, lr=rate, betas=BETAS, weight_decay=decay)
        )
        self.clip = config.trainer.gradient_clip
        self.features: nn.Module | None = None
        self.batch: dict[str, Any]
        if model == "premixnet":
            self._prepare_mixes(scorer.frontend.log_mel, batch, seconds)
        else:
            self._prepare_stems(batch, round(seconds * self.network.sample_rate))
        if how.compiled and model == "premixnet":
            self.network.compile()
        elif how.compiled:
            compile_transformers(self.network, lengths_vary=False)

    def _prepare_mixes(self, log_mel: LogMel, batch: int, seconds: float) -> None:
        waves = 0.1 * torch.randn(batch, round(seconds * log_mel.sample_rate), device=self.device)
        self.features = log_mel.to(self.device).eval()
        if self.how.features == "kept":
            kept = self.features(waves).clone()
            self.features, waves = None, kept
        elif self.how.features == "cpu":
            self.features = OnCpu(self.features)
        self.batch = {role: waves.clone() for role in ROLES}
        self.labels = torch.arange(batch, device=self.device) % 2

    def _prepare_stems(self, batch: int, samples: int) -> None:
        context, target = 0.1 * torch.randn(2, batch, samples, device=self.device)
        self.batch = {"context": context, "target": target, "label": ["bass"] * batch}
        self.ignore = torch.zeros(batch, batch, dtype=torch.bool, device=self.device)
        if self.how.features == "cpu":
            for module in self.network.modules():
                if isinstance(module, Vit):
                    module.patches = OnCpu(module.patches)  # type: ignore[assignment]

    def loss(self) -> torch.Tensor:
        """Return the loss of the batch."""
        if self.model == "premixnet":
            mels = self.batch
            if self.features is not None:
                with torch.no_grad(), torch.autocast(self.device, enabled=False):
                    mels = {role: self.features(waves) for role, waves in mels.items()}
            return cross_entropy(self.network(mels).float(), self.labels)
        one, other = self.network(self.batch)
        if self.model == "contrastive":
            return self.network.loss(one, other, self.ignore)
        return self.network.loss(one.float(), other.float())

    def step(self) -> None:
        """Take one step."""
        with self._attention(), torch.autocast(self.device, torch.bfloat16, enabled=self.how.bf16):
            loss = self.loss()
        self.optimizer.zero_grad()
        # The backward pass of attention is chosen by the forward pass.
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()
        if self.model == "jepa":
            self.network.update_target(1, 300_000)

    @contextmanager
    def _attention(self) -> Iterator[None]:
        with ExitStack() as stack:
            if not self.how.fused:
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            yield

    def timed_step_s(self) -> float:
        """Take one step and wait until the device is done; return the seconds."""
        began_s = time.perf_counter()
        self.step()
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began_s

    def count_tflop(self) -> float:
        """Return the 10^12 floating point operations of a step."""
        # The counter knows the fused attention of GPUs, and not that of CPUs.
        plain = sdpa_kernel(SDPBackend.MATH) if self.device == "cpu" else nullcontext()
        with plain, FlopCounterMode(display=False) as counter:
            self.step()
        return counter.get_total_flops() / 1e12
