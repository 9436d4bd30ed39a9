"""Do a frozen encoder's tokens know where the beats are?

As published for the JEPA of stems (Riou et al., ICASSP 2025): linear probes on the tokens of a
frozen encoder, one for each 20 ms of a token's time, trained on widened labels; a dynamic Bayesian
network decodes their output; k-fold cross-validation (the paper's k is 8), here by song. Figures
are mir_eval's, which leaves the first 5 s of a clip out:

* beat_f1: beats found within 70 ms;
* cmlt: share of beats that continue rightly at the annotated tempo;
* amlt: the same, where twice or half the tempo and the off-beat count as right.

The same probes on log-mel frames, and on onset strengths, say what the encoder adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from mashnet.audio.descriptors import SAMPLE_RATE
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import AudioError, ConfigError, DatabaseError
from mashnet.evaluation.protocols.beat_probe.baselines import DeafTokens, LogMelTokens, OnsetTokens
from mashnet.evaluation.protocols.beat_probe.figures import activation_curves, metric_bars
from mashnet.evaluation.protocols.beat_probe.folds import (
    METRICS,
    TRIMMED_S,
    Found,
    Probed,
    cross_validated,
    folds_of,
)
from mashnet.evaluation.protocols.beat_probe.probing import FRAMES_PER_S, Encoder
from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.clips import BeatClip, ClipSource
from mashnet.models.scorer import Scorer

NAME = "beat_probe"
VIEW = "clips"
LEAST_BEATS = 8  # in what is left
_DEAF = "deaf"


def run(
    scorers: Sequence[Scorer],
    source: ClipSource,
    *,
    bootstrap: Bootstrap,
    num_folds: int = 8,
    seed: int = 0,
) -> Outcome:
    """Probe each Scorer's encoder, and what is no encoder beside it.

    Args:
        scorers: whose networks to probe; rules, which have none, are left out.
        source: clips and their beats.
        bootstrap: how intervals are made; songs are drawn.
        num_folds: each holds out its share of the songs; no more than there are songs.
        seed: of the folds and of the probes' training.

    Raises:
        ConfigError: if a network has no tokens, or there is no network.
        DatabaseError: if fewer than three songs have enough beats.
    """
    rules = [scorer.name for scorer in scorers if not hasattr(scorer, "network")]
    asked = [_probed(scorer) for scorer in scorers if hasattr(scorer, "network")]
    if not asked:
        raise ConfigError(
            f"{', '.join(rules)} has no encoder: protocol={NAME} wants checkpoint=<a run or bundle>"
        )
    clips, notes = _usable(source)
    songs = [clip.song for clip in clips]
    folds = folds_of(songs, num_folds, seed=seed)
    frontend = StemFrontend(sample_rate=SAMPLE_RATE, window_s=8.0)
    beside: list[tuple[str, Encoder]] = [
        ("log_mel", LogMelTokens()),
        ("onset", OnsetTokens()),
        (_DEAF, DeafTokens()),
    ]
    asked += [Probed(name, encoder, frontend) for name, encoder in beside]
    found = {probed.name: cross_validated(probed, clips, folds, seed) for probed in asked}
    chance = found.pop(_DEAF).metrics.mean(axis=0)
    if rules:
        notes.append(f"Rules have no encoder: {', '.join(rules)} left out.")
    results = [
        ScorerResult(
            NAME,
            name,
            source.name,
            source.split,
            {
                metric: bootstrap.estimate(np.mean, [f.metrics[:, column]], songs)
                for column, metric in enumerate(METRICS)
            },
            {"folds": int(folds.max()) + 1, "probes_per_token": f.probes},
        )
        for name, f in found.items()
    ]
    return Outcome(
        protocol=NAME,
        title="Do the tokens know where the beats are?",
        summary=(
            "Linear probes read, from each token of a frozen encoder, how likely a beat is every "
            "20 ms; a dynamic Bayesian network makes beats of it. They are trained on other songs "
            "than they are tested on."
        ),
        results=results,
        metrics=_meanings(chance),
        scores=_table(found, clips, folds),
        plots=_plots(results, found, clips),
        comparisons=_compare(found, songs, bootstrap),
        notes=[*notes, *_notes(clips, folds)],
    )


def _probed(scorer: Scorer) -> Probed:
    """Find the encoder of a network: the network itself, or what it calls its encoder."""
    network: Any = getattr(scorer, "network", None)
    candidate: Any
    for candidate in (network, getattr(network, "encoder", None)):
        if hasattr(candidate, "tokens") and hasattr(candidate, "token_s"):
            frontend, device = getattr(scorer, "frontend", None), getattr(scorer, "device", "cpu")
            assert isinstance(frontend, StemFrontend)
            return Probed(scorer.name, candidate, frontend, device)
    raise ConfigError(
        f"{scorer.name} ({type(network).__name__}) has no tokens over time that could be probed; "
        f"protocol={NAME} wants a network with a transformer, such as jepa or contrastive"
    )


def _usable(source: ClipSource) -> tuple[list[BeatClip], list[str]]:
    """Return the clips that have enough beats and can be read, and notes on the others."""
    clips, beatless, unreadable = [], 0, []
    for clip in source.clips():
        if sum(beat >= TRIMMED_S for beat in clip.beats) < LEAST_BEATS:
            beatless += 1
            continue
        try:
            clip.mix.waveform(SAMPLE_RATE)
        except AudioError as error:
            unreadable.append(str(error))
            continue
        clips.append(clip)
    if len({clip.song for clip in clips}) < 3:
        raise DatabaseError(
            f"{source.name}: {len({clip.song for clip in clips})} song(s) in the split "
            f"{source.split} have {LEAST_BEATS} beats after the first {TRIMMED_S:g} s; probes "
            f"need three to train, to stop and to test. Try data.split=all"
        )
    notes = []
    if beatless:
        notes.append(
            f"{beatless} clip(s) with fewer than {LEAST_BEATS} beats after the first "
            f"{TRIMMED_S:g} s are left out."
        )
    if unreadable:
        notes.append(f"{len(unreadable)} clip(s) cannot be read; the first: {unreadable[0]}")
    return clips, notes


def _compare(found: dict[str, Found], songs: list[str], bootstrap: Bootstrap) -> list[Comparison]:
    first, *others = found
    return [
        Comparison(
            metric,
            first,
            other,
            bootstrap.difference(
                np.mean,  # type: ignore[arg-type]
                [found[first].metrics[:, column]],
                [found[other].metrics[:, column]],
                songs,
            ),
        )
        for other in others
        for column, metric in enumerate(METRICS)
    ]


def _meanings(chance: np.ndarray) -> dict[str, Metric]:
    meanings = (
        "Mean F-measure of beats within 70 ms.",
        "Mean share of beats that continue rightly at the annotated tempo.",
        "The same, where twice or half the tempo and the off-beat count as right.",
    )
    return {
        name: Metric(f"{meaning} Chance: the same probes on nothing.", float(value), headline=True)
        for name, meaning, value in zip(METRICS, meanings, chance, strict=True)
    }


def _table(found: dict[str, Found], clips: Sequence[BeatClip], folds: np.ndarray) -> pl.DataFrame:
    return pl.concat(
        pl.DataFrame(
            {
                "scorer": [name] * len(clips),
                "clip_id": [clip.clip_id for clip in clips],
                "song_id": [clip.song for clip in clips],
                "fold": folds,
                **{metric: f.metrics[:, column] for column, metric in enumerate(METRICS)},
            }
        )
        for name, f in found.items()
    )


def _plots(
    results: Sequence[ScorerResult], found: dict[str, Found], clips: Sequence[BeatClip]
) -> list[Plot]:
    f1 = next(iter(found.values())).metrics[:, 0]
    median = int(np.argsort(f1, kind="stable")[len(f1) // 2])
    curves = {name: f.activations[median] for name, f in found.items()}
    return [
        Plot(
            "beats",
            metric_bars({r.scorer: r.metrics for r in results}, METRICS),
            "Beats read from each encoder's tokens, with 95 % intervals.",
        ),
        Plot(
            "activations",
            activation_curves(curves, clips[median].beats, FRAMES_PER_S),
            f"How likely a beat is at each moment, in clip {clips[median].clip_id}, which the "
            f"first encoder finds neither easy nor hard; vertical lines are beats.",
        ),
    ]


def _notes(clips: Sequence[BeatClip], folds: np.ndarray) -> list[str]:
    exact = sum(clip.is_exact for clip in clips)
    return [
        f"{len(clips)} clips of {len({clip.song for clip in clips})} songs in "
        f"{int(folds.max()) + 1} folds by song. (The paper has 8 folds and four data sets with "
        f"beats tapped by people: AMLt 0.917 on GTZAN, 0.654 on SMC.)",
        f"Beats of {exact} clips came with the music, those of {len(clips) - exact} from a beat "
        f"tracker: there the figures say how well the probes agree with it, not with a listener.",
        f"The first {TRIMMED_S:g} s of a clip do not count, as mir_eval has it.",
    ]
