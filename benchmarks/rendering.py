"""Renders mashups of real songs: is it right, how fast beside AutoMashup's way, how much memory?

python -m benchmarks.rendering [library=data/stems] [songs=20] [speed_pairs=6] [every=4]
                               [parts=[pairs,speed,memory]] [out=results/rendering]

Three parts, each with a progress bar, into rendering.json and rendering.md:

pairs:  all ordered pairs of `songs` songs, technique structure+key. Counts failures, and measures
        loudness, true peak and length of each; of every `every`-th pair also where the guest's
        beats lie in the sound, and the largest jump between two samples near a splice.
speed:  CPU seconds of whole mashups (read, move, mix, loudness, write), for all four techniques,
        beside AutoMashup's way on the same material: one process of the rubberband program per
        stem and segment, and one more where the key changes, through 16-bit files.
memory: the peak of the program python -m mashnet.render, three minutes, four stereo stems of the
        base and two of guests.

A run that is killed goes on with the pairs that pairs.jsonl lacks; delete it after a change.
Where the library has no sections, eight bars are a section, verses and choruses in turn.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
from omegaconf import OmegaConf
from scipy.io import wavfile
from tqdm import tqdm

from benchmarks.results import publish
from mashnet.audio.io import read_audio, write_flac, write_sound
from mashnet.audio.limiter import CEILING_DB
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError
from mashnet.files import content_id
from mashnet.music.sections import Section
from mashnet.rendering.beat_lags import beat_lags_s
from mashnet.rendering.mashup import Part, render_mashup, render_part
from mashnet.rendering.plan import TECHNIQUES, GuestPlan, plan_guest
from mashnet.rendering.songs import SongOfLibrary, song_of_library, without

BARS_PER_SECTION = 8


# --- what is rendered


def songs_of(database: MashupDB, count: int) -> list[SongOfLibrary]:
    """Return songs evenly spread over the library, one clip each, with sections."""
    clips: dict[str, str] = {}
    for row in database.clips.sort("source", "title").iter_rows(named=True):
        clips.setdefault(row["song_id"], row["clip_id"])
    chosen = list(clips.values())
    spread = np.linspace(0, len(chosen) - 1, min(count, len(chosen))).round().astype(int)
    return [with_sections(song_of_library(database, chosen[i])[0]) for i in spread]


def with_sections(song: SongOfLibrary) -> SongOfLibrary:
    """Return a song with its sections, or with eight bars each."""
    facts = song.facts
    if facts.sections or len(facts.downbeats_s) < 2:
        return song
    starts = list(facts.downbeats_s[::BARS_PER_SECTION])
    ends = [*starts[1:], facts.duration_s]
    sections = tuple(
        Section(start, end, ("verse", "chorus")[index % 2])
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    )
    return replace(song, facts=replace(facts, sections=sections))


def stem_to_give(song: SongOfLibrary) -> str:
    """Return the name of the stem that a song gives to others."""
    for name in ("vocals", "drums", "other"):
        if song.stems_named(name):
            return name
    return song.stems[0].label


# --- whether it is right


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


# --- AutoMashup's way


def rubberband(audio: np.ndarray, sample_rate: int, *arguments: str) -> np.ndarray:
    """Pass a sound through the rubberband program as pyrubberband does: 16-bit files."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.wav", Path(folder) / "out.wav"
        wavfile.write(source, sample_rate, (np.clip(audio, -1, 1) * 32767).astype(np.int16).T)
        subprocess.run(
            ["rubberband", "-q", *arguments, str(source), str(target)],
            check=True,
            capture_output=True,
        )
        _, samples = wavfile.read(target)
    return (samples.reshape(len(samples), -1).T / 32768).astype(np.float32)


def rubberband_moved(
    audio: np.ndarray, sample_rate: int, rate: float, semitones: int
) -> np.ndarray:
    """Repitch, then stretch: two processes, as AutoMashup does it."""
    if semitones:
        audio = rubberband(audio, sample_rate, "--pitch", str(semitones))
    if rate != 1.0:
        audio = rubberband(audio, sample_rate, "--tempo", str(rate))
    return audio


