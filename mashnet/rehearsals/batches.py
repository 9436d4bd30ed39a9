"""Batches as the loaders of a run hand them out, of made-up sound: for rehearsing its steps.

The project's own data sets put them together, from noise where a run would read a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from mashnet.audio.beat_features import BANDS, MOMENTS, PITCH_MOMENTS
from mashnet.data.loops.view import LoopPairs
from mashnet.data.mashupdb import ROLES
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.mixes.module import VALIDATION_BATCH
from mashnet.data.mixes.transposed_windows import MOST_SEMITONES
from mashnet.data.mixes.view import UNLABELLED, EvenWindows, MixItem, RandomGroups, joined
from mashnet.data.phrases.examples import PhraseClip, PhraseExamples
from mashnet.data.phrases.phrase import SidePhrases
from mashnet.data.stems.clips import BLOCK_S, StemClip
from mashnet.data.stems.view import Augmentation, StemChunks
from mashnet.models.loops.scoring import LoopScorer
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.stems.scoring import StemScorer
from mashnet.models.trained import TrainedScorer

_DRAWN = 2  # chunks of stems; a batch repeats them

Batch = dict[str, Any]


def batches_of(scorer: TrainedScorer, config: Mapping[str, Any]) -> tuple[Batch, Batch]:
    """Return a training batch and a validation batch, on the CPU, as loaders hand them out.

    Where lengths are drawn, the training batch has the longest.

    Args:
        scorer: holds the network.
        config: a run's settings: `model` and `data`.
    """
    if isinstance(scorer, LoopScorer):
        return (_loops(scorer, config["data"]["batch_size"]),) * 2
    if isinstance(scorer, StemScorer):
        model, size = config["model"], config["data"]["batch_size"]
        lengths_s = model["chunk_s"][1], scorer.frontend.settings["window_s"]
        chunks = config["data"]["chunks"]
        training, validation = (
            _stems(scorer.frontend.sample_rate, length_s, size, model["target"], chunks)
            for length_s in lengths_s
        )
        return training, validation
    if isinstance(scorer, PhraseScorer):
        longest, size = max(config["model"]["bars"]), config["data"]["batch_size"]
        return _phrases(longest, size), _phrases(scorer.frontend.bars, size)
    return _mixes(scorer, config)


def _loops(scorer: LoopScorer, size: int) -> Batch:
    frontend = scorer.frontend
    bands = frontend.settings["n_mels"]
    mels = np.zeros((2, frontend.frames, bands), np.float16)
    rows = {name: np.arange(size) % 2 for name in scorer.network.inputs}  # type: ignore[union-attr]
    return LoopPairs(mels, rows, np.arange(size) % 2).__getitems__(range(size))


def _stems(rate: int, length_s: float, size: int, target: str, chunks: Mapping[str, Any]) -> Batch:
    blocks, names = round(length_s / BLOCK_S), ("bass", "drums", "vocals")
    clip = StemClip(
        clip_id="noise",
        song=0,
        stem_ids=names,
        labels=names,
        energy=np.tile(np.arange(blocks + 1.0), (len(names), 1)) * rate,
        block_samples=round(BLOCK_S * rate),
        silence_rms=1e-3,
    )
    noise = np.random.default_rng(0).standard_normal(blocks * clip.block_samples, np.float32) / 10
    waves: Any = SimpleNamespace(read=lambda stem, start, length: noise[:length].copy())
    drawn = StemChunks(
        [clip],
        waves,
        target=target,
        seed=0,
        augmentation=Augmentation(chunks["gain_db"], chunks["noise_db"]),
    ).__getitems__([(draw, 0, blocks) for draw in range(_DRAWN)])
    repeats = -(-size // _DRAWN)
    return {
        **{side: drawn[side].repeat(repeats, 1)[:size] for side in ("context", "target")},
        "label": (drawn["label"] * repeats)[:size],
        "song": torch.arange(size, dtype=drawn["song"].dtype),
    }


def _phrases(bars: int, size: int) -> Batch:
    random = torch.Generator().manual_seed(0)
    lead, backing = (
        SidePhrases(
            torch.rand(bars + 1, 4, MOMENTS, BANDS, generator=random),
            torch.rand(bars + 1, 4, PITCH_MOMENTS, 12, generator=random),
            torch.zeros(bars + 1, 4),
        )
        for _ in range(2)
    )
    clip = PhraseClip(0, lead, backing, np.ones(bars + 1, bool))
    batch = PhraseExamples([clip], seed=0).__getitems__([(draw, 0, bars) for draw in range(size)])
    return {**batch, "song": torch.arange(size, dtype=batch["song"].dtype)}


def _mixes(scorer: TrainedScorer, config: Mapping[str, Any]) -> tuple[Batch, Batch]:
    frontend, data = scorer.frontend, config["data"]
    labels = [1, 0] if config["model"]["unlabelled"] == "none" else [1, 0, UNLABELLED]
    items = [MixItem({role: role for role in ROLES}, label) for label in labels]
    transposed = data["transposed_negatives"]
    wide = frontend.widened(MOST_SEMITONES) if transposed else frontend
    groups = RandomGroups(items, _noise(wide), seed=0, transposed_negatives=transposed)
    training = joined([groups[0, index] for index in range(data["batch_size"])])
    inputs = {name: name for name in scorer.network.inputs}  # type: ignore[union-attr]
    windows = EvenWindows([MixItem(inputs, label) for label in labels], _noise(frontend), 1)
    return training, default_collate([windows[i % len(labels)] for i in range(VALIDATION_BATCH)])


def _noise(frontend: MixFrontend) -> Any:
    """Return a store whose every log-mel is the same noise, three windows long."""
    shape = 3 * frontend.window_frames, frontend.log_mel.n_mels
    mel = np.random.default_rng(0).random(shape, np.float32)
    return SimpleNamespace(frontend=frontend, open=lambda feature_id: mel)
