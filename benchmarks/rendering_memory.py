"""How much memory the program that renders one mashup takes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rendered_songs import long_enough
from mashnet.audio.io import read_audio, write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.files import content_id
from mashnet.rendering.songs import SongOfLibrary


def measure_memory(songs: Sequence[SongOfLibrary]) -> dict[str, Any]:
    """Render three minutes with the program; return its peak in MB."""
    full = [s for s in songs if len(s.stems) >= 3 and long_enough(s)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "long"
        library = MashupDB(root)
        clips, stems = [], []
        for index, song in enumerate(full[:3]):
            length_s = 180.0
            facts = song.facts
            period_s = float(np.median(np.diff(facts.beats_s)))
            beats = np.arange(facts.beats_s[0], length_s, period_s).tolist()
            clip_id = content_id("long", index)
            clip = dict.fromkeys(library.clips.columns)
            clip |= {"clip_id": clip_id, "song_id": clip_id, "title": f"long {index}"}
            clip |= {"duration_s": length_s, "sample_rate": 44100, "beats": beats}
            clip |= {"downbeats": beats[::4], "beats_per_bar": 4}
            clip |= {"key_tonic": 3 * index, "key_mode": "major"}
            clips.append(clip)
            for number in range(4):
                stem = song.stems[number % len(song.stems)]
                audio = read_audio(stem.path, sample_rate=44100, mono=True)[0]
                audio = np.tile(audio, (2, 1 + 180 * 44100 // audio.shape[1]))[:, : 180 * 44100]
                audio[1] *= 0.8
                path = f"audio/{clip_id}/{number}.flac"
                write_flac(root / path, audio, 44100)
                label = ("vocals", "bass", "drums", "other")[number]
                role = ("vocal", "harmonic", "percussion", "harmonic")[number]
                row: dict[str, Any] = {"clip_id": clip_id, "stem_id": f"{clip_id}{number}"}
                row |= {"role": role}
                row |= {"label": label, "path": path, "rms_db": -20.0, "active_ratio": 1.0}
                stems.append(row)
        library.write_table("clips", clips)
        library.write_table("stems", stems)
        library.update_manifest(counts={"clips": 3, "stems": 12})
        out = Path(folder) / "out.wav"
        command = [sys.executable, "-m", "mashnet.render", "base=long 0", "vocals=long 1"]
        command += ["bass=long 2", f"library={root}", f"out={out}"]
        # Started by a small process, whose children are this one program.
        program = (
            "import json, resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
            "capture_output=True); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *command], capture_output=True, text=True, check=True
        )
    return {"minutes": 3, "stems": 4, "peak_memory_mb": round(int(done.stdout) / 2**10)}
