"""How a mashup was made, as plain values, and the command that makes it again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from mashnet.data.mixes.candidates import UNPITCHED_ROLE
from mashnet.files import plain_name
from mashnet.mashups.proposals import LibraryClip, Proposal
from mashnet.music.placement import Placement
from mashnet.music.placement_words import placement_words
from mashnet.music.song_facts import facts_of
from mashnet.music.tempo_levels import level_fraction
from mashnet.music.tunings import cents_to_fit, tuning_of
from mashnet.rendering.mashup import Mashup, Part, render_mashup, render_original
from mashnet.rendering.plan import PLACED
from mashnet.rendering.songs import SongOfLibrary, song_of_library

RECIPE_VERSION = 1
_NOT_PLACED = {"placement": None, "placed": ""}
_MAKERS = ("mashnet", "pylibrb", "numpy", "soxr", "soundfile")


def render(proposal: Proposal, *, technique: str, engine: str, workers: int | None = 1) -> Mashup:
    """Render a proposal as a whole mashup; an original is brought to a mashup's loudness.

    Args:
        proposal: what to render.
        technique: as in `mashnet.rendering.mashup.render_mashup`; engine and workers likewise.
            `PLACED` plays the proposal's placements, the others lay guests in their own way.
        engine: likewise.
        workers: likewise.

    Raises:
        ConfigError: if technique or engine is unknown, or a guest is to be placed and does not say
            where.
        AudioError: if a stem cannot be read.
        DatabaseError: if a clip has no stems.
    """
    base = song_of(proposal.base)
    if not proposal.guests:
        return render_original(base)
    guests = {role: song_of(guest.clip) for role, guest in proposal.guests.items()}
    return render_mashup(
        base,
        guests,
        technique=technique,
        engine=engine,
        workers=workers,
        tuned=proposal.tuned,
        placements=proposal.placements if technique == PLACED else None,
    )


def song_of(clip: LibraryClip) -> SongOfLibrary:
    """Return a clip as the renderer wants it."""
    song, _ = song_of_library(clip.database, clip.clip_id)
    return song


def recipe_of(proposal: Proposal, mashup: Mashup, *, technique: str, engine: str) -> dict[str, Any]:
    """Say how a mashup was made.

    Args:
        proposal: what it was rendered from.
        mashup: the result.
        technique: it was rendered with.
        engine: likewise.

    Returns:
        Plain values; technique, engine and command are empty for an original, loudness and peak
        None for silence.
    """
    base, *others = mashup.parts
    parts = {part.song.clip_id: part for part in others}
    placed = placed_of(proposal) if technique == PLACED else {}
    guests = []
    for role, guest in proposal.guests.items():
        part = parts.get(guest.clip.clip_id)
        if part is None or part.plan is None:
            continue  # it has nothing of that role; a warning says so
        stems = {stem.stem_id for stem in part.song.stems_named(role)}
        guests.append(
            {
                "role": role,
                **_clip(guest.clip, part, stems),
                "semitones": 0 if role == UNPITCHED_ROLE else part.plan.semitones,
                "cents": 0.0 if role == UNPITCHED_ROLE else part.plan.cents,
                "tempo_level": part.plan.tempo_level,
                "gain_db": part.gain_db,
                **placed.get(role, _NOT_PLACED),
            }
        )
    rendered = bool(proposal.guests)
    loudness = {"lufs": mashup.mastered.lufs, "true_peak_db": mashup.mastered.true_peak_db}
    channels, samples = mashup.audio.shape
    return {
        "recipe_version": RECIPE_VERSION,
        "base": _clip(proposal.base, base, {stem.stem_id for stem in base.stems}),
        "guests": guests,
        "technique": technique if rendered else "",
        "engine": engine if rendered else "",
        "sample_rate": mashup.sample_rate,
        "channels": channels,
        "samples": samples,
        "duration_s": samples / mashup.sample_rate,
        **{name: value if np.isfinite(value) else None for name, value in loudness.items()},
        "warnings": list(mashup.warnings),
        "made_with": _versions(),
        "command": command_of(proposal, technique=technique, engine=engine) if rendered else "",
    }


def placed_of(proposal: Proposal) -> dict[str, dict[str, Any]]:
    """Say where phrases are laid.

    Args:
        proposal: whose guests.

    Returns:
        Role → its placement as plain values (bars from 0), and the same in words (bars from 1); of
        guests that are placed.
    """
    base = facts_of(proposal.base.row)
    return {
        role: {
            "placement": asdict(guest.placement),
            "placed": placement_words(
                guest.placement, base, facts_of(guest.clip.row), pitched=role != UNPITCHED_ROLE
            ),
        }
        for role, guest in proposal.guests.items()
        if guest.placement
    }


def command_of(proposal: Proposal, *, technique: str, engine: str) -> str:
    """Return the line for a shell that renders the same mashup again.

    All clips must lie in one library, and one guest at most is placed; else it is empty.
    """
    clips = [proposal.base, *(guest.clip for guest in proposal.guests.values())]
    libraries = {_library(clip) for clip in clips}
    placements = list(proposal.placements.values()) if technique == PLACED else []
    if len(libraries) > 1 or len(placements) > 1:
        return ""
    could_be_tuned = technique != PLACED and any(
        cents_to_fit(tuning_of(guest.clip.row), tuning_of(proposal.base.row))
        for guest in proposal.guests.values()
    )
    guests = [f"{role}={guest.clip.clip_id}" for role, guest in proposal.guests.items()]
    settings = [
        f"library={libraries.pop()}",
        f"technique={technique}",
        *(typed for placement in placements for typed in _typed(placement)),
        f"engine={engine}",
        *(["tuning=off"] if could_be_tuned and not proposal.tuned else []),
        f"out={file_stem(proposal)}.wav",
    ]
    arguments = [f"base={proposal.base.clip_id}", *guests, *settings]
    return shlex.join(["python", "-m", "mashnet.render", *arguments])


def _typed(placement: Placement) -> list[str]:
    """Return a placement as it is typed: bars from 1."""
    return [
        f"guest_bar={placement.guest_bar + 1}",
        f"base_bar={placement.base_bar + 1}",
        f"bars={placement.bars}",
        f"semitones={placement.semitones}",
        f"cents={placement.cents!r}",
        f"tempo_level={level_fraction(placement.tempo_level)}",
    ]


def file_stem(proposal: Proposal) -> str:
    """Return a file name without suffix that says what is laid on what, in plain letters."""
    guests = dict.fromkeys(guest.clip.title for guest in proposal.guests.values())
    words = " on ".join([" and ".join(guests), proposal.base.title])
    return plain_name(words, "mashup")


def _library(clip: LibraryClip) -> str:
    """Return where a library lies, from wherever the recipe is read."""
    return str(clip.database.root.resolve())


def _clip(clip: LibraryClip, part: Part, stem_ids: set[str]) -> dict[str, Any]:
    row: Mapping[str, Any] = clip.row
    return {
        "clip_id": clip.clip_id,
        "song_id": clip.song_id,
        "title": clip.title,
        "artist": row["artist"] or "",
        "license": row["license"] or "",
        "library": _library(clip),
        "stems": [s.label or s.stem_id for s in part.stems if s.stem_id in stem_ids],
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _MAKERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a folder, not installed
            found[name] = "unknown"
    return found
