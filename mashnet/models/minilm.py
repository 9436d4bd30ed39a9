"""The sentence encoder all-MiniLM-L6-v2 in plain torch.

Reimers & Gurevych, "Sentence-BERT" (EMNLP 2019): a BERT of six layers, the mean over its tokens.
Its own package would take seconds to import, and would import transformers with it; a Scorer that
looks up one instrument name should not wait for that.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

WIDTH = 384
_LAYERS, _HEADS, _HIDDEN = 6, 12, 1536
_TOKENS, _POSITIONS, _MAX_TOKENS = 30_522, 512, 256
_NORM_EPS = 1e-12


class MiniLmNetwork(nn.Module):
    """Text → the mean of its token vectors, (384,); not of unit length yet."""

    def __init__(self, folder: Path) -> None:
        """Read model.safetensors and tokenizer.json.

        Raises:
            RuntimeError: if the weights are those of another network.
        """
        super().__init__()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(_MAX_TOKENS)
        with torch.device("meta"):
            self.words = nn.Embedding(_TOKENS, WIDTH)
            self.positions = nn.Embedding(_POSITIONS, WIDTH)
            self.segments = nn.Embedding(2, WIDTH)
            self.norm = nn.LayerNorm(WIDTH, eps=_NORM_EPS)
            self.layers = nn.ModuleList([_Layer() for _ in range(_LAYERS)])
        state = {_own_name(name): tensor for name, tensor in load_file(folder / _WEIGHTS).items()}
        state = {name: tensor for name, tensor in state.items() if name}
        self.load_state_dict(state, assign=True)
        self.eval().requires_grad_(False)

    def forward(self, text: str) -> torch.Tensor:
        """Return the mean of the vectors of all tokens, begin and end mark included, (384,)."""
        words = torch.tensor(self.tokenizer.encode(text).ids)
        x = self.words(words) + self.positions.weight[: len(words)] + self.segments.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x)
        return x.mean(0)


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.attention_out = nn.Linear(WIDTH, WIDTH)
        self.attention_norm = nn.LayerNorm(WIDTH, eps=_NORM_EPS)
        self.dense_in = nn.Linear(WIDTH, _HIDDEN)
        self.dense_out = nn.Linear(_HIDDEN, WIDTH)
        self.dense_norm = nn.LayerNorm(WIDTH, eps=_NORM_EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # (tokens, 384) → (heads, tokens, 32)
        query, key, value = (
            linear(x).unflatten(-1, (_HEADS, -1)).transpose(0, 1)
            for linear in (self.query, self.key, self.value)
        )
        heard = functional.scaled_dot_product_attention(query, key, value)
        x = self.attention_norm(x + self.attention_out(heard.transpose(0, 1).flatten(1)))
        return self.dense_norm(x + self.dense_out(functional.gelu(self.dense_in(x))))


_WEIGHTS = "model.safetensors"
_OWN_NAMES = {  # the published state's names → the names above, longest first
    "encoder.layer.": "layers.",
    "attention.self.": "",
    "attention.output.dense": "attention_out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "dense_in",
    "output.dense": "dense_out",
    "output.LayerNorm": "dense_norm",
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": "segments",
    "embeddings.LayerNorm": "norm",
}


def _own_name(name: str) -> str:
    """Return what a published weight is called here; "" for what sentences do not need."""
    if name == "embeddings.position_ids" or name.startswith("pooler."):
        return ""
    for theirs, ours in _OWN_NAMES.items():
        name = name.replace(theirs, ours)
    return name
