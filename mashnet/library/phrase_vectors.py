"""The music of a library, phrase by phrase, as short vectors that lie beside it.

They lie under <database>/cache/phrases/<model and metre>/: the maps that make vectors short, and
for each maps a store of vectors, a row per phrase. A song is encoded once. Maps are fitted to a
sample of the library, and anew only while the library is smaller than a sample is.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mashnet.audio.beat_features import FEATURES_VERSION
from mashnet.data.embedding_store import Block, EmbeddingStore
from mashnet.data.phrases.beat_store import Side
from mashnet.errors import DatabaseError
from mashnet.files import content_id, written_atomically
from mashnet.library.placed_sides import PlacedSides
from mashnet.library.reduction import DIMENSIONS, Reduction
from mashnet.library.stems import weights_digest
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.places import encoded
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.storage.local_copies import load_array

_MOST = 1e6  # of a number in maps; those of sound are far below
_VERSION = 1  # of how vectors are made and kept
_SAMPLED = 128  # clips of each side that maps are fitted to
_OF_EACH = 24  # phrases of a clip that is sampled
_BEFORE = 2  # numbers that stand before a vector: 1 for a phrase, and its first bar


class PhraseVectors:
    """Short vectors of all phrases of a length and metre in which the music sounds.

    Attributes:
        reduction: how they, and what asks them, are made short.
        asked: short vectors of some vocals of the library, (n, d).
        blocks: of sides, by `BeatStore.key`; rows are (1, first bar, vector…), and zeros.
    """

    @torch.inference_mode()
    def __init__(
        self, sides: PlacedSides, scorer: PhraseScorer, metre: int, dimensions: int = DIMENSIONS
    ) -> None:
        """Encode what is not there yet.

        Raises:
            DatabaseError: if no music of the library has such phrases.
        """
        self._sides, self._scorer = sides, scorer
        self._length = scorer.frontend.bars
        bases, guests = (
            [side for clip, side in of_role.items() if self._fits(clip, metre)]
            for of_role in (sides.bases, sides.guests)
        )
        if not bases:
            raise DatabaseError(
                f"{sides.database.root}: no music lasts {self._length} bars of {metre} beats"
            )
        model = content_id(
            "phrase vectors", _VERSION, FEATURES_VERSION, weights_digest(scorer.network), dimensions
        )
        place = sides.database.place("cache", "phrases", f"{model}-{self._length}x{metre}")
        maps = self._maps(place, bases, guests or bases, dimensions)
        self.reduction, self.asked = maps.reduction, maps.asked
        self.folder = sides.database.place("cache", "phrases", place.name, maps.name)
        self.side_of = {sides.store.key(side): side for side in bases}
        self.blocks = EmbeddingStore(self.folder).update(
            list(self.side_of), self._encode, label="phrases", unit="song", width=self._width
        )

    def _backing(self, heard: HeardSide) -> np.ndarray:
        """Return the rows of a side, (phrases, 2 + d)."""
        assert heard.bars is not None
        found = encoded(self._scorer.network, heard, self._length, leads=False)
        sounds = (found.silence == 0).cpu().numpy()
        short = (found.vectors[0].cpu() @ self.reduction.of_backing).numpy()[sounds]
        bars = heard.bars.phrases(self._length)[sounds]
        return np.concatenate([np.ones((len(bars), 1)), bars[:, None], short], axis=1)

    def _encode(self, keys: Sequence[str]) -> Iterator[np.ndarray | None]:
        waiting: dict[Side, np.ndarray] = {}
        wanted = [self.side_of[key] for key in keys]
        read = self._sides.read(wanted)
        for side in wanted:  # the store answers in an order of its own
            while side not in waiting:
                found = next(read, None)
                if found is None:
                    break
                waiting[found[0]] = self._backing(found[1])
            yield waiting.pop(side, None)

    def _maps(self, place: Path, bases: list[Side], guests: list[Side], dimensions: int) -> _Maps:
        for path in sorted(place.glob("maps-*.npy")):
            maps = _read_maps(path)
            if maps is not None and 2 * maps.fitted >= min(_SAMPLED, len(bases)):
                return maps
        if place.is_dir():
            shutil.rmtree(place)  # what older maps made short
        leads, backings = self._sample(guests, leads=True), self._sample(bases, leads=False)
        reduction = Reduction.fit(leads, backings, dimensions=dimensions)
        asked = (leads @ reduction.of_lead).numpy()
        maps = _Maps(reduction, asked, min(_SAMPLED, len(bases)))
        maps.write(place)
        return maps

    def _sample(self, sides: list[Side], *, leads: bool) -> torch.Tensor:
        chosen = np.linspace(0, len(sides) - 1, min(_SAMPLED, len(sides))).astype(int)
        found = []
        for _, heard in self._sides.read([sides[i] for i in chosen]):
            one = encoded(self._scorer.network, heard, self._length, leads=leads)
            sounding = one.vectors[0, one.silence == 0].cpu()
            found.append(sounding[:: max(1, len(sounding) // _OF_EACH)])
        if not found:
            reasons = list(self._sides.store.unreadable.values())
            raise DatabaseError(
                f"{self._sides.database.root}: no phrase can be read"
                + (f"; the first: {reasons[0]}" if reasons else "")
            )
        return torch.cat(found)

    def _fits(self, clip: str, metre: int) -> bool:
        bars = self._sides.bars(clip)
        return bars.beats_per_bar == metre and len(bars.phrases(self._length)) > 0

    def _width(self) -> int:
        return _BEFORE + self.reduction.of_lead.shape[1]


class PhraseRows:
    """The phrases of a block, one after the other, read when they are looked at."""

    def __init__(self, block: Block) -> None:
        """Find out where there are phrases and not zeros."""
        self._table = block.embeddings
        self.side, self.phrase = np.nonzero(block.embeddings[:, :, 0])

    @property
    def shape(self) -> tuple[int, ...]:
        """(phrases, d)."""
        return len(self.side), self._table.shape[2] - _BEFORE

    def __len__(self) -> int:
        """Return the number of phrases."""
        return len(self.side)

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Return the vectors of some."""
        return self._table[self.side[rows], self.phrase[rows], _BEFORE:]

    def __array__(self, dtype: object = None, /, *, copy: bool | None = None) -> np.ndarray:
        """Return all vectors."""
        return self._table[self.side, self.phrase, _BEFORE:]

    @property
    def bars(self) -> np.ndarray:
        """At which bars of their clips they begin, (phrases,)."""
        return self._table[self.side, self.phrase, 1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Maps:
    """Maps as they lie on disk: those of leads, those of backings and what asks, in one array."""

    reduction: Reduction
    asked: np.ndarray
    fitted: int  # clips that they were fitted to

    @property
    def name(self) -> str:
        """Of the vectors that these maps make."""
        return content_id("maps", self._array().tobytes())

    def write(self, folder: Path) -> None:
        numbers = len(self.reduction.of_lead)
        path = folder / f"maps-{self.fitted}-{numbers}.npy"
        with written_atomically(path) as temporary, temporary.open("wb") as file:
            np.save(file, self._array(), allow_pickle=False)

    def _array(self) -> np.ndarray:
        maps = (self.reduction.of_lead.numpy(), self.reduction.of_backing.numpy())
        return np.concatenate([*maps, self.asked]).astype("<f4")


def _read_maps(path: Path) -> _Maps | None:
    """Return maps, or None where the file is none that `_Maps.write` wrote."""
    try:
        fitted, numbers = (int(word) for word in path.stem.split("-")[1:])
        found = np.array(load_array(path))
        sound = found.ndim == 2 and found.dtype == np.dtype("<f4") and len(found) > 2 * numbers
        if not sound or not found.shape[1] or not (np.abs(found) < _MOST).all():
            raise ValueError("it holds no maps")
    except (OSError, EOFError, ValueError, DatabaseError) as error:
        print(f"{path} is damaged ({error}); maps are fitted anew", file=sys.stderr)
        return None
    lead, backing, asked = np.split(found, [numbers, 2 * numbers])
    return _Maps(Reduction(torch.from_numpy(lead), torch.from_numpy(backing)), asked, fitted)
