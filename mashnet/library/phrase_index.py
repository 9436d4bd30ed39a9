"""A vocal is asked for the music that it fits, among millions of phrases: one search.

The index answers by short vectors; the best of what it brings is compared exactly, and the best of
that is heard by the joint head.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container
from typing import NamedTuple

import numpy as np
import torch

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.phrases.beat_store import BeatStore, unpacked
from mashnet.data.phrases.phrase import Phrases, chroma_of
from mashnet.library.block_indexes import BlockIndexes
from mashnet.library.index import EXACT_UP_TO
from mashnet.library.pair_limits import ManyFacts, levels_between, shifts_allowed
from mashnet.library.phrase_vectors import PhraseRows, PhraseVectors
from mashnet.library.placed_sides import placed_sides
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.moves import OCTAVES, move_of
from mashnet.models.phrases.places import encoded
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.music.placement import Placement

_BROUGHT = 60  # phrases that the index brings for each place that is wanted
_MOST_BROUGHT = 4000
_COMPARED = 24  # of which so many are compared exactly,
_HEARD = 2  # and so many are heard by the joint head
_OF_ONE_CLIP = 8  # at most: what repeats itself would leave no room for others


class _Hit(NamedTuple):
    score: float
    query: int  # number of the vocal's phrase
    base: int  # number of the clip
    bar: int


class PhraseIndex:
    """Music of a library in phrases of one length and metre.

    Attributes:
        vectors: of its phrases.
        indexes: that are searched.
    """

    def __init__(
        self,
        database: MashupDB,
        scorer: PhraseScorer,
        *,
        metre: int = 4,
        store: BeatStore | None = None,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        """Open what lies beside the library, and make what is not there yet.

        Args:
            database: the library; all clips that last a phrase of the scorer's frontend.
            scorer: who judges; its keys are believed, whatever `most_semitones` says.
            metre: beats per bar.
            store: of the library's beat features; None: a new one.
            exact_up_to: with more phrases than this the search is approximate.

        Raises:
            DatabaseError: if no music of the library lasts a phrase.
        """
        sides = placed_sides(store or BeatStore(database), split="all", which="all")
        self._scorer, self._metre, self._length = scorer, metre, scorer.frontend.bars
        self.vectors = PhraseVectors(sides, scorer, metre)
        self.indexes = BlockIndexes(
            self.vectors.folder,
            self.vectors.blocks,
            PhraseRows,
            unit="phrase",
            exact_up_to=exact_up_to,
            asked=self.vectors.asked,
        )
        self._clips = [side.clip_id for side in self.vectors.side_of.values()]
        number = {key: i for i, key in enumerate(self.vectors.side_of)}
        bases, bars = [], []
        for block in self.vectors.blocks:
            rows = PhraseRows(block)
            bases.append(np.array([number[key] for key in block.keys])[rows.side])
            bars.append(rows.bars)
        self._base_of, self._bar_of = np.concatenate(bases), np.concatenate(bars)
        self._facts = [database.facts_of(clip) for clip in self._clips]
        self._many = ManyFacts.of(self._facts)
        self._music = dict(sides.store.rows(self.vectors.side_of.values()))
        self._sides = list(self.vectors.side_of.values())

    def __len__(self) -> int:
        """Return how many phrases there are."""
        return len(self.indexes)

    @torch.inference_mode()
    def search(
        self,
        guest: HeardSide,
        k: int,
        *,
        bars: Container[int] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        without: Container[str] = (),
    ) -> list[tuple[str, Placement]]:
        """Return the music on which a vocal fits best, one placement for each clip, best first.

        Args:
            guest: the vocal.
            k: how many clips, at most.
            bars: at which phrases of the vocal begin that are asked about; None: all.
            limits: how far the vocal may be moved.
            without: clip ids that do not come into question, such as the vocal's own.

        Returns:
            Clip ids and placements; their scores are those of `PhraseScorer.place`, and nobody
            says how sure they are.
        """
        found: dict[str, Placement] = {}
        if guest.bars is None or guest.bars.beats_per_bar != self._metre:
            return []
        for level in OCTAVES:
            own = round(self._length / level)
            starts = guest.bars.phrases(own)
            if level not in limits.levels or not len(starts):
                continue
            lead = encoded(self._scorer.network, guest, self._length, leads=True, level=level)
            asked = [i for i, bar in enumerate(starts) if bars is None or bar in bars]
            asked = [i for i in asked if lead.silence[i] == 0]
            if not asked:
                continue
            phrases, vectors = lead.phrases[torch.tensor(asked)], lead.vectors[0, asked]
            for hit in self._compared(
                phrases, vectors, self._hits(guest, vectors, level, k, limits, without), k
            ):
                placement = self._placement(guest, hit, int(starts[asked[hit.query]]), limits)
                clip = self._clips[hit.base]
                if clip not in found or placement.score > found[clip].score:
                    found[clip] = placement
        return sorted(found.items(), key=lambda pair: (-pair[1].score, pair[0]))[:k]

    def _hits(
        self,
        guest: HeardSide,
        vectors: torch.Tensor,
        level: float,
        k: int,
        limits: Limits,
        without: Container[str],
    ) -> list[_Hit]:
        """Return phrases within limits by their short vectors, best first."""
        own = ManyFacts.of([guest.facts])
        allowed = levels_between(own, self._many, limits)[0] == level
        allowed &= shifts_allowed(own, self._many, (0,), limits)[0, 0]
        short = (vectors.cpu() @ self.vectors.reduction.of_lead).numpy()
        allowed &= np.array([clip not in without for clip in self._clips])
        if not allowed.any():
            return []
        # As many more as are beyond the limits, and more where the same clips come again.
        brought = math.ceil(_BROUGHT * k / allowed.mean())
        while True:
            brought = min(brought, len(self), _MOST_BROUGHT)
            query, score, place = self.indexes.search(
                short, brought, candidates=max(2 * brought, candidates_of(len(self)))
            )
            base = self._base_of[place]
            kept = allowed[base]
            enough = len(np.unique(base[kept])) >= min(_HEARD * k, int(allowed.sum()))
            if enough or brought == min(len(self), _MOST_BROUGHT):
                break
            brought *= 4
        parts = (score[kept], query[kept], base[kept], self._bar_of[place[kept]])
        rows = zip(*(part.tolist() for part in parts), strict=True)
        return _varied([_Hit(*row) for row in rows], _OF_ONE_CLIP)

    def _compared(
        self, phrases: Phrases, vectors: torch.Tensor, hits: list[_Hit], k: int
    ) -> list[_Hit]:
        """Return the best hits with the scores of their whole vectors, and of the joint head."""
        hits = hits[: _COMPARED * k]
        if not hits:
            return []
        network = self._scorer.network
        music = self._phrases(hits).to(vectors.device)
        queries = torch.tensor([hit.query for hit in hits])
        scores = (vectors[queries] * network.backing(music)).sum(1)
        exact = [
            hit._replace(score=score) for hit, score in zip(hits, scores.tolist(), strict=True)
        ]
        best = _varied(exact, 1)[: _HEARD * k]
        rows = torch.tensor([exact.index(hit) for hit in best])
        corrections = network.correction(phrases[queries[rows]], music[rows]).tolist()
        return [
            hit._replace(score=hit.score + more)
            for hit, more in zip(best, corrections, strict=True)
        ]

    def _phrases(self, hits: list[_Hit]) -> Phrases:
        """Read the phrases of hits anew, as `SidePhrases` has them."""
        rows = [self._music[self._sides[hit.base]][hit.bar :][: self._length] for hit in hits]
        found = unpacked(np.concatenate(rows), self._metre).features
        tonics = torch.from_numpy(self._many.tonic[[hit.base for hit in hits]]).clamp_min(0)
        chroma = chroma_of(found.pitches).unflatten(0, (len(hits), -1)).flatten(1, 3)
        order = (torch.arange(12) + tonics[:, None]) % 12
        return Phrases(
            found.onsets.unflatten(0, (len(hits), -1)).flatten(1, 2),
            chroma.gather(2, order[:, None].expand_as(chroma)),
            found.level.unflatten(0, (len(hits), -1)).flatten(1, 2),
            self._length,
        )

    def _placement(self, guest: HeardSide, hit: _Hit, bar: int, limits: Limits) -> Placement:
        move = move_of(guest.facts, self._facts[hit.base], limits)
        assert move is not None
        shift = move.shift(0)
        return Placement(
            guest_bar=bar,
            base_bar=hit.bar,
            bars=self._length,
            semitones=shift.semitones,
            cents=shift.cents,
            tempo_level=move.tempo.level,
            tempo_ratio=move.tempo.ratio,
            score=hit.score,
        )


def candidates_of(count: int) -> int:
    """Return how many of so many phrases are compared anew by short vectors.

    Of six million, 10,000 leave a recall of 0.92 at 20, 40,000 one of 0.97 (benchmarks.placing).
    """
    return count // 100


def _varied(hits: list[_Hit], most: int) -> list[_Hit]:
    """Return hits, best first, at most so many of each clip."""
    taken: Counter[int] = Counter()
    kept = []
    for hit in sorted(hits, reverse=True):
        if taken[hit.base] < most:
            taken[hit.base] += 1
            kept.append(hit)
    return kept
