"""What a stem is by its sound, where its name says nothing: drums, bass, other pitched, or a voice.

A logistic regression of the twelve numbers of `mashnet.audio.timbre`, fitted and measured by
`python -m benchmarks.guessed_roles`, which also writes the table. It says nothing where it is not
sure, where several play at once, and of sounds unlike all of their class that it was fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from data_pipelines.mashupdb import role_table
from data_pipelines.rejects import reject_row
from data_pipelines.sources.song import RawStem, printable
from mashnet.audio.timbre import SAMPLE_RATE_HZ, timbre_of

# Part of the cache's keys: another number makes songs with guessed stems be written again.
GUESS_VERSION = 1
SEVERAL = "several"  # instruments at once: that is no role
# As source.roles has them. What is pitched is harmonic: it does not take the singer's place.
KINDS = {"drums": "percussion", "bass": "harmonic", "harmonic": "harmonic", "voice": "vocal"}
_WORDS = {
    "drums": "drums",
    "bass": "a bass",
    "harmonic": "a pitched instrument",
    "voice": "a voice",
}
_BEYOND = (
    0.05  # of the range of a number in its class: so far outside it (white noise) it is no such
)


@dataclass(frozen=True)
class Guess:
    """What a stem seems to be.

    Attributes:
        what: drums, bass, harmonic or voice; "" where it is not sure.
        probability: of it, or of the likeliest; 0 for a sound unlike any.
    """

    what: str
    probability: float

    @property
    def kind(self) -> str:
        """The kind as `RawStem.kind` has it; "" where it is not sure."""
        return KINDS.get(self.what, "")


def guess_by_sound(audio: np.ndarray, sample_rate: int) -> Guess:
    """Return what a stem seems to be.

    Args:
        audio: shape (channels, samples), of any level.
        sample_rate: in Hz.
    """
    mono = audio.mean(axis=0, dtype=np.float32)
    return guess_of(timbre_of(soxr.resample(mono, sample_rate, SAMPLE_RATE_HZ)))


def guess_of(timbre: np.ndarray) -> Guess:
    """Return what a stem seems to be by the numbers of `mashnet.audio.timbre`."""
    logits = np.array(role_table.COEFFICIENTS) @ timbre + np.array(role_table.INTERCEPTS)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = int(shares.argmax())
    what, probability = role_table.CLASSES[best], float(shares[best])
    lowest, highest = np.array(role_table.LOWEST[best]), np.array(role_table.HIGHEST[best])
    beyond = _BEYOND * (highest - lowest)
    if np.any(timbre < lowest - beyond) or np.any(timbre > highest + beyond):
        return Guess("", 0.0)
    sure_from = role_table.VOICE_FROM if what == "voice" else role_table.SURE_FROM
    return Guess(what if probability >= sure_from and what != SEVERAL else "", probability)


def guessed_kinds(
    stems: Sequence[RawStem], audio: Sequence[np.ndarray], sample_rate: int
) -> tuple[list[str], list[dict[str, str]]]:
    """Return the kinds of a song's stems, guessed where their names say nothing.

    Args:
        stems: those that are used.
        audio: theirs, each of shape (channels, samples).
        sample_rate: in Hz.

    Returns:
        A kind for each stem, and a row for the rejects for each that was guessed.
    """
    kinds, rows = [], []
    for stem, sound in zip(stems, audio, strict=True):
        guess = guess_by_sound(sound, sample_rate) if is_unnamed(stem) else Guess("", 0.0)
        kinds.append(guess.kind or stem.kind)
        if guess.kind:
            called = printable(stem.path.stem)
            likely = f"{_WORDS[guess.what]} ({100 * guess.probability:.0f} %)"
            reason = f"'{called}' matches no pattern of source.roles; by its sound it is {likely}"
            rows.append(reject_row(stem.origin, "roles", f"{reason}, and used as such"))
    return kinds, rows


def is_unnamed(stem: RawStem) -> bool:
    """Return whether neither a name nor meta.json says what a stem is."""
    return stem.unnamed and not stem.kind
