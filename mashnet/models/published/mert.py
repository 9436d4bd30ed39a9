"""MERT as a judge of fit: the cosine of two sounds' embeddings (Li et al., ICLR 2024).

MERT is a HuBERT for music: transformer layers over 24 kHz waves, trained to fill in what was
masked. A sound's vector is the mean of its hidden states over time and over all layers, or of one
layer. Its published weights come with code of their own, which runs only when the user says so.
"""

from __future__ import annotations

import numpy as np
import torch

from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import ConfigError
from mashnet.models.pretrained import load_pretrained
from mashnet.models.published.sound_embedding import SoundEmbeddingScorer

MERT_95M = "m-a-p/MERT-v1-95M"
WINDOW_S = 5.0  # what MERT was trained on
_LEAST_SAMPLES = 400  # the convolutions below the transformer turn these into one frame


class MertScorer(SoundEmbeddingScorer):
    """Any network of waves that hands out its hidden states: MERT, HuBERT, wav2vec 2.0."""

    name = "mert"

    def __init__(
        self,
        *,
        weights: str = MERT_95M,
        layer: int | None = None,
        window_s: float = WINDOW_S,
        trust_remote_code: bool = False,
    ) -> None:
        """Load the network.

        Args:
            weights: a local folder with the model and its feature extractor, or an id of the
                Hugging Face hub.
            layer: whose hidden states are heard, 0 below the first layer; None: the mean of all.
            window_s: seconds that are heard at once.
            trust_remote_code: whether code that comes with the weights may run.

        Raises:
            ConfigError: if the weights cannot be had, or there is no such layer.
        """
        self._prepare, self._network = load_pretrained(
            weights,
            network="AutoModel",
            processor="AutoFeatureExtractor",
            called="MERT",
            setting="scorer.weights",
            trust_remote_code=trust_remote_code,
        )
        sizes = self._network.config
        depth = getattr(sizes, "num_hidden_layers", None)
        if depth is None or "input_values" not in self._prepare.model_input_names:
            raise ConfigError(f"scorer.weights={weights} is no network that hears waves as MERT is")
        if layer is not None and not 0 <= layer <= depth:
            raise ConfigError(f"scorer.layer={layer} is not allowed: expected 0 to {depth}")
        self.layer = layer
        rate = int(self._prepare.sampling_rate)
        super().__init__(StemFrontend(sample_rate=rate, window_s=window_s), int(sizes.hidden_size))

    def hear(self, samples: np.ndarray) -> torch.Tensor:
        """Return the mean hidden state (d,) of up to a window of samples."""
        states = self.layers_of(samples)
        return states.mean(0) if self.layer is None else states[self.layer]

    @torch.inference_mode()
    def layers_of(self, samples: np.ndarray) -> torch.Tensor:
        """Return hidden states, averaged over time, of any samples, (layers + 1, d)."""
        missing = max(0, _LEAST_SAMPLES - len(samples))
        inputs = self._prepare(
            np.pad(samples, (0, missing)),
            sampling_rate=self.frontend.sample_rate,
            return_tensors="pt",
        )
        states = self._network(**inputs, output_hidden_states=True).hidden_states
        return torch.stack([state[0].mean(0) for state in states])
