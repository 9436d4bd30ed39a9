"""A whole mashup: plans of all guests, stems laid together, loudness and peaks.

`render_mashup` is what most callers want. `render_original` gives an untouched song the same
loudness and peaks; `plan_parts` and `render_part` give what each song adds, apart from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.audio.limiter import TARGET_LUFS, Mastered, master
from mashnet.audio.stretch import require_beatwise, require_installed
from mashnet.data.roles import ACCOMPANIMENT, MUSIC
from mashnet.errors import ConfigError
from mashnet.music.placement import Placement
from mashnet.rendering.pieces import Mix, Pending, add_moved, add_untouched
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, RENDERING_ENGINE, GuestPlan, plan_guest
from mashnet.rendering.songs import SongOfLibrary, StemFile, without
from mashnet.rendering.workers import stretching

# The faster engine follows beats within 3 ms at a third of the finer one's cost; PEERS and
# `python -m benchmarks.stretch` have the figures of both.
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
    workers: int | None = 1,
    tuned: bool = True,
    placements: Mapping[str, Placement] | None = None,
) -> Mashup:
    """Put stems of guests in the place of the base's.

    Each name of a stem replaces what the base has of that name; all else of the base stays as it
    is. Guests are brought to the base's level, so that a soft recording is heard beside a loud one.

    Args:
        base: gives time, key and the stems nobody else gives.
        guests: name of a stem → the song it comes from; a song may give several.
        technique: of `mashnet.rendering.plan.TECHNIQUES`, or `PLACED` there.
        engine: one that follows key frames: pylibrb_r2, or pylibrb (finer, three times the time).
        workers: how many stretch at once; None: as many as there are cores, where that is worth
            it. More than one are processes: see `mashnet.rendering.workers`.
        tuned: whether a guest that is brought to the base's key is brought to its tuning, too.
        placements: for `PLACED`: clip id of each guest → where it is laid.

    Returns:
        The mashup. What a song lacks is in its warnings; what can be rendered is.

    Raises:
        ConfigError: if the technique or the engine is unknown, there is no guest, or a placement
            does not fit (`mashnet.rendering.plan.plan_guest`).
        AudioError: if a stem cannot be read.
    """
    require_installed(engine)
    require_beatwise(engine)
    if not guests:
        raise ConfigError("a mashup needs a guest: vocals=SONG, or bass=, drums=, other= …")
    parts, warnings = plan_parts(base, guests, technique, tuned=tuned, placements=placements)
    mix = _silence(base)
    _add(mix, parts, engine, workers)
    return _mastered(mix, parts, warnings)


def render_original(song: SongOfLibrary) -> Mashup:
    """Bring a song as it is to the loudness and peaks of a mashup: the level to compare with.

    Raises:
        AudioError: if a stem cannot be read.
    """
    part = Part(song, song.stems, None, 0.0)
    mix = _silence(song)
    for stem in song.stems:
        add_untouched(mix, stem.path, 1.0)
    return _mastered(mix, [part], [])


def render_part(
    part: Part,
    *,
    duration_s: float,
    sample_rate: int,
    engine: str = RENDERING_ENGINE,
    workers: int | None = 1,
) -> np.ndarray:
    """Render what one song adds to a mashup, before loudness and peaks are seen to.

    Args:
        part: of `plan_parts`, or of a mashup.
        duration_s: of the mashup: the base's.
        sample_rate: of the mashup: the base's, in Hz.
        engine: as in `render_mashup`.
        workers: how many stretch at once; None: as many as there are cores, where that is worth
            it. More than one are processes: see `mashnet.rendering.workers`.

    Returns:
        float32, shape (1 or 2, samples). Those of all parts add up to the mashup before mastering.

    Raises:
        ConfigError: if the engine is unknown.
        AudioError: if a stem cannot be read.
    """
    require_installed(engine)
    require_beatwise(engine)
    mix = Mix(round(duration_s * sample_rate), sample_rate)
    _add(mix, [part], engine, workers)
    return mix.audio


def plan_parts(
    base: SongOfLibrary,
    guests: Mapping[str, SongOfLibrary],
    technique: str = DEFAULT_TECHNIQUE,
    *,
    tuned: bool = True,
    placements: Mapping[str, Placement] | None = None,
) -> tuple[list[Part], list[str]]:
    """Say which stems come from which song, and plan every guest once.

    Args:
        base: and guests: as in `render_mashup`.
        guests: name of a stem → the song it comes from.
        technique: as in `render_mashup`; tuned and placements likewise.
        tuned: likewise.
        placements: likewise.

    Returns:
        The base's part first, then each guest's; and what was missing, one line each.

    Raises:
        ConfigError: if the technique is unknown, or a placement does not fit.
    """
    warnings: list[str] = []
    own = base.stems
    replaced: set[str] = set()
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
        replaced.add(name)
    whole = base.stems_named(ACCOMPANIMENT) if base.has(ACCOMPANIMENT) else ()
    if replaced >= set(MUSIC):
        own = without(own, whole)
    elif whole and replaced & set(MUSIC):
        (part,) = replaced & set(MUSIC)
        warnings.append(
            f"{base.title} has its music in one stem, {part} in it: it is heard beside the guest's"
        )
    parts = [Part(base, own, None, 0.0)]
    for song, stems in given.values():
        if not stems:
            continue
        placement = (placements or {}).get(song.clip_id)
        plan = plan_guest(base.facts, song.facts, technique, tuned=tuned, placement=placement)
        warnings += [line for line in plan.warnings if line not in warnings]
        gain_db = min(_MOST_GAIN_DB, max(-_MOST_GAIN_DB, base.level_db - song.level_db))
        parts.append(Part(song, tuple(stems), plan, gain_db))
    return parts, warnings


def _silence(base: SongOfLibrary) -> Mix:
    """Return a mix as long as a base, with nothing in it.

    Raises:
        ConfigError: if the base lasts no time.
    """
    samples = round(base.facts.duration_s * base.sample_rate)
    if samples < 1:
        raise ConfigError(f"{base.title} ({base.clip_id}) lasts no time: nothing can be laid on it")
    return Mix(samples, base.sample_rate)


def _add(mix: Mix, parts: Sequence[Part], engine: str, workers: int | None) -> None:
    """Add parts to a mix, in their order: sums are the same to the bit, however many work."""
    plans = [(part.plan, len(part.stems)) for part in parts if part.plan]
    sound_s = sum(count * (p.end_s - p.start_s) for plan, count in plans for p in plan.pieces)
    with stretching(workers, sound_s) as (executor, at_once):
        pending = Pending(mix, executor, at_once)
        for part in parts:
            gain = 10 ** (part.gain_db / 20)
            for stem in part.stems:
                if part.plan is None:
                    add_untouched(mix, stem.path, gain)
                    continue
                add_moved(
                    pending,
                    stem.path,
                    part.plan.pieces,
                    duration_s=part.song.facts.duration_s,
                    semitones=part.plan.shift.in_semitones if stem.pitched else 0,
                    pitched=stem.pitched,
                    gain=gain,
                    engine=engine,
                )
        pending.finish()


def _mastered(mix: Mix, parts: Sequence[Part], warnings: list[str]) -> Mashup:
    """Bring a mix to its loudness and peaks; say where that is not reached."""
    mastered = master(mix.audio, mix.sample_rate)
    if not np.isfinite(mastered.lufs):
        warnings.append("the mashup is silent, or too short to have a loudness")
    elif abs(mastered.lufs - TARGET_LUFS) > _NEAR_LU:
        warnings.append(
            f"the mashup has {mastered.lufs:.1f} LUFS instead of {TARGET_LUFS:.0f}: for more the "
            f"limiter would have to take away too much"
        )
    return Mashup(mix.audio, mix.sample_rate, tuple(parts), mastered, tuple(warnings))
