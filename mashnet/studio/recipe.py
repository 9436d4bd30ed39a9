"""What is taken home: the sound as a file, and a recipe that makes it again."""

from __future__ import annotations

import platform
import re
import shlex
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mashnet.audio.io import write_sound
from mashnet.audio.limiter import Mastered
from mashnet.data.song_clips import VOCAL
from mashnet.rendering.mashup import Mashup, Part, render_mashup, render_original
from mashnet.rendering.proposals import LibraryClip, Proposal
from mashnet.rendering.songs import SongOfLibrary, song_of_library

RECIPE_VERSION = 1
_MAKERS = ("mashnet", "pylibrb", "numpy", "soxr", "soundfile")


@dataclass(frozen=True)
class Finished:
    """A mashup as a file, and what is to be said of it; its samples are not held beside it.

    Attributes:
        wav: bytes of a WAV of 24 bits.
        sample_rate: in Hz.
        channels: 1 or 2.
        samples: of each channel.
        parts: the base first, then each guest.
        mastered: loudness and peaks.
        warnings: what was missing, one line each.
    """

    wav: bytes
    sample_rate: int
    channels: int
    samples: int
    parts: tuple[Part, ...]
    mastered: Mastered
    warnings: tuple[str, ...]


def finished(mashup: Mashup, folder: Path) -> Finished:
    """Return a mashup as a file; `folder` is for temporary files."""
    channels, samples = mashup.audio.shape
    return Finished(
        sound_file(mashup, folder, ".wav"),
        mashup.sample_rate,
        channels,
        samples,
        mashup.parts,
        mashup.mastered,
        mashup.warnings,
    )


def render(proposal: Proposal, *, technique: str, engine: str) -> Mashup:
    """Render a proposal as a whole mashup.

    Raises:
        ConfigError: if technique or engine is unknown.
        AudioError: if a stem cannot be read.
        DatabaseError: if a clip has no stems.
    """
    guests = {role: song_of(guest.clip) for role, guest in proposal.guests.items()}
    return render_mashup(song_of(proposal.base), guests, technique=technique, engine=engine)


def render_alone(clip: LibraryClip) -> Mashup:
    """Bring a song of the library to a mashup's loudness, to compare by ear."""
    return render_original(song_of(clip))


def song_of(clip: LibraryClip) -> SongOfLibrary:
    """Return a clip as the renderer wants it."""
    song, _ = song_of_library(clip.database, clip.clip_id)
    return song


def recipe_of(
    proposal: Proposal,
    mashup: Finished,
    *,
    technique: str,
    engine: str,
    judge: str,
    score: float,
) -> dict[str, Any]:
    """Say how a mashup was made, as plain values.

    Args:
        proposal: what it was rendered from.
        mashup: the result.
        technique: and engine: it was rendered with.
        engine: of `mashnet.audio.stretch`.
        judge: name or path of the Scorer.
        score: that it gave.
    """
    base, *guests = mashup.parts
    return {
        "recipe_version": RECIPE_VERSION,
        "library": _library(proposal),
        "technique": technique,
        "engine": engine,
        "base": _clip(proposal.base, base),
        "guests": [
            {
                "role": role,
                **_clip(guest.clip, part),
                "semitones": part.plan.semitones if part.plan else 0,
                "gain_db": part.gain_db,
            }
            for role, guest in proposal.guests.items()
            for part in guests
            if part.song.clip_id == guest.clip.clip_id
        ],
        "scorer": judge,
        "score": score,
        "scored_at": {
            role: {"semitones": guest.semitones, "tempo_ratio": guest.tempo_ratio}
            for role, guest in proposal.guests.items()
        },
        "sound": {
            "sample_rate": mashup.sample_rate,
            "channels": mashup.channels,
            "samples": mashup.samples,
            "lufs": mashup.mastered.lufs,
            "true_peak_db": mashup.mastered.true_peak_db,
        },
        "warnings": list(mashup.warnings),
        "made_with": _versions(),
        "command": command_of(proposal, technique=technique, engine=engine),
    }


def command_of(proposal: Proposal, *, technique: str, engine: str) -> str:
    """Return the line for a shell that renders the same mashup again."""
    guests = [f"{role}={guest.clip.clip_id}" for role, guest in proposal.guests.items()]
    settings = [
        f"library={_library(proposal)}",
        f"technique={technique}",
        f"engine={engine}",
        f"out={file_stem(proposal)}.wav",
    ]
    arguments = [f"base={proposal.base.clip_id}", *guests, *settings]
    return shlex.join(["python", "-m", "mashnet.render", *arguments])


def file_stem(proposal: Proposal) -> str:
    """Return a file name without suffix that says what is sung over what, in plain letters."""
    guest = proposal.guests[VOCAL].clip
    words = f"{guest.title} on {proposal.base.title}"
    return re.sub(r"[^0-9A-Za-z]+", "-", words).strip("-").lower()[:80] or "mashup"


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


def _library(proposal: Proposal) -> str:
    """Return where the library lies, from wherever the recipe is read."""
    return str(proposal.base.database.root.resolve())


def _clip(clip: LibraryClip, part: Part) -> dict[str, Any]:
    row: Mapping[str, Any] = clip.row
    return {
        "clip_id": clip.clip_id,
        "song_id": clip.song_id,
        "title": clip.title,
        "artist": row["artist"] or "",
        "license": row["license"] or "",
        "stems": [stem.label or stem.stem_id for stem in part.stems],
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _MAKERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a folder, not installed
            found[name] = "unknown"
    return found
