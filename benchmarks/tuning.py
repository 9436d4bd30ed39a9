"""Whether songs are brought to each other's tuning: all ordered pairs of songs, and one moved song.

python -m benchmarks.tuning [root=../shared/corpus/songs] [songs=20] [seconds=12]

Pitched stems of each song are moved to each other song as a Scorer hears them (RenderedPart) and
as the renderer plays them, and their tuning is estimated again. Keys are made up, so that there
are semitones to shift by as well. Then one song is played faster or slower by -50 … +50 cents:
does the estimate follow, and is it brought back? Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from omegaconf import OmegaConf
from tqdm import tqdm

from data_pipelines.mashupdb.clip_tuning import tuning_columns
from mashnet.audio.io import read_audio, write_flac
from mashnet.audio.tuning import estimate_tuning
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits, Target, candidates_for
from mashnet.music.keys import Key
from mashnet.music.tunings import SURE, fold_cents, tuning_of
from mashnet.rendering.mashup import Part, render_part
from mashnet.rendering.plan import RENDERING_ENGINE, plan_guest
from mashnet.rendering.songs import song_of_library

RATE = 44100
ROLE = "harmonic"
GOAL_CENTS = 5.0
MOVES_CENTS = tuple(range(-50, 51, 10))


def pitched_sum(folder: Path, seconds: float) -> np.ndarray | None:
    """Return the sum of a song's stems but drums, (1, samples); None where that is silent."""
    stems = [
        read_audio(path, sample_rate=RATE, mono=True, start_s=0.0, duration_s=seconds + 12)[0]
        for path in sorted(folder.glob("*.ogg"))
        if path.stem != "drums"
    ]
    if not stems:
        return None
    total = np.zeros((1, max(stem.shape[1] for stem in stems)), np.float32)
    for stem in stems:
        total[:, : stem.shape[1]] += stem
    # Songs begin with less than they are.
    excerpt = total[:, 12 * RATE :] if total.shape[1] >= (12 + seconds) * RATE else total
    peak = float(np.abs(excerpt).max(initial=0.0))
    return excerpt / (2 * peak) if peak > 1e-3 else None


def library_of(root: Path, songs: dict[str, np.ndarray]) -> MashupDB:
    """Write songs as a MashupDB of one stem each, at 120 bpm and in made-up keys."""
    clips, stems = [], []
    for index, (name, audio) in enumerate(songs.items()):
        duration_s = audio.shape[1] / RATE
        beats = np.arange(0.0, duration_s, 0.5).tolist()
        path = f"audio/{name}/{ROLE}.flac"
        write_flac(root / path, audio, RATE)
        known = {"clip_id": name, "song_id": name, "title": name, "artist": "", "source": "corpus"}
        clips.append(
            {
                **known,
                **{"license": "", "duration_s": duration_s, "sample_rate": RATE, "section": ""},
                **{"tempo_bpm": 120.0, "beats": beats, "downbeats": beats[::4]},
                **{"beats_per_bar": 4, "key_tonic": 5 * index % 12, "key_mode": "major"},
                **{"key_confidence": 1.0, "split": "test"},
                **tuning_columns([ROLE], [audio]),
            }
        )
        stem = {"clip_id": name, "stem_id": f"{name}-{ROLE}", "role": ROLE, "label": "other"}
        stems.append({**stem, "path": path, "rms_db": -20.0, "active_ratio": 1.0})
    database = MashupDB(root)
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.update_manifest(counts={"clips": len(clips)})
    return MashupDB.open(root)


def pair_error_cents(database: MashupDB, base: str, guest: str, *, tuned: bool = True) -> Any:
    """Return how far a guest is from a base's tuning, as scored and as played, in cents."""
    row = database.clip_rows[base]
    target = Target(
        120.0, 0.0, Key(row["key_tonic"], "major"), row["duration_s"], 4, tuning_of(row)
    )
    limits = Limits(6, tuned=tuned)
    (candidate,) = candidates_for(
        target, database, (ROLE,), limits=limits, among={guest}, engine=RENDERING_ENGINE
    )
    scored = candidate.group[ROLE].waveform(RATE)[None]
    song, other = (song_of_library(database, name)[0] for name in (base, guest))
    plan = plan_guest(song.facts, other.facts, "tempo+key", tuned=tuned)
    assert (plan.semitones, plan.cents) == (candidate.semitones, candidate.cents)
    part = Part(other, other.stems, plan, 0.0)
    played = render_part(part, duration_s=song.facts.duration_s, sample_rate=RATE)
    errors = []
    for wave in (scored, played):
        heard = estimate_tuning(wave, RATE)
        errors.append(50.0 if heard is None else fold_cents(heard.cents - row["tuning_cents"]))
    return errors


