"""The best mashups of a folder of songs: python -m mashnet.mashup songs=FOLDER out=mashups/.

Of a library that there is: library=DB in place of songs. A folder of songs becomes one first
(separation, analysis, sections), which takes in new songs when the program is run again.

PlaceNet compares every vocal with every accompaniment before anything is moved, and says which bars
of the one go on which of the other. A Scorer that is named hears the likeliest pairs, moved; the
best are rendered. Scores are kept in the library's cache and sound in the folder: the same command
goes on where it was stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mashnet.commands.small_program import read_arguments, run_program, whole_number
from mashnet.commands.stages import library_of_songs
from mashnet.errors import ConfigError
from mashnet.rendering.plan import PLACED, RENDERING_ENGINE, TECHNIQUES

USAGE = (
    "python -m mashnet.mashup songs=FOLDER|library=data/real out=mashups/ "
    "[scorer=checkpoints/alignnet] [source=stems|songs] [top=10] "
    f"[technique={'|'.join((PLACED, *TECHNIQUES))}] [engine=pylibrb_r2|pylibrb] "
    "[per_song=2] [judged=400] [max_semitones=3]"
)
_NEEDED = ("out",)
_OPTIONAL = ("songs", "library", "scorer", "source")
_NUMBERS = {"top": 10, "per_song": 2, "judged": 400, "max_semitones": 3}
_CHOICES = {"technique": PLACED, "engine": RENDERING_ENGINE}


def main(arguments: list[str]) -> None:
    """Choose, render, write the page, and say where it lies."""
    settings, numbers = _understood(arguments)
    library = settings.get("library") or str(Path(settings["out"]) / "library")
    if "songs" in settings:
        library_of_songs(Path(settings["songs"]), Path(library), settings.get("source"))
    # Imported here: what is mistyped is refused at once.
    from mashnet.data.mixes.candidates import Limits
    from mashnet.mashups.best import make_mashups
    from mashnet.pages import write_page

    chosen = make_mashups(
        library,
        settings.get("scorer"),
        settings["out"],
        top=numbers["top"],
        per_song=numbers["per_song"],
        judged=numbers["judged"],
        limits=Limits(max_semitones=numbers["max_semitones"]),
        technique=settings["technique"],
        engine=settings["engine"],
    )
    for line in chosen.failed:
        print(f"warning: {line}", file=sys.stderr)
    for row in chosen.rows:
        print(f"{row['rank']:3d}  {row['score']:8.4f}  {_described(row)}")
    if len(chosen.rows) < numbers["top"]:
        print(
            f"note: {len(chosen.rows)} instead of {numbers['top']}: a song is taken at most "
            f"{numbers['per_song']} times as base and as often as guest (per_song=…)"
        )
    if chosen.left_out:
        print(f"note: {chosen.left_out}")
    page = Path(settings["out"]) / "index.html"
    rows = chosen.rows
    judged = chosen.judged or chosen.proposed
    write_page(page, "mashnet.rendering", "mashups.html.j2", rows=rows, judged=judged)
    if chosen.technique != settings["technique"]:
        print(
            f"note: no two songs have bars that can be compared, so that nothing is placed: "
            f"technique={chosen.technique}"
        )
    if chosen.compared:
        print(f"note: {chosen.proposed} pairs were compared as they lie", end="")
        print(f", the likeliest {chosen.judged} heard moved (judged=…)" if chosen.judged else "")
    elif numbers["judged"] < chosen.proposed:
        print(
            f"note: of {chosen.proposed} pairs the {numbers['judged']} were heard whose vocals are "
            f"moved least (judged=…)"
        )
    print(f"written: {page}")


def _described(row: Mapping[str, Any]) -> str:
    guests = []
    for guest in row["guests"]:
        moved = guest.get("placed") or f"{guest['semitones']:+d}"
        guests.append(f"{guest['title']} ({guest['role']}, {moved})")
    return f"{row['base']['title']} with {', '.join(guests)}"


def _understood(arguments: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    allowed = (*_NEEDED, *_OPTIONAL, *_CHOICES, *_NUMBERS)
    given = read_arguments(arguments, usage=USAGE, allowed=allowed, needed=_NEEDED)
    if not {"songs", "library"} & set(given):
        raise ConfigError(f"songs=FOLDER or library=DB must be given; usage: {USAGE}")
    numbers = {
        key: whole_number(key, given[key], least=0 if key == "max_semitones" else 1)
        if key in given
        else default
        for key, default in _NUMBERS.items()
    }
    return _CHOICES | given, numbers


if __name__ == "__main__":
    run_program(main)
