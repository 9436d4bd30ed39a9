"""Mixes of synthetic songs, made in memory: a beat and a chord, at a tempo and in a key."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from mashnet.data.mixes.recipes import Recipe
from mashnet.evaluation.subjects.moves import Move
from tests.triads import triads


@functools.cache
def played(bpm: float, tonic: int | None, *, seconds: float = 10.0, late_s: float = 0.0):
    """A chord, or a noise burst, on every beat."""
    onsets_s = np.arange(late_s % (60 / bpm), seconds, 60 / bpm)
    return triads(onsets_s, tonic, seconds=seconds)


@dataclasses.dataclass
class FakeSource:
    """Each song has an original, two matched mixes and one of each unmatched kind."""

    num_songs: int = 6
    name: str = "made/up"
    split: str = "test"
    artefact_control: bool = True

    def recipes(self, split=None):
        split = split or self.split
        first = 100 if split == "val" else 0
        conditions = (
            "original",
            "matched",
            "matched",
            "unmatched_key",
            "unmatched_tempo",
            "unmatched_key_tempo",
        )
        return [
            Recipe(
                mix_id=f"{split}-{song:03}-{number}",
                condition=condition,
                vocal=(f"v{song}",),
                harmonic=(f"h{song}",),
                percussion=(f"p{song}",),
                split=split,
                seed=first + song,
            )
            for song in range(self.num_songs)
            for number, condition in enumerate(conditions)
        ]

    def song_of(self, recipe):
        return f"song of {recipe.vocal[0]}"

    def groups(self, recipes: Sequence[Recipe]):
        return [self._group(recipe) for recipe in recipes]

    def moved_groups(self, moved):
        return [self._group(recipe, dict(moves)) for recipe, moves in moved]

    def _group(self, recipe, moves=None):
        generator = np.random.default_rng(recipe.seed)
        bpm, tonic = generator.uniform(80, 150), int(generator.integers(12))
        other_bpm = bpm * (1.23 if "tempo" in recipe.condition else 1)
        other_tonic = tonic + 6 if "key" in recipe.condition else tonic
        late_s = 0.11 if recipe.condition == "matched" else 0.0

        def part(role, bpm, tonic, late_s):
            move = (moves or {}).get(role, Move())
            return played(
                round(bpm * (1 + move.tempo_percent / 100), 9),
                None if role == "percussion" else (tonic + move.semitones) % 12,
                late_s=round(late_s + move.beats * 60 / bpm, 9),
            )

        return (
            {"vocal": part("vocal", bpm, tonic, 0.0)},
            {
                role: part(role, other_bpm, other_tonic, late_s)
                for role in ("harmonic", "percussion")
            },
        )


class Told:
    """A Scorer that is told the answers: part_id of the harmonic → score."""

    def __init__(self, name, answers, *, is_probability=False):
        self.name = name
        self.answers = answers
        self.is_probability = is_probability

    def score(self, query, candidates):
        return torch.tensor([self.answers[c["harmonic"].part_id] for c in candidates])


@dataclasses.dataclass(frozen=True)
class NamedPart:
    """A part that is only a name; nobody may listen to it."""

    part_id: str

    def waveform(self, sample_rate):
        raise AssertionError("a protocol listened to a part itself")


class NamedSource:
    """Recipes given as (condition, song, split); the harmonic part is named by the mix_id."""

    name = "named"
    artefact_control = False

    def __init__(self, rows, split="test"):
        self.split = split
        self.rows = [
            Recipe(
                mix_id=f"m{index:04}",
                condition=condition,
                vocal=(f"v-{song}",),
                harmonic=("h",),
                percussion=("p",),
                split=row_split,
            )
            for index, (condition, song, row_split) in enumerate(rows)
        ]

    def recipes(self, split=None):
        split = split or self.split
        return [r for r in self.rows if split in ("all", r.split)]

    def song_of(self, recipe):
        return recipe.vocal[0]

    def groups(self, recipes):
        return [
            (
                {"vocal": NamedPart(r.vocal[0])},
                {"harmonic": NamedPart(r.mix_id), "percussion": NamedPart("p")},
            )
            for r in recipes
        ]


@pytest.fixture(scope="session")
def fake_source():
    return FakeSource()


@pytest.fixture
def named_source():
    return NamedSource


@pytest.fixture
def told():
    return Told
