"""The sentence encoder all-MiniLM-L6-v2 in plain torch.

Reimers & Gurevych, "Sentence-BERT" (EMNLP 2019): a BERT of six layers, the mean over its tokens.
Its own package would take seconds to import, and would import transformers with it; a Scorer that
looks up one instrument name should not wait for that.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import functional

WIDTH = 384
_LAYERS, _HEADS = 6, 12
_MAX_TOKENS = 256
_NORM_EPS = 1e-12


class MiniLmNetwork:
    """Text → the mean of its token vectors, (384,); not of unit length yet.

    No nn.Module: to build one would draw random numbers, in the middle of somebody's training.
    """

    def __init__(self, folder: Path) -> None:
        """Read model.safetensors, with the names that BERT has there, and tokenizer.json."""
        from tokenizers import Tokenizer  # with an extra

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(_MAX_TOKENS)
        self.weights = load_file(folder / "model.safetensors")

    def __call__(self, text: str) -> torch.Tensor:
        """Return the mean of the vectors of all tokens, begin and end mark included, (384,)."""
        words = torch.tensor(self.tokenizer.encode(text).ids)
        tables = {
            kind: self.weights[f"embeddings.{kind}_embeddings.weight"]
            for kind in ("word", "position", "token_type")
        }
        x = tables["word"][words] + tables["position"][: len(words)] + tables["token_type"][0]
        x = self._norm("embeddings.LayerNorm", x)
        for layer in range(_LAYERS):
            x = self._layer(f"encoder.layer.{layer}", x)
        return x.mean(0)

    def _layer(self, name: str, x: torch.Tensor) -> torch.Tensor:
        # (tokens, 384) → (heads, tokens, 32)
        query, key, value = (
            self._dense(f"{name}.attention.self.{kind}", x)
            .unflatten(-1, (_HEADS, -1))
            .transpose(0, 1)
            for kind in ("query", "key", "value")
        )
        heard = functional.scaled_dot_product_attention(query, key, value)
        heard = self._dense(f"{name}.attention.output.dense", heard.transpose(0, 1).flatten(1))
        x = self._norm(f"{name}.attention.output.LayerNorm", x + heard)
        hidden = functional.gelu(self._dense(f"{name}.intermediate.dense", x))
        x = x + self._dense(f"{name}.output.dense", hidden)
        return self._norm(f"{name}.output.LayerNorm", x)

    def _dense(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(x, (WIDTH,), weight, bias, _NORM_EPS)
