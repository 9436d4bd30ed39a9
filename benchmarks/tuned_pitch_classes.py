"""Does it help to read pitch classes relative to a song's tuning? Measured on songs in stems.

python -m benchmarks.tuned_pitch_classes [root=../shared/corpus/songs] [every=2]

Keys have no truth here: a key is counted as right where the first half of a song gives the second
half's (of the same song, so it is mostly the same), and where a song that is played 35 cents too
fast or too slow keeps its name. Ranking: the mean chroma, and the chroma frame by frame, of each
song's lead stem among the other pitched stems of all songs; its own should come first. Prints one
JSON object: plain, and read relative to the estimated tuning where that is sure.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from omegaconf import OmegaConf
from tqdm import tqdm

from mashnet.audio.annotate import recognise_key
from mashnet.audio.descriptors import SAMPLE_RATE, chromagram
from mashnet.audio.io import read_audio
from mashnet.audio.tuning import estimate_tuning
from mashnet.models.rules.keytempo import estimate_key
from mashnet.music.keys import Key
from mashnet.music.tunings import SURE

RATE = 44100
MOVED_CENTS = 35
CHUNK_S = 20.0


def played(audio: np.ndarray, cents: float, rate: int) -> np.ndarray:
    """Return (samples,) as a tape that runs faster by so many cents."""
    return soxr.resample(audio, rate, rate / 2 ** (cents / 1200)) if cents else audio


def sure_cents(audio: np.ndarray) -> float:
    """Return a song's tuning, or 0 where it is not sure."""
    found = estimate_tuning(audio[None], RATE)
    return found.cents if found and found.confidence >= SURE else 0.0


def by_network(audio: np.ndarray) -> Key:
    """Return madmom's key."""
    return recognise_key(audio)[0]


def by_template(audio: np.ndarray) -> Key | None:
    """Return the key of the rule keytempo."""
    wave = soxr.resample(audio, RATE, SAMPLE_RATE)
    return estimate_key(chromagram(wave).mean(dim=1).numpy())


def relative(key: Key | None) -> int | None:
    """Return what decides about shifts: the tonic of the relative major."""
    return None if key is None else key.relative_major_tonic


def keys_report(songs: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Compare keys of halves, and of songs that are moved, with and without tuning."""
    readers: dict[str, Callable[[np.ndarray], Key | None]] = {
        "madmom": by_network,
        "keytempo": by_template,
    }
    found: dict[str, dict[str, list[bool]]] = {}
    for lead, rest in tqdm(songs.values(), desc="keys", disable=None):
        total = lead + rest
        half = len(total) // 2
        own = sure_cents(total)
        for name, read in readers.items():
            for how, cents in (("plain", 0.0), ("tuned", own)):
                of = found.setdefault(f"{name} {how}", {})
                halves = [
                    relative(read(played(part, -cents, RATE)))
                    for part in (total[:half], total[half:])
                ]
                of.setdefault("halves agree", []).append(halves[0] == halves[1])
                if abs(own) > 10:
                    of.setdefault("halves agree, off by more than 10 cents", []).append(
                        halves[0] == halves[1]
                    )
            # Moved to A440 first, so that the move is all that is off.
            straight = played(total, -own, RATE)
            name_there = relative(read(straight))
            for move in (-MOVED_CENTS, MOVED_CENTS):
                moved = played(straight, move, RATE)
                for how, cents in (("plain", 0.0), ("tuned", sure_cents(moved))):
                    same = relative(read(played(moved, -cents, RATE))) == name_there
                    of = found[f"{name} {how}"]
                    of.setdefault(f"name kept at ±{MOVED_CENTS} cents", []).append(same)
    return {
        name: {what: f"{np.mean(hits):.3f} of {len(hits)}" for what, hits in of.items()}
        for name, of in found.items()
    }


def ranking_report(songs: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Rank each song's own accompaniment among all by chroma alone, with and without tuning."""
    vectors: dict[str, dict[str, list[np.ndarray]]] = {}
    for lead, rest in songs.values():
        length = round(CHUNK_S * RATE)
        cents = sure_cents(lead + rest)
        for how, moved in (("plain", 0.0), ("tuned", cents)):
            for side, wave in (("query", lead), ("own", rest)):
                chunk = soxr.resample(played(wave[:length], -moved, RATE), RATE, SAMPLE_RATE)
                chroma = chromagram(chunk).numpy()[:, :180]
                mean = chroma.mean(axis=1)
                frames = chroma - chroma.mean(axis=0)
                for kind, vector in (("mean", mean - mean.mean()), ("frames", frames.ravel())):
                    vectors.setdefault(f"{kind} {how}", {}).setdefault(side, []).append(
                        vector / max(float(np.linalg.norm(vector)), 1e-9)
                    )
    report = {}
    for name, of in vectors.items():
        scores = np.stack(of["query"]) @ np.stack(of["own"]).T
        ranks = (scores >= np.diag(scores)[:, None]).sum(axis=1)
        report[name] = {
            "top_1": round(float(np.mean(ranks == 1)), 3),
            "mean_rank": round(float(ranks.mean()), 2),
            "of": len(ranks),
        }
    return report


def songs_of(root: Path, every: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return lead and the sum of other pitched stems, each (samples,), of songs with both."""
    songs = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir())[::every]:
        stems = {p.stem: p for p in folder.glob("*.ogg") if p.stem != "drums"}
        name = next((n for n in ("vocals", "lead", "guitar", "other") if n in stems), None)
        if name is None or len(stems) < 2:
            continue
        waves = {k: read_audio(p, sample_rate=RATE, mono=True)[0][0] for k, p in stems.items()}
        length = min(map(len, waves.values()))
        lead = waves.pop(name)[:length]
        songs[folder.name] = lead, np.sum([wave[:length] for wave in waves.values()], axis=0)
    return songs


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge(
        {"root": "../shared/corpus/songs", "every": 2}, OmegaConf.from_cli(arguments)
    )
    songs = songs_of(Path(options.root), options.every)
    print(
        json.dumps(
            {"songs": len(songs), "ranking": ranking_report(songs), "keys": keys_report(songs)},
            indent=1,
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
