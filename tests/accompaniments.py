"""A MashupDB in which every second song has its music in one stem."""

from pathlib import Path

from mashnet.audio.io import read_audio, write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.data.roles import MUSIC
from tests.conftest import make_tiny_database


def database_with_accompaniments(root: Path, *, songs: int = 4) -> MashupDB:
    """Write it: of songs 1, 3, … harmonic and percussion are one stem, an accompaniment."""
    database = make_tiny_database(root, songs=songs)
    rows = []
    for number, clip in enumerate(database.clips.iter_rows(named=True)):
        own = [s for s in database.stems.iter_rows(named=True) if s["clip_id"] == clip["clip_id"]]
        stems = {stem["role"]: stem for stem in own}
        if number % 2 == 1:
            waves = [read_audio(database.root / stems[role]["path"]) for role in MUSIC]
            music = {**stems["harmonic"], "role": "accompaniment", "label": "instrumental"}
            music["stem_id"], music["path"] = f"{music['stem_id'][:-1]}f", f"audio/{number}.flac"
            write_flac(database.root / music["path"], waves[0][0] + waves[1][0], waves[0][1])
            own = [stems["vocal"], music]
        rows += own
    database.write_table("stems", rows)
    return MashupDB.open(database.root)
