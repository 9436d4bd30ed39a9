"""What tables a MashupDB has: their columns and types, and the words that some columns hold.

Conventions: times are in seconds from the start of the clip; paths are relative to the
database's root, with forward slashes; ids are content hashes (`mashnet.files.content_id`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

SCHEMA_VERSION = 1
SPLITS = ("train", "val", "test")
ANNOTATED = "annotated"  # the origin of sections that a source knew
CONDITIONS = ("original", "matched", "unmatched_key", "unmatched_tempo", "unmatched_key_tempo")

SCHEMAS: dict[str, dict[str, Any]] = {
    "clips": {
        "clip_id": pl.String,
        "song_id": pl.String,
        "title": pl.String,
        "artist": pl.String,
        "source": pl.String,
        "license": pl.String,
        "duration_s": pl.Float64,
        "sample_rate": pl.Int64,
        "tempo_bpm": pl.Float64,
        "beats": pl.List(pl.Float64),  # seconds
        "downbeats": pl.List(pl.Float64),  # seconds, a subset of beats
        "beats_per_bar": pl.Int64,
        "key_tonic": pl.Int64,  # pitch class, C = 0
        "key_mode": pl.String,  # major | minor
        "key_confidence": pl.Float64,  # 0..1; 1 for an exact annotation
        "section": pl.String,
        "split": pl.String,
        "tuning_cents": pl.Float64,  # off A440, in (-50, 50]; null without pitched stems
        "tuning_confidence": pl.Float64,  # 0..1, see mashnet.music.tunings
        "group": pl.String,  # artist or package: songs of one group are never in two splits
    },
    "stems": {
        "clip_id": pl.String,
        "stem_id": pl.String,
        "role": pl.String,
        "label": pl.String,
        "path": pl.String,
        "rms_db": pl.Float64,
        "active_ratio": pl.Float64,
        "role_guessed": pl.Boolean,  # by ear, since the name says nothing
    },
    # Rows of a clip are in order of time; data_pipelines.structure writes what no source knew.
    "sections": {
        "clip_id": pl.String,
        "start_s": pl.Float64,
        "end_s": pl.Float64,
        "label": pl.String,  # one of mashnet.music.sections.LABELS
        "origin": pl.String,  # annotated | all-in-one | estimated
    },
    # One recipe per row; mashnet.data.mixes.recipes says what each field means.
    "mixes": {
        "mix_id": pl.String,
        "condition": pl.String,
        "vocal": pl.List(pl.String),
        "harmonic": pl.List(pl.String),
        "percussion": pl.List(pl.String),
        "semitones": pl.Int64,
        "ratio_h": pl.Float64,
        "ratio_p": pl.Float64,
        "offset_s": pl.Float64,
        "offset_role": pl.String,
        "common_semitones": pl.Int64,
        "common_ratio": pl.Float64,
        "stretch": pl.String,
        "artefact_control": pl.Boolean,
        "duration_s": pl.Float64,
        "seed": pl.Int64,
        "split": pl.String,
    },
    # One bar of one clip, as sound in 2 s; mashnet.data.loops.loops says what each field means.
    "loops": {
        "loop_id": pl.String,
        "clip_id": pl.String,
        "bar": pl.Int64,  # of the clip, from 0: where the sound is from
        "kind": pl.String,  # drum | bass | harmonic
        "path": pl.String,
        "snr_db": pl.Float64,  # of the loop as an estimate of the whole bar
        "split": pl.String,
        "song_id": pl.String,
        "hash": pl.String,  # average hash of its spectrogram, 16 hexadecimal digits
        "layout": pl.List(pl.Float64),  # how strong it is in each bar of the clip, 0..1
        "bar_s": pl.Float64,  # length of the bar before it was stretched to 2 s
    },
    "pairs": {
        "pair_id": pl.String,
        "loop_a": pl.String,
        "loop_b": pl.String,
        "label": pl.Int64,  # 1: they sound together in a clip; 0: a negative
        "strategy": pl.String,  # together | random | selected | reverse | shift | rearrange
        "params": pl.String,  # JSON: how loop_b is changed, see mashnet.data.loops.loops
        "split": pl.String,
    },
    "rejects": {"input": pl.String, "stage": pl.String, "reason": pl.String},
}
# Columns that earlier versions did not write, and what they hold in the tables of these.
ADDED: dict[str, dict[str, Any]] = {
    "clips": {"tuning_cents": None, "tuning_confidence": None, "group": None},
    "stems": {"role_guessed": False},
}
