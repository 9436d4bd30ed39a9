"""A small library of real songs: excerpts with exact beats, and sections of four bars."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mashnet.audio.io import read_audio, write_flac
from mashnet.audio.levels import rms_db
from mashnet.data.mashupdb import MashupDB

EXCERPT_S = 24.0
# Sequenced, with exact bars, of four tempi and two metres; and a studio band in stereo, with no
# annotation of beats.
SONGS = (
    "midi-openmsx__be-sharp-bw-redfarn",
    "midi-openmsx__busy-schedule",
    "lmms__alf42red-mauiwowi",
    "lmms__settel-innerrecreation",
    "fof-muldjord__armygeddon",
)
STEREO = "fof-muldjord__armygeddon"
_ROLES = {"vocals": "vocal", "lead": "vocal", "drums": "percussion", "backing": ""}


@pytest.fixture(scope="session")
def corpus_library(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    """Return the library; song ids are those of the corpus. Keys are made up, to be moved."""
    database = MashupDB(tmp_path_factory.mktemp("corpus library"))
    clips, stems, sections = [], [], []
    for index, song_id in enumerate(SONGS):
        meta = json.loads((corpus / "songs" / song_id / "meta.json").read_text("utf-8"))
        beats, bar = np.zeros(0), 4
        if "bar_duration_s" in meta:
            beat_s = 60 / meta["bpm_exact"]
            bar = round(meta["bar_duration_s"] / beat_s)
            beats = np.arange(meta["first_bar_time_s"], EXCERPT_S, beat_s)
            starts = [*beats[:: 4 * bar], EXCERPT_S]
            sections += [
                {
                    "clip_id": song_id,
                    "start_s": float(start),
                    "end_s": float(end),
                    "label": ("verse", "chorus")[number % 2],
                    "origin": "annotated",
                }
                for number, (start, end) in enumerate(pairwise(starts))
            ]
        clips.append(
            {
                "clip_id": song_id,
                "song_id": song_id,
                "title": meta["title"],
                "artist": meta["artist"],
                "source": meta["source"],
                "license": meta["licence"],
                "duration_s": EXCERPT_S,
                "sample_rate": 44100,
                "tempo_bpm": meta.get("bpm_exact", 0.0),
                "beats": beats.tolist(),
                "downbeats": beats[::bar].tolist(),
                "beats_per_bar": bar,
                "key_tonic": (5 * index) % 12,
                "key_mode": ("major", "minor")[index % 2],
                "key_confidence": 1.0,
                "section": "",
                "split": "test",
            }
        )
        for file in sorted((corpus / "songs" / song_id).glob("*.ogg")):
            audio, rate = read_audio(file, sample_rate=44100, duration_s=EXCERPT_S)
            path = f"audio/{song_id}/{file.stem}.flac"
            write_flac(database.root / path, audio, rate)
            stems.append(
                {
                    "clip_id": song_id,
                    "stem_id": f"{song_id} {file.stem}",
                    "role": _ROLES.get(file.stem, "harmonic"),
                    "label": file.stem,
                    "path": path,
                    "rms_db": rms_db(audio),
                    "active_ratio": 1.0,
                }
            )
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.write_table("sections", sections)
    database.update_manifest(counts={"clips": len(clips), "stems": len(stems)})
    return database