def pairs_report(database: MashupDB) -> dict[str, Any]:
    """Measure all ordered pairs of a library's songs."""
    rows = database.clip_rows
    sure = {name for name, row in rows.items() if (row["tuning_confidence"] or 0) >= SURE}
    pairs = [pair for pair in permutations(rows, 2) if set(pair) <= sure]
    raw = [fold_cents(rows[a]["tuning_cents"] - rows[b]["tuning_cents"]) for a, b in pairs]
    errors = np.abs([pair_error_cents(database, a, b) for a, b in tqdm(pairs, disable=None)])
    report: dict[str, Any] = {
        "songs": len(rows),
        "sure": len(sure),
        "pairs": len(pairs),
        "off_a440_cents": {name: row["tuning_cents"] for name, row in rows.items()},
        "untuned_within_5_cents": round(float(np.mean(np.abs(raw) <= GOAL_CENTS)), 3),
    }
    for index, what in enumerate(("scored", "played")):
        of = errors[:, index]
        report[what] = {
            "within_5_cents": round(float(np.mean(of <= GOAL_CENTS)), 3),
            "median_cents": round(float(np.median(of)), 2),
            "worst_cents": round(float(of.max()), 2),
            "worst_pairs": [[*pairs[i], round(float(of[i]), 1)] for i in np.argsort(-of)[:5]],
        }
    return report


def moved_report(root: Path, song: np.ndarray) -> list[dict[str, float]]:
    """Move a song by -50 … +50 cents; say what is estimated, and where it is brought to."""
    moved = {
        f"by{c:+d}": soxr.resample(song[0], RATE, RATE / 2 ** (c / 1200))[None] for c in MOVES_CENTS
    }
    database = library_of(root, {"song": song, **moved})
    own = database.clip_rows["song"]["tuning_cents"]
    rows = []
    for cents in MOVES_CENTS:
        found = database.clip_rows[f"by{cents:+d}"]["tuning_cents"]
        scored, played = pair_error_cents(database, "song", f"by{cents:+d}")
        followed = fold_cents(found - own - cents)
        rows.append(
            {"moved": cents, "estimate_off": followed, "scored_off": scored, "played_off": played}
        )
    return [{name: round(float(value), 2) for name, value in row.items()} for row in rows]


def main(arguments: list[str]) -> None:
    """Measure and print."""
    defaults = {"root": "../shared/corpus/songs", "songs": 20, "seconds": 12}
    options = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    folders = sorted(path for path in Path(options.root).iterdir() if path.is_dir())
    spread = np.linspace(0, len(folders) - 1, options.songs).round().astype(int)
    songs: dict[str, np.ndarray] = {}
    passed: list[str] = []
    for index in spread:
        for folder in folders[index:]:
            if folder.name in (*songs, *passed):
                continue
            excerpt = pitched_sum(folder, options.seconds)
            found = None if excerpt is None else estimate_tuning(excerpt, RATE)
            if excerpt is not None and found and found.confidence >= SURE:
                songs[folder.name] = excerpt
                break
            passed.append(folder.name)  # the next one is taken: nobody moves an unsure song
    with tempfile.TemporaryDirectory() as kept:
        database = library_of(Path(kept) / "pairs", songs)
        report = pairs_report(database)
        rows = database.clip_rows
        name = max(rows, key=lambda clip_id: rows[clip_id]["tuning_confidence"] or 0)
        moved = moved_report(Path(kept) / "moved", songs[name])
        print(
            json.dumps(
                {**report, "passed_over": passed, "moved_song": name, "moved": moved}, indent=1
            )
        )


if __name__ == "__main__":
    main(sys.argv[1:])
