"""Do the measures of mashups hear what they are made for?

python -m benchmarks.mashup_measures [library=data/real] [songs=60] [seed=0]

Songs of a library are originals: their voice and their music belong together. Each is measured as
it is, and with its voice moved: by semitones (key clash), by half a sixteenth, or another song's
voice in its place (onsets), made softer (masking). A measure that is worth something tells the
two apart: its AUC is printed, with means and medians, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from mashnet.audio.io import read_audio
from mashnet.audio.stretch import stretch
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.song_clips import clips_with
from mashnet.evaluation.mashup_measures.key_clash import key_clash
from mashnet.evaluation.mashup_measures.onset_grid import onset_error_s
from mashnet.evaluation.mashup_measures.spectral_balance import masked_share
from mashnet.rendering.plan import RENDERING_ENGINE

RATE = 22_050  # Hz
LONGEST_S = 45.0
SHIFTS = (1, -1, 6)  # semitones
GAINS_DB = (-12, -6, 6, 12)


def layer(database: MashupDB, clip_id: str, role: str) -> np.ndarray:
    """Return all stems of a role together, mono, (samples,)."""
    waves = [
        read_audio(database.audio_path(stem["stem_id"]), sample_rate=RATE, mono=True)[0][0]
        for stem in database.sounding_stems[clip_id][role]
    ]
    samples = min(round(LONGEST_S * RATE), *map(len, waves))
    return np.sum([wave[:samples] for wave in waves], axis=0)


def moved(voice: np.ndarray, semitones: int) -> np.ndarray:
    """Return a voice at another pitch."""
    ends = ((0, 0), (len(voice), len(voice)))
    shifted = stretch(
        voice[None], RATE, keyframes=ends, semitones=semitones, engine=RENDERING_ENGINE
    )
    return shifted[0]


def measured(database: MashupDB, clip_id: str, other_id: str) -> dict[str, float]:
    """Measure one song as it is, and with its voice moved."""
    layers = {role: layer(database, clip_id, role) for role in ROLES}
    samples = min(map(len, layers.values()))
    voice, harmonic, percussion = (layers[role][:samples] for role in ROLES)
    music = harmonic + percussion
    beats_s = np.asarray(database.clip_rows[clip_id]["beats"] or ())
    row = {"key_clash": key_clash(voice, harmonic, RATE)}
    row |= {f"key_clash{s:+d}": key_clash(moved(voice, s), harmonic, RATE) for s in SHIFTS}
    row["masked"] = masked_share(voice, music, RATE)
    for gain_db in GAINS_DB:
        gain = np.float32(10 ** (gain_db / 20))
        row[f"masked{gain_db:+d}dB"] = masked_share(gain * voice, music, RATE)
    if len(beats_s) > 1:
        sixteenth_s = float(np.median(np.diff(beats_s))) / 4
        late = np.roll(voice, round(sixteenth_s / 2 * RATE))
        other = layer(database, other_id, "vocal")[:samples]
        row["onset_error_ms"] = 1e3 * onset_error_s(voice, music, RATE, beats_s)
        row["onset_error_ms_late"] = 1e3 * onset_error_s(late, music, RATE, beats_s)
        row["onset_error_ms_of_another"] = 1e3 * onset_error_s(other, music, RATE, beats_s)
        row["onset_error_ms_by_chance"] = 1e3 * sixteenth_s / 4
    return row


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Return mean, median and number of each figure, and how well it is told from the first."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = np.array([row.get(name, np.nan) for row in rows])
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        figures = {"mean": known.mean(), "median": np.median(known)}
        found[name] = {key: round(float(value), 3) for key, value in figures.items()}
        found[name]["n"] = len(known)
        first = next(n for n in ("key_clash", "masked", "onset_error_ms") if name.startswith(n))
        if name not in (first, "onset_error_ms_by_chance"):
            own = np.array([row.get(first, np.nan) for row in rows])
            both = np.isfinite(own) & np.isfinite(values)
            truth = np.repeat([0, 1], both.sum())
            auc = roc_auc_score(truth, np.concatenate([own[both], values[both]]))
            found[name]["auc"] = round(float(auc), 3)
    return found


def main(arguments: list[str]) -> None:
    """Measure and print."""
    defaults = {"library": "data/real", "songs": 60, "seed": 0}
    options = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    database = MashupDB.open(options.library)
    clips = clips_with(database, ROLES, split="all", which="one")
    generator = np.random.default_rng(options.seed)
    chosen = generator.permutation(clips)[: options.songs].tolist()
    others = [*chosen[1:], chosen[0]]
    pairs = list(zip(chosen, others, strict=True))
    bar = tqdm(pairs, desc="measuring", unit="song", disable=None)
    rows = [measured(database, clip_id, other_id) for clip_id, other_id in bar]
    print(json.dumps({"songs": len(rows), **summary(rows)}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
