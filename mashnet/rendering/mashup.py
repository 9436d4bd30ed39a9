"""A whole mashup: plans of all guests, stems laid together, loudness and peaks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mashnet.audio.limiter import TARGET_LUFS, Mastered, master
from mashnet.audio.stretch import require_beatwise, require_installed
from mashnet.errors import ConfigError
from mashnet.rendering.pieces import Mix, add_moved, add_untouched
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, GuestPlan, plan_guest
from mashnet.rendering.songs import SongOfLibrary, StemFile, without

# The faster engine follows beats within 3 ms at a third of the finer one's cost; PEERS and
# `python -m benchmarks.stretch` have the figures of both.
RENDERING_ENGINE = "pylibrb_r2"
_MOST_GAIN_DB = 12.0  # by which a guest is made louder or softer to meet the base
_NEAR_LU = 0.5  # a loudness this far off is worth a warning


@dataclass(frozen=True)
class Part:
    """What one song gives to a mashup.

    Attributes:
        song: the song.
        stems: those of its stems that sound.
        plan: how it is moved; None for the base.
        gain_db: on all of its stems.
    """

    song: SongOfLibrary
    stems: tuple[StemFile, ...]
    plan: GuestPlan | None
    gain_db: float


@dataclass(frozen=True)
class Mashup:
    """A mashup and how it was made.

    Attributes:
        audio: float32, shape (1 or 2, samples): as long as the base's clip, no sample beyond ±1.
        sample_rate: the base's, in Hz.
        parts: the base first, then each guest.
        mastered: its loudness and peaks, as measured.
        warnings: what was missing, one line each.
    """

    audio: np.ndarray
    sample_rate: int
    parts: tuple[Part, ...]
    mastered: Mastered
    warnings: tuple[str, ...]


def render_mashup(
    base: SongOfLibrary,
    guests: Mapping[str, SongOfLibrary],
    *,
    technique: str = DEFAULT_TECHNIQUE,
    engine: str = RENDERING_ENGINE,
    threads: int | None = None,
) -> Mashup:
    """Put stems of guests in the place of the base's.

    Each name of a stem replaces what the base has of that name; all else of the base stays as it
    is. Guests are brought to the base's level, so that a soft recording is heard beside a loud one.

    Args:
        base: gives time, key and the stems nobody else gives.
        guests: name of a stem → the song it comes from; a song may give several.
        technique: of `mashnet.rendering.plan.TECHNIQUES`.
        engine: one that follows key frames: pylibrb_r2, or pylibrb (finer, three times the time).
        threads: how many stretch at once; None takes as many as there are cores.

    Returns:
        The mashup. What a song lacks is in its warnings; what can be rendered is.

    Raises:
        ConfigError: if the technique or the engine is unknown, or there is no guest.
        AudioError: if a stem cannot be read.
    """
    require_installed(engine)
    require_beatwise(engine)
    if not guests:
        raise ConfigError("a mashup needs a guest: vocals=SONG, or bass=, drums=, other= …")
    warnings: list[str] = []
    parts = _parts(base, guests, technique, warnings)
    mix = Mix(round(base.facts.duration_s * base.sample_rate), base.sample_rate)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as workers:
        for part in parts:
            gain = 10 ** (part.gain_db / 20)
            for stem in part.stems:
                if part.plan is None:
                    add_untouched(mix, stem.path, gain)
                    continue
                add_moved(
                    mix,
                    stem.path,
                    part.plan.pieces,
                    duration_s=part.song.facts.duration_s,
                    semitones=part.plan.semitones if stem.pitched else 0,
                    pitched=stem.pitched,
                    gain=gain,
                    engine=engine,
                    workers=workers,
                )
    mastered = master(mix.audio, mix.sample_rate)
    if not np.isfinite(mastered.lufs):
        warnings.append("the mashup is silent, or too short to have a loudness")
    elif abs(mastered.lufs - TARGET_LUFS) > _NEAR_LU:
        warnings.append(
            f"the mashup has {mastered.lufs:.1f} LUFS instead of {TARGET_LUFS:.0f}: for more the "
            f"limiter would have to take away too much"
        )
    return Mashup(mix.audio, mix.sample_rate, tuple(parts), mastered, tuple(warnings))


def _parts(
    base: SongOfLibrary,
    guests: Mapping[str, SongOfLibrary],
    technique: str,
    warnings: list[str],
) -> list[Part]:
    """Say which stems come from which song, and plan every guest once."""
    own = base.stems
    given: dict[str, tuple[SongOfLibrary, list[StemFile]]] = {}
    for name, song in guests.items():
        _, stems = given.setdefault(song.clip_id, (song, []))
        named = without(song.stems_named(name), stems)
        if not song.stems_named(name):
            has = ", ".join(dict.fromkeys(stem.label or stem.stem_id for stem in song.stems))
            warnings.append(
                f"{song.title} has no {name} (it has {has}): {base.title} keeps its own"
            )
            continue
        stems += named
        own = without(own, base.stems_named(name))
    parts = [Part(base, own, None, 0.0)]
    for song, stems in given.values():
        if not stems:
            continue
        plan = plan_guest(base.facts, song.facts, technique)
        warnings += [line for line in plan.warnings if line not in warnings]
        gain_db = min(_MOST_GAIN_DB, max(-_MOST_GAIN_DB, base.level_db - song.level_db))
        parts.append(Part(song, tuple(stems), plan, gain_db))
    return parts
