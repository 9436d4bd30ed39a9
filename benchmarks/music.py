"""The music that benchmarks work on: real stems where there are some, else the demo band's."""

from __future__ import annotations

import shutil
from pathlib import Path

from mashnet.audio.io import read_audio, write_flac
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.data.mashupdb import ROLES, MashupDB

LIBRARIES = (Path("data/stems"), Path("data/real"))
DEMO_SONGS = 16


def library(folder: Path) -> MashupDB:
    """Return a MashupDB of real songs; where there is none, of the demo corpus, made in `folder`.

    Args:
        folder: of the benchmark, where a demo corpus is kept.
    """
    for root in LIBRARIES:
        if (root / "manifest.json").is_file():
            return MashupDB.open(root)
    root = folder / "demo"
    if not (root / "manifest.json").is_file():
        from data_pipelines.demo.stage import make

        make(compose("demo", [f"out={root}", f"count={DEMO_SONGS}"], CONFIGS / "pipeline"))
    return MashupDB.open(root)


def write_songs(database: MashupDB, folder: Path, count: int, *, duration_s: float) -> None:
    """Write songs as folders of stems, all equally long, as `source=stems` takes them.

    Songs with all three roles come first, as mixes need them; where there are fewer songs than
    asked for they are cut once more from another place.

    Args:
        database: where the stems are from.
        folder: gets a folder per song; those that are there stay.
        count: songs.
        duration_s: of each.
    """
    rows = database.stems.partition_by("clip_id", as_dict=True)
    clips = database.clips.filter(database.clips["duration_s"] >= duration_s).sort("clip_id")
    songs = [
        (clip, rows[clip["clip_id"],].to_dicts())
        for clip in clips.iter_rows(named=True)
        if (clip["clip_id"],) in rows
    ]
    songs.sort(key=lambda song: {row["role"] for row in song[1]} != set(ROLES))
    for number in range(count):
        clip, stems = songs[number % len(songs)]
        song = folder / f"song {number:02d}"
        if song.is_dir():
            continue
        turn = number // len(songs)
        start_s = min(0.5 * turn, clip["duration_s"] - duration_s)
        making = folder / f".{song.name}"
        shutil.rmtree(making, ignore_errors=True)
        for stem in stems:
            path = database.audio_path(stem["stem_id"])
            audio, rate = read_audio(path, start_s=start_s, duration_s=duration_s)
            name = Path(stem["path"]).stem if stem["label"] is None else stem["label"]
            write_flac(making / f"{name.replace('/', ' ')}.flac", audio, rate)
        making.rename(song)


def write_part_of(database: MashupDB, root: Path, count: int) -> MashupDB:
    """Write a MashupDB of some songs of another: their rows and copies of their sound.

    Songs with all three roles come first. Every third is for validation.

    Args:
        database: where they are from.
        root: the new one; one that is there is left as it is.
        count: songs.
    """
    if (root / "manifest.json").is_file():
        return MashupDB.open(root)
    rows = database.stems.partition_by("clip_id", as_dict=True)
    clips = [clip for clip in database.clips.sort("clip_id").to_dicts() if clip["downbeats"]]
    roles = {clip["clip_id"]: set(rows[clip["clip_id"],]["role"]) for clip in clips}
    clips.sort(key=lambda clip: not set(ROLES) <= roles[clip["clip_id"]])
    chosen = clips[:count]
    for number, clip in enumerate(chosen):
        clip["split"] = "val" if number % 3 == 2 else "train"
    stems = [row for clip in chosen for row in rows[clip["clip_id"],].to_dicts()]
    for row in stems:
        target = root / row["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(database.audio_path(row["stem_id"]), target)
    part = MashupDB(root)
    part.write_table("clips", chosen)
    part.write_table("stems", stems)
    part.update_manifest(counts={"clips": len(chosen), "stems": len(stems)})
    return part
