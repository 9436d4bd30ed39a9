"""Whether rendered pairs are right: loudness, length, beats and splices, measured in the sound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.rendered_songs import stem_to_give
from mashnet.audio.io import read_audio
from mashnet.audio.limiter import CEILING_DB
from mashnet.rendering.beat_lags import beat_lags_s
from mashnet.rendering.mashup import Part, render_mashup, render_part
from mashnet.rendering.plan import GuestPlan, plan_guest
from mashnet.rendering.songs import SongOfLibrary


def splice_jumps(layer: np.ndarray, sample_rate: int, plan: GuestPlan) -> tuple[float, float]:
    """Return the largest step between two samples near splices, and anywhere else."""
    steps = np.abs(np.diff(layer, axis=1)).max(axis=0)
    near = np.zeros(len(steps), bool)
    for piece in plan.pieces:
        for time_s in (piece.start_s, piece.end_s):
            at = round(time_s * sample_rate)
            near[max(0, at - sample_rate // 20) : max(0, at)] = True
    return float(steps[near].max(initial=0)), float(steps[~near].max(initial=0))


def check_pair(base: SongOfLibrary, guest: SongOfLibrary, *, listen: bool) -> dict[str, Any]:
    """Render one pair and measure it; `listen`: also where its beats and splices are."""
    name = stem_to_give(guest)
    made = render_mashup(base, {name: guest}, technique="structure+key")
    if not np.isfinite(made.audio).all() or np.abs(made.audio).max() >= 1:
        raise ValueError("clipped or not finite")
    beat_s = float(np.median(np.diff(base.facts.beats_s)))
    off_s = made.audio.shape[1] / made.sample_rate - base.facts.duration_s
    row: dict[str, Any] = {
        "lufs": made.mastered.lufs,
        "true_peak_db": made.mastered.true_peak_db,
        "length_off_beats": abs(off_s) / beat_s,
    }
    if listen:
        stem = guest.stems_named(name)[0]
        plan = plan_guest(base.facts, guest.facts, "structure+key")
        layer = render_part(
            Part(guest, (stem,), plan, 0.0),
            duration_s=base.facts.duration_s,
            sample_rate=base.sample_rate,
        )
        original, rate = read_audio(stem.path, sample_rate=base.sample_rate)
        lags_s = beat_lags_s(original, layer, rate, plan, base.facts, guest.facts)
        near, elsewhere = splice_jumps(layer, rate, plan)
        row |= {"lags_ms": (1e3 * lags_s).round(1).tolist(), "jump": near / max(elsewhere, 1e-6)}
    return row


def check_pairs(songs: Sequence[SongOfLibrary], every: int, path: Path) -> dict[str, Any]:
    """Render all ordered pairs and measure them; those that `path` has rows of are done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    known = [json.loads(line) for line in lines]
    rows = {(row["base"], row["guest"]): row for row in known}
    pairs = [(a, b) for a in songs for b in songs if a is not b]
    for index, (base, guest) in enumerate(tqdm(pairs, "pairs", unit="pair")):
        ids = base.clip_id, guest.clip_id
        if ids in rows:
            continue
        try:
            row = check_pair(base, guest, listen=index % every == 0)
        except Exception as error:
            row = {"failure": f"{base.title} + {guest.title}: {type(error).__name__}: {error}"}
        rows[ids] = {"base": ids[0], "guest": ids[1], **row}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[ids]) + "\n")
    return summary([rows[a.clip_id, b.clip_id] for a, b in pairs], len(songs))


def summary(rows: Sequence[dict[str, Any]], num_songs: int) -> dict[str, Any]:
    """Put the rows of pairs together."""
    made = [row for row in rows if "failure" not in row]
    lufs, peaks = (np.array([row[name] for row in made]) for name in ("lufs", "true_peak_db"))
    listened = [row for row in made if "jump" in row]
    lags = [np.abs(row["lags_ms"]) for row in listened if len(row["lags_ms"]) >= 8]
    medians = np.array([np.median(pair) for pair in lags])
    together = np.concatenate(lags) if lags else np.zeros(0)
    return {
        "songs": num_songs,
        "pairs": len(rows),
        "failures": [row["failure"] for row in rows if "failure" in row],
        "lufs_median": round(float(np.median(lufs)), 2),
        "lufs_within_half": round(float(np.mean(np.abs(lufs + 14) < 0.5)), 3),
        "true_peak_db_max": round(float(peaks.max()), 2),
        "above_ceiling": int(np.sum(peaks > CEILING_DB + 1e-3)),
        "length_off_beats_max": round(max(row["length_off_beats"] for row in made), 4),
        "listened_pairs": len(listened),
        "pairs_with_beats": len(lags),
        "beats": len(together),
        "beat_error_ms_median": round(float(np.median(together)), 1),
        "beats_within_25_ms": round(float(np.mean(together <= 25)), 3),
        "pair_median_ms_worst": round(float(medians.max()), 1),
        "pairs_median_within_25_ms": round(float(np.mean(medians <= 25)), 3),
        # Where two sounds meet at full level a splice may have larger steps than the rest.
        "splice_jump_over_largest_elsewhere": round(max(row["jump"] for row in listened), 2),
    }
