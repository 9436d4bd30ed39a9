"""The demo corpus: python -m data_pipelines.demo out=data/demo.

A synthetic band composes and plays short songs, and this stage writes them as a MashupDB: one clip
per song, five stems, and the exact truth. What the tables have no column for (chords, swing, style)
lies in annotations/<clip_id>.json. That file is written last, so that a song is
done when, and only when, it has one; it also says what the song was made from.
"""

from __future__ import annotations

import functools
import importlib.metadata
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from data_pipelines import synth
from data_pipelines.synth.song import ROLES, Song, synthesise_song
from mashnet.audio.io import write_flac
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import ANNOTATED
from mashnet.data.splits import split_of
from mashnet.errors import ConfigError, DatabaseError, MashnetError, require_one_of
from mashnet.execution.executor import DIED
from mashnet.execution.local import LocalExecutor
from mashnet.files import (
    content_id,
    file_digest,
    remove_folder,
    remove_leftovers,
    write_json,
)
from mashnet.storage.contained_paths import inside, is_plain_name, place
from mashnet.storage.paths import file_sizes, root_of
from mashnet.storage.regular_files import read_json

CONFIG_DIR = CONFIGS / "pipeline"
ARTIST = "The Demo Band"
LICENSE = "CC0-1.0"


def make(config: DictConfig) -> MashupDB:
    """Make what is missing of the corpus that `config` (configs/pipeline/demo.yaml) describes.

    Raises:
        ConfigError: if count or workers is out of range, or there is no such form.
        DatabaseError: if another stage made the database that is there.
    """
    require_one_of("form", config.form, ("short", "whole"))
    if config.count < 1:
        raise ConfigError(f"count={config.count} must be at least 1")
    if config.workers < 0:
        raise ConfigError(f"workers={config.workers} must be 0 (one per core) or more")
    root = root_of(config.out)
    if (root / "manifest.json").is_file() and "demo" not in MashupDB(root).manifest:
        raise DatabaseError(
            f"{root} is a database, but none of the demo corpus; it would be overwritten. Name "
            "another folder"
        )
    root.mkdir(parents=True, exist_ok=True)
    remove_leftovers(root)
    generator = generator_digest()
    origin = {"seed": config.seed, "form": config.form, "generator": generator}
    done = _finished_songs(root, origin)
    missing = [index for index in range(config.count) if index not in done]
    started_s = time.perf_counter()
    if missing:
        tasks = [(root, origin, index) for index in missing]
        made = LocalExecutor(config.workers).run(
            _make_one, tasks, label="songs", died=_process_died
        )
        done |= dict(zip(missing, made, strict=True))
    database = MashupDB(root)
    _write_tables(database, config, generator, [done[i] for i in range(config.count)])
    if missing:
        took_s = time.perf_counter() - started_s
        sizes = file_sizes(root)
        size_mb = sum(sizes[name] for name in sizes if name.endswith(".flac")) / 1e6
        kept = config.count - len(missing)
        print(
            f"{root}: made {len(missing)} songs in {took_s:.0f} s"
            + (f", {kept} were there already" if kept else "")
            + f"; {size_mb:.0f} MB of FLAC"
        )
    else:
        print(f"{root}: all {config.count} songs are there already, nothing to do")
    return database


@functools.cache
def generator_digest() -> str:
    """Return a hash of the band's source code: songs of another band are made anew."""
    folder = Path(synth.__file__).parent
    return content_id(*(file_digest(path) for path in sorted(folder.glob("*.py"))))


