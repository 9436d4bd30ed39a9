"""CLAP as a judge of fit: the cosine of two sounds' embeddings (Wu et al., ICASSP 2023)."""

from __future__ import annotations

import numpy as np
import torch

from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.pretrained import load_pretrained
from mashnet.models.published.sound_embedding import SoundEmbeddingScorer
from mashnet.models.stems.text import CLAP_MUSIC


class ClapScorer(SoundEmbeddingScorer):
    """The sound tower of CLAP; it was trained to match music with descriptions.

    A window is as long as the feature extractor allows, 10 s in what was published: longer input
    would be cropped at random.
    """

    name = "clap"

    def __init__(self, *, weights: str = CLAP_MUSIC) -> None:
        """Load the sound tower.

        Args:
            weights: a local folder with the model and its feature extractor, or an id of the
                Hugging Face hub; the default is LAION's music checkpoint. No code comes with it.

        Raises:
            ConfigError: if the weights cannot be had.
        """
        self._prepare, self._network = load_pretrained(
            weights,
            network="ClapAudioModelWithProjection",
            processor="ClapFeatureExtractor",
            called="CLAP",
            setting="scorer.weights",
        )
        rate = int(self._prepare.sampling_rate)
        window_s = self._prepare.nb_max_samples / rate
        super().__init__(
            StemFrontend(sample_rate=rate, window_s=window_s),
            int(self._network.config.projection_dim),
        )

    def hear(self, samples: np.ndarray) -> torch.Tensor:
        """Return the projected embedding (d,) of up to a window of samples."""
        inputs = self._prepare(
            samples, sampling_rate=self.frontend.sample_rate, return_tensors="pt"
        )
        return self._network(**inputs).audio_embeds[0]
