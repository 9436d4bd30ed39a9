"""What every learned Scorer has, whatever it judges: a network, its frontend and its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from mashnet.data.parts import Group


class Frontend(Protocol):
    """From parts to what a network hears."""

    settings: dict[str, Any]

    @property
    def sample_rate(self) -> int:
        """Hz, of the sound it takes."""

    def describe(self) -> str:
        """Say in one line what goes in."""


class TrainedScorer(ABC):
    """A network in evaluation mode beside the frontend it was trained with."""

    network_class: ClassVar[type[nn.Module]]  # what it judges with
    # mixes | loops | stems: what it was trained on, and what protocols may ask it
    view: ClassVar[str]
    roles: ClassVar[tuple[str, ...]]  # what it hears; the first is the query
    probe_s: ClassVar[float]  # length of the self-check's sounds
    is_probability: ClassVar[bool]  # scores are posteriors: 0.5 is the published threshold

    def __init__(self, network: nn.Module, frontend: Any, *, name: str) -> None:
        """Take a trained network, its frontend, and what tables call it."""
        self.network = network.eval()
        self.frontend = frontend
        self.name = name

    @staticmethod
    @abstractmethod
    def frontend_of(settings: dict[str, Any]) -> Frontend:
        """Build the frontend from its settings."""

    @property
    def device(self) -> torch.device:
        """Where the network lies, and so where the spectrograms are computed."""
        return next(self.network.parameters()).device

    @abstractmethod
    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number per candidate, (candidates,); higher fits better."""