def _finished_songs(root: Path, origin: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the annotations of finished songs by index; remove those of an older band."""
    finished = {}
    for path in sorted(place(root, "annotations").glob("*.json")):
        try:
            annotation = read_json(path)
            made_from = annotation["made_from"]
            clip_id = annotation["clip"]["clip_id"]
            stems = [inside(root, row["path"], "a stem") for row in annotation["stems"]]
            if clip_id != path.stem or not is_plain_name(clip_id):
                raise ValueError("it is of another song")
            index, of_this_band = made_from["index"], made_from["generator"] == origin["generator"]
            if type(index) is not int:
                raise ValueError("its number is none")
            complete = made_from.items() >= origin.items() and all(map(Path.is_file, stems))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, DatabaseError):
            continue  # damaged: the song is made again, and this file with it
        if not of_this_band:
            path.unlink()
            remove_folder(root, "audio", path.stem)
        elif complete:
            finished[index] = annotation
    return finished


def _make_one(task: tuple[Path, dict[str, Any], int]) -> dict[str, Any]:
    return make_song(*task)


def _process_died(task: tuple[Path, dict[str, Any], int]) -> dict[str, Any]:
    raise MashnetError(f"song {task[2]}: {DIED}; the same command goes on, workers=1 needs least")


def split_group(seed: int, index: int) -> str:
    """Return what decides a song's split: its number, so that a better band moves none."""
    return f"demo song {index} of seed {seed}"


def make_song(root: Path, origin: dict[str, Any], index: int) -> dict[str, Any]:
    """Make one song, write its stems, then its annotation; return the annotation.

    Args:
        root: the database's folder.
        origin: what the song is made from: seed, form and generator.
        index: its number.
    """
    seed = origin["seed"]
    song = synthesise_song(seed, index, whole=origin["form"] == "whole")
    stem_ids = {
        name: content_id("stem", np.round(audio * 32767).astype("<i2").tobytes())
        for name, audio in song.stems.items()
    }
    clip_id = content_id("clip", *stem_ids.values())
    folder = f"audio/{clip_id}"
    for name, audio in song.stems.items():
        path = place(root, "audio", clip_id, f"{name}.flac")
        write_flac(path, audio[None], song.sample_rate)
    annotation = {
        "made_from": {**origin, "index": index},
        "style": song.style,
        "swing": song.swing,
        "sections": [asdict(section) for section in song.sections],
        "chords": [asdict(chord) for chord in song.chords],
        "clip": {
            "clip_id": clip_id,
            "song_id": content_id("song", clip_id),
            "title": song.title,
            "artist": ARTIST,
            "source": "demo",
            "license": LICENSE,
            "duration_s": song.duration_s,
            "sample_rate": song.sample_rate,
            "tempo_bpm": song.tempo_bpm,
            "beats": list(song.beats),
            "downbeats": list(song.downbeats),
            "beats_per_bar": song.beats_per_bar,
            "key_tonic": song.key.tonic,
            "key_mode": song.key.mode,
            "key_confidence": 1.0,
            "section": "",  # the clip is the whole song
            "split": split_of(split_group(seed, index)),
            "tuning_cents": 0.0,
            "tuning_confidence": 1.0,
            "group": split_group(seed, index),
        },
        "stems": [
            {
                "clip_id": clip_id,
                "stem_id": stem_ids[name],
                "role": ROLES[name],
                "label": song.labels[name],
                "path": f"{folder}/{name}.flac",
                **_activity(song, name),
            }
            for name in song.stems
        ],
    }
    write_json(place(root, "annotations", f"{clip_id}.json"), annotation)
    return annotation


def _activity(song: Song, name: str) -> dict[str, float]:
    """Return the stem's level, and the share of tenths of a second in which it sounds."""
    audio = song.stems[name].astype(np.float64)
    block = song.sample_rate // 10
    power = (audio[: audio.size // block * block].reshape(-1, block) ** 2).mean(axis=1)
    return {
        "rms_db": round(float(10 * np.log10(np.mean(audio**2) + 1e-12)), 3),
        "active_ratio": round(float(np.mean(power > 1e-6)), 4),  # -60 dB of full scale
    }


def _write_tables(
    database: MashupDB, config: DictConfig, generator: str, songs: list[dict[str, Any]]
) -> None:
    """Write tables and manifest, unless they say all this already."""
    with database.changing():
        _write_what_differs(database, config, generator, songs)


def _write_what_differs(
    database: MashupDB, config: DictConfig, generator: str, songs: list[dict[str, Any]]
) -> None:
    existed = (database.root / "manifest.json").is_file()
    clips = [song["clip"] for song in songs]
    stems = [stem for song in songs for stem in song["stems"]]
    sections = [
        {"clip_id": song["clip"]["clip_id"], "origin": ANNOTATED, **section}
        for song in songs
        for section in song["sections"]
    ]
    counts = {"clips": len(clips), "stems": len(stems)}
    versions = {
        name: importlib.metadata.version(name)
        for name in ("mashnet", "numpy", "scipy", "soundfile")
    }
    settings = {"seed": config.seed, "count": config.count, "form": config.form}
    entries = {
        "demo": {"config": settings, "generator": generator},
        "counts": {**(database.entry("counts") or {}), **counts} if existed else counts,
        "tools": {**(database.entry("tools") or {}), **versions} if existed else versions,
    }
    if existed and all(database.manifest.get(k) == v for k, v in entries.items()):
        return
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.write_table("sections", sections)
    database.write_table("rejects", [])
    database.update_manifest(**entries)
