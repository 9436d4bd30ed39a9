"""Beat probes trained and tested fold by fold, so that every song is held out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np
import torch

from mashnet.audio.annotate import decode_beats
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.beat_probe.probing import (
    FRAMES_PER_S,
    Encoder,
    LinearProbes,
    encode,
    widened_labels,
)
from mashnet.evaluation.subjects.clips import BeatClip
from mashnet.files import content_id
from mashnet.progress import Progress

METRICS = ("beat_f1", "cmlt", "amlt")
TRIMMED_S = 5.0  # mir_eval's convention: trackers may need some time to begin
_HELD_OUT = 8  # one training song in so many says when to stop


@dataclass(frozen=True)
class Probed:
    """An encoder, and how it wants to hear."""

    name: str
    encoder: Encoder
    frontend: StemFrontend
    device: torch.device | str = "cpu"


@dataclass(frozen=True)
class Found:
    """What the probes on one encoder found in all clips, each heard when it was held out."""

    metrics: np.ndarray  # (clips, METRICS)
    activations: list[np.ndarray]
    probes: int


def folds_of(songs: Sequence[str], num_folds: int, *, seed: int) -> np.ndarray:
    """Return the fold that each clip is held out in, (clips,); clips of a song share theirs.

    Raises:
        ConfigError: if there are fewer than two folds.
    """
    if num_folds < 2:
        raise ConfigError(f"protocol.num_folds={num_folds}: at least 2 are needed")
    distinct = sorted(set(songs), key=lambda song: content_id("fold", seed, song))
    fold = {song: number % num_folds for number, song in enumerate(distinct)}
    return np.array([fold[song] for song in songs])


def beat_metrics(reference: Sequence[float], estimated: Sequence[float]) -> dict[str, float]:
    """Return mir_eval's F-measure, CMLt and AMLt of one clip; 0 where too few beats are found.

    Args:
        reference: the clip's beats in seconds, at least two after the first 5 s.
        estimated: what was found, in seconds.
    """
    true = mir_eval.beat.trim_beats(np.asarray(reference, float), min_beat_time=TRIMMED_S)
    heard = mir_eval.beat.trim_beats(np.asarray(estimated, float), min_beat_time=TRIMMED_S)
    if len(heard) < 2:
        return dict.fromkeys(METRICS, 0.0)
    _, cmlt, _, amlt = mir_eval.beat.continuity(true, heard)
    values = (mir_eval.beat.f_measure(true, heard), cmlt, amlt)
    return {name: float(value) for name, value in zip(METRICS, values, strict=True)}


def cross_validated(
    probed: Probed, clips: Sequence[BeatClip], folds: np.ndarray, seed: int
) -> Found:
    """Train probes on all folds but one, and test them on that one, for each fold.

    Args:
        probed: the encoder.
        clips: with their beats.
        folds: which fold holds out each clip, (clips,).
        seed: of the probes' training, and of which training songs say when to stop.
    """
    bar = Progress(clips, desc=f"{probed.name}: encoding", unit="clip")
    encoded = [
        encode(
            probed.encoder,
            probed.frontend,
            clip.mix,
            duration_s=clip.duration_s,
            device=probed.device,
        )
        for clip in bar
    ]
    labels = [widened_labels(c.beats, len(e.token)) for c, e in zip(clips, encoded, strict=True)]
    metrics = np.zeros((len(clips), len(METRICS)))
    activations: list[np.ndarray] = [np.zeros(0)] * len(clips)
    for fold in Progress(np.unique(folds), desc=f"{probed.name}: probes", unit="fold"):
        training, stopping = _divided(clips, np.flatnonzero(folds != fold), seed)
        probes = LinearProbes.fit(
            *([(encoded[i], labels[i]) for i in part] for part in (training, stopping)), seed=seed
        )
        for number in np.flatnonzero(folds == fold).tolist():
            activations[number] = probes.activations(encoded[number])
            beats = decode_beats(activations[number], FRAMES_PER_S)
            metrics[number] = list(beat_metrics(clips[number].beats, beats).values())
    return Found(metrics, activations, encoded[0].probes)


def _divided(
    clips: Sequence[BeatClip], numbers: np.ndarray, seed: int
) -> tuple[list[int], list[int]]:
    """Return the clips to train on and those, of other songs, that say when to stop."""
    songs = sorted(
        {clips[number].song for number in numbers},
        key=lambda song: content_id("stop", seed, song),
    )
    held = set(songs[::_HELD_OUT]) if len(songs) > 1 else set()
    training = [int(n) for n in numbers if clips[n].song not in held]
    return training, [int(n) for n in numbers if clips[n].song in held] or training
