"""Stems that are only names, and Scorers that are told what to say of them."""

from __future__ import annotations

import torch

from mashnet.data.parts import Query
from mashnet.evaluation.subjects.stems import StemChunk, StemQuestion
from tests.evaluation.conftest import NamedPart


class Stems:
    """Songs with the stems that `labels` names; parts are named song-number, or say so."""

    name = "made/up"
    split = "test"

    def __init__(
        self, num_songs=3, *, labels=("guitar", "bass", "drums"), most_chunks=1000, first_song=0
    ):
        self.songs = range(first_song, first_song + num_songs)
        self.labels, self.most_chunks = labels, most_chunks

    def questions(self, labels):
        return [
            StemQuestion(
                stem_id=f"{song}-{number}",
                song=f"song {song}",
                label=label if labels == "coarse" else f"{label} {song % 2}",
                query=Query({"harmonic": NamedPart(f"{song}-{number}-rest")}, instrument=label),
                candidate={"harmonic": NamedPart(f"{song}-{number}")},
            )
            for song in self.songs
            for number, label in enumerate(self.labels)
        ]

    def chunks(self, *, num_draws, chunk_s, seed):
        return [
            StemChunk(
                chunk_id=f"{song}-{draw}-{chunk_s}-{seed}",
                song=f"song {song}",
                query=Query({"harmonic": NamedPart(f"{song}-{draw}-submix")}),
                candidate={"harmonic": NamedPart(f"{song}-{draw}")},
            )
            for song in self.songs
            for draw in range(min(num_draws, self.most_chunks))
        ]

    def left_out(self):
        return ["Something is left out."]


class Rule:
    """A Scorer that is told what to say of (song, number) of both sides and the instrument."""

    def __init__(self, name, rule):
        self.name, self.rule = name, rule

    def score(self, query, candidates):
        asked = query["harmonic"].part_id.split("-")
        return torch.tensor(
            [
                float(self.rule(asked[:2], c["harmonic"].part_id.split("-"), query.instrument))
                for c in candidates
            ]
        )


KNOWING = Rule("knowing", lambda asked, answer, _: asked == answer)
CONSTANT = Rule("constant", lambda *_: 0.25)
