"""The questions that listeners answer about each clip.

Five dimensions on a scale from 1 to 5, as in the published test of mashability, whose tables call
them O, H, R, T and I. The wording is ours, and so is the reading of T and I as timbre and
instrumentation. It stands in the test's own `test.json`, where it may be changed or translated
before anybody has answered.
"""

from __future__ import annotations

from dataclasses import dataclass

LOWEST, HIGHEST = 1, 5


@dataclass(frozen=True)
class Question:
    """One question with a scale.

    Attributes:
        name: the column of the ratings.
        letter: short for it in tables.
        text: what is asked.
        low: what 1 means.
        high: what 5 means.
    """

    name: str
    letter: str
    text: str
    low: str
    high: str


QUESTIONS = (
    Question("overall", "O", "All in all, how good is this piece?", "bad", "excellent"),
    Question(
        "harmony",
        "H",
        "Do its parts go together in harmony: key, chords, melody?",
        "they clash",
        "they fit",
    ),
    Question(
        "rhythm",
        "R",
        "Are its parts together in rhythm: beat, tempo, groove?",
        "they fall apart",
        "they lock in",
    ),
    Question(
        "timbre",
        "T",
        "Do the sounds of its parts blend, as if from one recording?",
        "they stay apart",
        "they blend",
    ),
    Question(
        "instrumentation",
        "I",
        "Do these voices and instruments suit each other?",
        "ill chosen",
        "well chosen",
    ),
)
QUESTION_NAMES = tuple(question.name for question in QUESTIONS)
HEARD_TEXT = "Have you heard this before?"
HEARD = {"yes": "yes", "no": "no", "unsure": "not sure"}  # value in the ratings → on the page