def automashup_way(
    base: SongOfLibrary, guests: dict[str, SongOfLibrary], technique: str, out: Path
) -> None:
    """Render as AutoMashup does: stem by stem, segment by segment, one process each.

    What is compared is cost: sections are matched as here, keys are folded as here.
    """
    rate = base.sample_rate
    length = round(base.facts.duration_s * rate)
    own = base.stems
    layers = []
    for name, guest in guests.items():
        own = without(own, base.stems_named(name))
        semitones = plan_guest(base.facts, guest.facts, technique).semitones
        tempo = _tempo(base) / _tempo(guest)
        for stem in guest.stems_named(name):
            audio = read_audio(stem.path, sample_rate=rate)[0]
            if technique.startswith("tempo"):
                start = round(guest.facts.downbeats_s[0] * rate)
                layers.append(rubberband_moved(audio[:, start:], rate, tempo, semitones))
                continue
            seen: dict[str, int] = {}
            for section in base.facts.sections:
                same = [s for s in guest.facts.sections if s.label == section.label]
                if not same:
                    continue
                other = same[seen.get(section.label, 0) % len(same)]
                seen[section.label] = seen.get(section.label, 0) + 1
                cut = audio[:, round(other.start_s * rate) : round(other.end_s * rate)]
                moved = rubberband_moved(cut, rate, tempo, semitones)
                wanted = round((section.end_s - section.start_s) * rate)
                moved = np.tile(moved, (1, -(-wanted // max(1, moved.shape[1]))))[:, :wanted]
                layers.append(np.pad(moved, ((0, 0), (round(section.start_s * rate), 0))))
    layers += [read_audio(stem.path, sample_rate=rate)[0] for stem in own]
    channels = max((layer.shape[0] for layer in layers), default=1)
    mix = np.zeros((channels, length), np.float32)
    for layer in layers:
        end = min(length, layer.shape[1])
        mix[:, :end] += layer[:, :end]
    loudness = pyloudnorm.Meter(rate).integrated_loudness(mix.T)
    if np.isfinite(loudness):
        mix *= np.float32(10 ** ((-14.0 - loudness) / 20))
    write_sound(out, mix, rate)


def _tempo(song: SongOfLibrary) -> float:
    return 60 / float(np.median(np.diff(song.facts.beats_s)))


# --- how fast


def cpu_s(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU seconds of this process and its children, and seconds on the clock."""

    def used() -> float:
        both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    began, clock = used(), time.perf_counter()
    work()
    return used() - began, time.perf_counter() - clock


def compare_speed(songs: Sequence[SongOfLibrary], count: int) -> list[dict[str, Any]]:
    """Render the same mashups both ways; base and guest each with bass, drums and more."""
    if shutil.which("rubberband") is None:
        raise ConfigError("the comparison needs the rubberband program: apt install rubberband-cli")
    full = [s for s in songs if s.stems_named("drums") and len(s.stems) >= 3 and _fits(s)]
    pairs = list(zip(full, full[1:] + full[:1], strict=True))[:count]
    if not pairs:
        raise ConfigError("no song of the library has drums and two more stems")
    totals: dict[tuple[str, str], list[tuple[float, float]]] = {}
    rendered_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.wav"
        for base, guest in tqdm(pairs, "speed", unit="mashup"):
            rendered_s += base.facts.duration_s
            names = list(_names(guest))
            for kind, given in (("one stem", names[:1]), ("all stems", names)):
                guests = dict.fromkeys(given, guest)
                for technique in TECHNIQUES:

                    def ours(
                        workers: int | None,
                        base: SongOfLibrary = base,
                        guests: dict[str, SongOfLibrary] = guests,
                        technique: str = technique,
                    ) -> None:
                        made = render_mashup(base, guests, technique=technique, workers=workers)
                        write_sound(out, made.audio, made.sample_rate)

                    def theirs(
                        base: SongOfLibrary = base,
                        guests: dict[str, SongOfLibrary] = guests,
                        technique: str = technique,
                    ) -> None:
                        automashup_way(base, guests, technique, out)

                    ways: dict[str, Callable[[], None]] = {
                        "ours": partial(ours, 1),
                        "ours, all cores": partial(ours, None),  # as it is without being told
                        "theirs": theirs,
                    }
                    for way, work in ways.items():
                        totals.setdefault((f"{technique}, {kind}", way), []).append(cpu_s(work))
    rows = []
    for what in dict.fromkeys(what for what, _ in totals):
        (our_cpu, our_clock), (_, all_cores_clock), (their_cpu, their_clock) = (
            np.sum(totals[what, way], axis=0) for way in ("ours", "ours, all cores", "theirs")
        )
        rows.append(
            {
                "what": what,
                "mashups": len(pairs),
                "rendered_s": round(rendered_s),
                "ours_cpu_s": round(float(our_cpu), 2),
                "theirs_cpu_s": round(float(their_cpu), 2),
                "times_faster_cpu": round(float(their_cpu / our_cpu), 2),
                "times_faster_clock": round(float(their_clock / our_clock), 2),
                "times_faster_clock_all_cores": round(float(their_clock / all_cores_clock), 2),
            }
        )
    return rows


def _fits(song: SongOfLibrary) -> bool:
    return len(song.facts.beats_s) > 16 and song.facts.duration_s > 20


def _names(song: SongOfLibrary) -> Iterator[str]:
    """Yield the label of each stem, the vocal first."""
    for stem in sorted(song.stems, key=lambda stem: (stem.role != "vocal", stem.label)):
        yield stem.label


# --- how much memory


def measure_memory(songs: Sequence[SongOfLibrary]) -> dict[str, Any]:
    """Render three minutes with the program; return its peak in MB."""
    full = [s for s in songs if len(s.stems) >= 3 and _fits(s)]
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


def markdown(results: dict[str, Any]) -> str:
    """Return the results as tables."""
    lines = ["# Rendering", ""]
    for part in ("pairs", "memory"):
        if part in results:
            lines += [f"## {part}", "", "| figure | value |", "|---|---|"]
            lines += [f"| {name} | {value} |" for name, value in results[part].items()]
            lines.append("")
    if "speed" in results:
        names = list(results["speed"][0])
        lines += ["## speed", "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(str(row[n]) for n in names)} |" for row in results["speed"]]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    defaults = {
        "library": "data/stems",
        "songs": 20,
        "every": 4,
        "speed_pairs": 6,
        "parts": ["pairs", "speed", "memory"],
        "out": "results/rendering",
    }
    options = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    songs = songs_of(MashupDB.open(options.library), options.songs)
    out = Path(options.out)
    results: dict[str, Any] = {"library": options.library, "songs": [s.title for s in songs]}
    if "speed" in options.parts:
        results["speed"] = compare_speed(songs, options.speed_pairs)
    if "memory" in options.parts:
        results["memory"] = measure_memory(songs)
    if "pairs" in options.parts:
        results["pairs"] = check_pairs(songs, options.every, out / "pairs.jsonl")
    publish(out, "rendering", results, markdown(results))


if __name__ == "__main__":
    main(sys.argv[1:])
