"""Does the demo corpus pass for music? madmom's tempo and key against the truth, on the mixes.

python -m benchmarks.demo_realism db=data/demo [workers=2] [limit=0]

Prints one line per song and one JSON line: the share of songs whose tempo is within 4 %, of those
an octave or another metrical level away, and of those whose key is right, a neighbour, or wrong.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf
from tqdm import tqdm

from mashnet.audio.annotate import annotate
from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import MashnetError
from mashnet.music.keys import Key

TEMPO_TOLERANCE = 0.04
METRICAL_LEVELS = {"octave": (0.5, 2.0), "metre": (1 / 3, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 3.0)}


def tempo_verdict(estimated_bpm: float, true_bpm: float) -> str:
    """Return right, octave, metre (a ratio of two and three) or wrong."""
    ratio = estimated_bpm / true_bpm
    if abs(ratio - 1) <= TEMPO_TOLERANCE:
        return "right"
    for name, levels in METRICAL_LEVELS.items():
        if any(abs(ratio / level - 1) <= TEMPO_TOLERANCE for level in levels):
            return name
    return "wrong"


def key_verdict(estimated: Key, true: Key) -> str:
    """Return right, relative, parallel, fifth (same mode) or wrong."""
    if estimated == true:
        return "right"
    if estimated.relative_major_tonic == true.relative_major_tonic:
        return "relative"
    if estimated.tonic == true.tonic:
        return "parallel"
    if estimated.mode == true.mode and (estimated.tonic - true.tonic) % 12 in (5, 7):
        return "fifth"
    return "wrong"


def judge(mix: np.ndarray, sample_rate: int, tempo_bpm: float, key: Key) -> tuple[str, str, str]:
    """Return the two verdicts on a mix of shape (samples,), and a line that explains them."""
    heard = annotate(mix[None], sample_rate)
    tempo, tonality = tempo_verdict(heard.tempo_bpm, tempo_bpm), key_verdict(heard.key, key)
    line = (
        f"tempo {tempo_bpm:5.1f} heard {heard.tempo_bpm:5.1f} {tempo:7s} "
        f"key {key!s:9s} heard {heard.key!s:9s} ({heard.key_confidence:.2f}) {tonality}"
    )
    return tempo, tonality, line


def summary(verdicts: list[tuple[str, str]]) -> dict[str, object]:
    """Return both figures of realism, and the counts behind them."""
    tempo, key = (Counter(column) for column in zip(*verdicts, strict=True))
    return {
        "songs": len(verdicts),
        "tempo_agreement": round(tempo["right"] / len(verdicts), 4),
        "key_agreement": round(1 - key["wrong"] / len(verdicts), 4),
        "tempo": dict(tempo),
        "key": dict(key),
    }


def _judge_clip(root: Path, clip_id: str) -> tuple[str, str, str]:
    database = MashupDB.open(root)
    clip = database.clip_rows[clip_id]
    stems = [s for s in database.stem_rows.values() if s["clip_id"] == clip_id]
    audio = [read_audio(database.audio_path(s["stem_id"]), mono=True)[0][0] for s in stems]
    key = Key(clip["key_tonic"], clip["key_mode"])
    mix = np.stack(audio).sum(axis=0)
    tempo, tonality, line = judge(mix, clip["sample_rate"], clip["tempo_bpm"], key)
    return tempo, tonality, f"{clip['title']:36s} {line}"


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge(
        {"db": "data/demo", "workers": 2, "limit": 0}, OmegaConf.from_cli(arguments)
    )
    try:
        clips = MashupDB.open(options.db).clips["clip_id"].to_list()
    except MashnetError as error:
        sys.exit(f"error: {error}")
    clips = clips[: options.limit or None]
    # Spawned: a forked copy of the table reader's threads would never wake up.
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as executor:
        judged = executor.map(_judge_clip, [Path(options.db)] * len(clips), clips)
        verdicts = []
        for tempo, key, line in tqdm(judged, "songs", total=len(clips), unit="song"):
            verdicts.append((tempo, key))
            tqdm.write(line)
    print(json.dumps(summary(verdicts)))


if __name__ == "__main__":
    main(sys.argv[1:])
