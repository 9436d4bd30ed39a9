"""Pairs of different songs, rendered where they are placed, and first downbeat on first downbeat.

Both renderings have the same base, the same guest and the same engine; what differs is where the
guest lies and, where the Scorer says so, by how much it is shifted. Their sound is measured by
things that are not the Scorer (`mashnet.evaluation.mashup_measures.measures`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.data.mixes.candidates import Limits
from mashnet.data.roles import VOCAL, music_roles
from mashnet.errors import MashnetError, StorageError
from mashnet.evaluation.mashup_measures.measures import MEASURES, measure
from mashnet.evaluation.protocols.placement.measures import Column
from mashnet.evaluation.results import Metric, SoundExample
from mashnet.evaluation.subjects.phrases import PhraseSource, group_of
from mashnet.mashups.collection import Collection
from mashnet.mashups.placed import placed
from mashnet.mashups.proposal import Proposal
from mashnet.mashups.proposals import vocals_on_music
from mashnet.models.scorer import Scorer
from mashnet.progress import Progress

FOLDER = "mashups"  # in the result folder
FIRST = "first_downbeat"
TECHNIQUE = "tempo+key"
FIGURES = ("key_clash", "onset_error_ms", "judge_score")
_CLIPS = "one"  # of each song


@dataclass(frozen=True)
class RenderedPairs:
    """What was rendered and measured.

    Attributes:
        pairs: whose vocal on whose music.
        measured: Scorer, or `FIRST` → measure → a figure per pair; NaN where there is none.
        examples: to hear.
        failed: what could not be placed or rendered, one sentence each.
    """

    pairs: Sequence[Proposal]
    measured: Mapping[str, Mapping[str, np.ndarray]]
    examples: list[SoundExample]
    failed: list[str]


def draw_pairs(source: PhraseSource, num_pairs: int, *, seed: int) -> list[Proposal]:
    """Draw vocals and music of different songs that can be moved to each other.

    Args:
        source: the phrases; songs with phrases take part.
        num_pairs: at most so many, drawn evenly.
        seed: of the draw.
    """
    clips = source.clips()
    if not clips:
        return []
    database = source.clip(clips[0]).database
    found = [
        proposal
        for proposal in vocals_on_music(
            database, split=source.split, limits=Limits(), which=_CLIPS, bases=set(clips)
        )
        if proposal.guests[VOCAL].clip.clip_id in set(clips)
    ]
    random = np.random.default_rng(seed)
    chosen = random.choice(len(found), min(num_pairs, len(found)), replace=False)
    return [found[index] for index in sorted(chosen)]


def render_pairs(
    scorers: Sequence[Any],
    source: PhraseSource,
    pairs: Sequence[Proposal],
    folder: Path,
    judge: Scorer | None,
) -> RenderedPairs:
    """Let Scorers place each pair, render what they say and first downbeats, and measure both.

    Args:
        scorers: those that can place.
        source: of the pairs.
        pairs: of `draw_pairs`.
        folder: of the results.
        judge: whom to ask about the layers of what is rendered; None: nobody.
    """
    collection = Collection(folder / FOLDER, technique=TECHNIQUE, workers=None)
    systems = [FIRST, *(scorer.name for scorer in scorers)]
    measured = {name: {m: np.full(len(pairs), np.nan) for m in FIGURES} for name in systems}
    examples: list[SoundExample] = []
    failed: list[str] = []
    with Progress(total=len(pairs) * len(systems), desc="mashups", unit="mashup") as bar:
        for index, pair in enumerate(pairs):
            for name, scorer in zip(systems, [None, *scorers], strict=True):
                bar.update()
                try:
                    proposal = pair if scorer is None else _placed(scorer, source, pair)
                    figures, example = _finished(proposal, name, index, collection, judge)
                except StorageError:  # it is not the mashup's fault
                    raise
                except MashnetError as error:
                    failed.append(f"Not rendered for {name}: {error}")
                    continue
                examples.append(example)
                for key in FIGURES:
                    measured[name][key][index] = figures[key]
    return RenderedPairs(pairs, measured, examples, list(dict.fromkeys(failed)))


def _placed(scorer: Any, source: PhraseSource, pair: Proposal) -> Proposal:
    base, guest = pair.base, pair.guests[VOCAL].clip
    music = music_roles(base.database.sounding_stems[base.clip_id])
    where = scorer.place(source.whole(base.clip_id, music), source.whole(guest.clip_id, [VOCAL]))
    return placed(base, guest, where, whole=True)


def _finished(
    proposal: Proposal, system: str, index: int, collection: Collection, judge: Scorer | None
) -> tuple[dict[str, float], SoundExample]:
    kind = "placed" if proposal.placements else FIRST
    row = collection.add(proposal, system=system, kind=kind, rank=index + 1, score=None)
    guests = {role: collection.song(guest.clip) for role, guest in proposal.guests.items()}
    figures = measure(
        collection.folder / row["audio"],
        collection.song(proposal.base),
        guests,
        technique=collection.technique_of(proposal),
        placements=proposal.placements,
        engine=collection.engine,
        judge=judge if judge is None or judge.name != system else None,  # not of its own choice
    )
    example = SoundExample(
        group=system,
        label=f"pair {index + 1}",
        title=f"{proposal.base.title} with {proposal.guests[VOCAL].clip.title}",
        audio=collection.folder / row["audio"],
        figures={key: figures[key] for key in FIGURES},
        remarks=tuple(row["warnings"]),
    )
    return figures, example


def pair_columns(rendered: RenderedPairs, system: str) -> dict[str, Column]:
    """Return a Scorer's figures where it placed, where it did not, and their difference.

    Only pairs of which both renderings could be measured take part, so that means compare.
    """
    groups = np.array([group_of(pair.base.row) for pair in rendered.pairs], dtype=str)
    columns: dict[str, Column] = {}
    for key in FIGURES:
        here, there = rendered.measured[system][key], rendered.measured[FIRST][key]
        both = np.isfinite(here) & np.isfinite(there)
        if both.any():
            of_pairs = groups[both].tolist()
            columns[f"{key}_placed"] = here[both], of_pairs
            columns[f"{key}_{FIRST}"] = there[both], of_pairs
            columns[f"{key}_difference"] = (here - there)[both], of_pairs
    return columns


def pair_meanings(names: Sequence[str]) -> dict[str, Metric]:
    """Return what the figures mean; none has a level of chance but the difference, which is 0."""
    found = {}
    for key in FIGURES:
        meaning = MEASURES[key].meaning
        found[f"{key}_placed"] = Metric(f"Rendered where it was placed: {meaning}.")
        found[f"{key}_{FIRST}"] = Metric(f"First downbeat on first downbeat: {meaning}.")
        found[f"{key}_difference"] = Metric(
            f"Placed minus first downbeat, pair by pair: {meaning}.", 0.0
        )
    return {name: metric for name, metric in found.items() if name in names}
