"""Listening tests that were never held: ratings with effects that are known."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import Rating, rating_of
from mashnet.listening.table import Judged, judged

TEST = "study"


@dataclass
class Study:
    """A key and its ratings, filled by hand or by chance."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    ratings: list[Rating] = field(default_factory=list)

    @property
    def key(self) -> dict[str, Any]:
        return {"test": TEST, "title": "A study", "items": self.items}

    def add_item(
        self, item: str, *claims: tuple[str, str], scores: Mapping[str, float] | None = None
    ) -> None:
        """Add a clip that systems claim: (system, kind), …."""
        self.items[item] = {
            "name": f"name-{item}",
            "file": f"/sounds/{item}.wav",
            "systems": [{"system": s, "kind": k, "rank": 1} for s, k in claims],
            "scores": dict(scores or {}),
        }

    def rate(
        self, participant: str, item: str, answers: int | Sequence[int], **changes: Any
    ) -> None:
        """Add a rating; one number answers all five questions."""
        five = [answers] * 5 if isinstance(answers, int) else answers
        self.ratings.append(
            rating_of(
                {
                    "rated_at": f"2026-01-01T10:00:00.{len(self.ratings) % 1000:03d}Z",
                    "test": TEST,
                    "participant": participant,
                    "position": 1,
                    "item": item,
                    **dict(zip(QUESTION_NAMES, map(int, five), strict=True)),
                    "heard": "no",
                    "listened_s": 20,
                    "token": f"{len(self.ratings):032x}",
                    **changes,
                }
            )
        )

    @property
    def table(self) -> Judged:
        return judged(self.ratings, self.key)[0]


def simulated(
    conditions: Mapping[tuple[str, str], float],
    *,
    participants: int,
    clips: int,
    seed: int,
    of_clip: float = 0.5,
    of_participant: float = 0.4,
    of_rating: float = 0.7,
    scorer_noise: float = 0.3,
) -> Study:
    """Return a test in which everybody rates all clips of all conditions.

    Args:
        conditions: (system, kind) → true quality on the scale 1 to 5.
        participants: how many.
        clips: of each condition.
        seed: of everything drawn.
        of_clip: standard deviation of clips' qualities within a condition.
        of_participant: standard deviation of listeners' severity.
        of_rating: standard deviation of what is left.
        scorer_noise: of "knowing", a Scorer that hears the true quality; "guessing" hears nothing.
    """
    random = np.random.default_rng(seed)
    study = Study()
    quality = {}
    for (system, kind), mean in conditions.items():
        for number in range(clips):
            item = re.sub(r"[^a-z0-9.]", "", f"{system}.{kind}.{number}")
            quality[item] = mean + of_clip * random.standard_normal()
            scores = {
                "knowing": quality[item] + scorer_noise * random.standard_normal(),
                "guessing": random.standard_normal(),
            }
            study.add_item(item, (system, kind), scores=scores)
    for person in range(participants):
        severity = of_participant * random.standard_normal()
        for item, value in quality.items():
            rating = value + severity + of_rating * random.standard_normal()
            five = np.rint(rating + 0.5 * random.standard_normal(5)).clip(1, 5)
            study.rate(f"p{person}", item, five.astype(int).tolist())
    return study
