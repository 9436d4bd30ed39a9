"""What is taken home: the sound as a file, and a recipe that makes it again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mashnet.audio.io import write_sound
from mashnet.mashups.proposals import Proposal
from mashnet.mashups.recipe import recipe_of, render
from mashnet.rendering.mashup import Mashup


@dataclass(frozen=True)
class Finished:
    """A mashup as a file, and how it was made; its samples are not held beside it.

    Attributes:
        wav: bytes of a WAV of 24 bits.
        recipe: of `mashnet.mashups.recipe`.
    """

    wav: bytes
    recipe: dict[str, Any]


def finished(proposal: Proposal, folder: Path, *, technique: str, engine: str) -> Finished:
    """Render a proposal; `folder` is for temporary files.

    Raises:
        MashnetError: as `mashnet.mashups.recipe.render` does.
    """
    mashup = render(proposal, technique=technique, engine=engine)
    recipe = recipe_of(proposal, mashup, technique=technique, engine=engine)
    return Finished(sound_file(mashup, folder, ".wav"), recipe)


def judged(
    recipe: dict[str, Any], proposal: Proposal, *, judge: str, score: float
) -> dict[str, Any]:
    """Return a recipe that also says who gave which score to what.

    Args:
        recipe: how the mashup was made.
        proposal: what was judged.
        judge: name or path of the Scorer.
        score: that it gave.
    """
    moved = {
        role: {
            "semitones": guest.semitones,
            "cents": guest.cents,
            "tempo_ratio": guest.tempo_ratio,
            "tempo_level": guest.tempo_level,
        }
        for role, guest in proposal.guests.items()
    }
    return {**recipe, "scorer": judge, "score": score, "scored_at": moved}


def sound_file(mashup: Mashup, folder: Path, suffix: str) -> bytes:
    """Return a mashup as the bytes of a sound file.

    Args:
        mashup: what to write.
        folder: of temporary files.
        suffix: .wav or .flac, 24 bits both.
    """
    path = folder / f"{uuid.uuid4().hex}{suffix}"
    try:
        write_sound(path, mashup.audio, mashup.sample_rate)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
