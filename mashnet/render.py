"""Render a mashup: python -m mashnet.render base=A vocals=B library=data/real out=mashup.wav.

A and B are clip ids, song ids or titles of the library, a MashupDB. Any stem may come from any
song: vocals=B bass=C drums=D "electric guitar"=E. What nobody else gives is the base's own.

With technique=placed a bar of the guest is laid on a bar of the base; bars are counted from 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mashnet.commands.small_program import read_arguments, run_program
from mashnet.commands.typed_placement import PLACEMENT_KEYS, PLACEMENT_USAGE, read_placement
from mashnet.errors import ConfigError, require_one_of
from mashnet.music.placement import Placement
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, PLACED, RENDERING_ENGINE, TECHNIQUES

USAGE = (
    "python -m mashnet.render base=SONG vocals=OTHER library=data/real out=mashup.wav "
    f"[bass=… drums=… other=…] [technique={'|'.join(TECHNIQUES)}] [engine=pylibrb_r2|pylibrb] "
    f"[tuning=on|off], or {PLACEMENT_USAGE}"
)
_DEFAULTS = {"technique": DEFAULT_TECHNIQUE, "engine": RENDERING_ENGINE, "tuning": "on"}
_NEEDED = ("base", "library", "out")


def main(arguments: list[str]) -> None:
    """Render one mashup and say what it is."""
    settings, stems, placement = _understood(arguments)
    # Imported here: what is mistyped is refused at once.
    from mashnet.audio.io import require_writable_sound, write_sound
    from mashnet.data.mashupdb import MashupDB
    from mashnet.music.placement_words import placement_words
    from mashnet.music.tempo_levels import level_name
    from mashnet.music.tunings import Shift
    from mashnet.rendering.mashup import render_mashup
    from mashnet.rendering.songs import song_of_library

    require_one_of("tuning", settings["tuning"], ("on", "off"))
    out = Path(settings["out"])
    database = MashupDB.open(settings["library"])
    warnings: list[str] = []
    songs = {}
    for name in dict.fromkeys([settings["base"], *stems.values()]):
        songs[name], found = song_of_library(database, name)
        warnings += found
    guests = {stem: songs[name] for stem, name in stems.items()}
    clips = {song.clip_id for song in guests.values()}
    if placement and len(clips) > 1:
        raise ConfigError(f"technique={PLACED} lays one song on another; {len(clips)} are named")
    require_writable_sound(out)
    mashup = render_mashup(
        songs[settings["base"]],
        guests,
        technique=settings["technique"],
        engine=settings["engine"],
        workers=None,
        tuned=settings["tuning"] == "on",
        placements=dict.fromkeys(clips, placement) if placement else None,
    )
    write_sound(out, mashup.audio, mashup.sample_rate)
    for line in [*warnings, *mashup.warnings]:
        print(f"warning: {line}", file=sys.stderr)
    for part in mashup.parts:
        labels = ", ".join(stem.label or stem.stem_id for stem in part.stems) or "nothing"
        moved = "as it is"
        if part.plan is not None:
            pitched = any(stem.pitched for stem in part.stems)
            shift = part.plan.shift if pitched else Shift(0, 0.0)
            cents = f" {shift.cents:+.0f} cents" if shift.cents else ""
            moved = f"{shift.semitones:+d} semitones{cents}, {part.gain_db:+.1f} dB"
            moved = ", ".join(filter(None, [moved, level_name(part.plan.tempo_level)]))
            if placement:
                facts = mashup.parts[0].song.facts, part.song.facts
                words = placement_words(placement, *facts, pitched=pitched)
                moved = f"{words}, {part.gain_db:+.1f} dB"
        print(f"{part.song.title} ({part.song.clip_id}): {labels}; {moved}")
    mastered = mashup.mastered
    print(
        f"{out}: {mashup.audio.shape[1] / mashup.sample_rate:.1f} s, {mastered.lufs:.1f} LUFS, "
        f"{mastered.true_peak_db:.1f} dBTP"
    )


def _understood(
    arguments: list[str],
) -> tuple[dict[str, str], dict[str, str], Placement | None]:
    """Return settings, which stem comes from which song, and where a phrase is laid."""
    given = _DEFAULTS | read_arguments(arguments, usage=USAGE, needed=_NEEDED)
    keys = (*_NEEDED, *_DEFAULTS)
    placing = {key: value for key, value in given.items() if key in PLACEMENT_KEYS}
    stems = {key: value for key, value in given.items() if key not in (*keys, *PLACEMENT_KEYS)}
    technique = given["technique"]
    if placing and technique != PLACED:
        named = ", ".join(f"{key}=…" for key in placing)
        raise ConfigError(f"technique={technique} takes no {named}; technique={PLACED} does")
    placement = read_placement(placing) if technique == PLACED else None
    return {key: given[key] for key in keys}, stems, placement


if __name__ == "__main__":
    run_program(main)
