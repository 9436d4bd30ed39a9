"""One song → clips, stems and rows: the work that data_pipelines.mashupdb spreads over cores."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.mashupdb.analyse import cached_annotation, with_key_in_tune, with_known
from data_pipelines.mashupdb.clip_tuning import tuning_columns, tuning_of_roles
from data_pipelines.mashupdb.clips import cut_points, roles_of
from data_pipelines.mashupdb.guessed_roles import guessed_kinds
from data_pipelines.mashupdb.hints import with_hints
from data_pipelines.mashupdb.lengths import UnusableError
from data_pipelines.mashupdb.song_records import RECORD_VERSION, finished
from data_pipelines.mashupdb.song_records import Task as Task
from data_pipelines.mashupdb.song_stems import SAMPLE_RATE_HZ, mono_mix, read_stems
from data_pipelines.rejects import reject_row
from data_pipelines.sources.song import RawStem
from mashnet.audio.annotate import Annotation
from mashnet.audio.io import write_flac
from mashnet.audio.levels import active_ratio, rms_db
from mashnet.data.schemas import ANNOTATED
from mashnet.execution.executor import DIED
from mashnet.files import content_id, plain_name, write_json
from mashnet.music.sections import Section, sections_within
from mashnet.storage.contained_paths import place

ANALYSES = Path("cache") / "analysis"  # in the database's folder


def make_clips(task: Task) -> dict[str, Any]:
    """Return the rows of one song, after writing its audio; from the cache if all is there.

    Returns:
        {"clips": rows, "stems": rows, "sections": rows, "rejects": rows, "sound": hash of the
        mix, "done": whether it was done before}. A song that cannot be used has rejects only.

    Raises:
        OSError: if the database cannot be written to (never for a bad input).
    """
    done = finished(task)
    if done is not None:
        return {**done, "done": True}
    rows: dict[str, Any] = {"clips": [], "stems": [], "sections": [], "rejects": [], "sound": ""}
    rows["version"] = RECORD_VERSION
    try:
        _fill(task, rows)
    except UnusableError as error:
        stage, reason = error.args
        rows["rejects"].append(reject_row(task.song.origin, stage, reason))
        rows["clips"], rows["stems"], rows["sections"] = [], [], []
    write_json(task.record, rows)
    return {**rows, "done": False}


def process_died(task: Task) -> dict[str, Any]:
    """Return the rows of a song whose process was killed by the system."""
    row = reject_row(task.song.origin, "clips", DIED)
    empty: dict[str, Any] = {"clips": [], "stems": [], "sections": [], "sound": "", "done": False}
    return {**empty, "rejects": [row]}


def _fill(task: Task, rows: dict[str, Any]) -> None:
    song = task.song
    stems, audio = read_stems(song, task.digests, rows["rejects"])
    duration_s = audio[0].shape[1] / SAMPLE_RATE_HZ
    if duration_s < task.min_s:
        raise UnusableError(
            "clips", f"lasts {duration_s:.1f} s, less than clip.min_s={task.min_s:g}"
        )
    if task.guesses:
        kinds, said = guessed_kinds([stem for stem, _ in stems], audio, SAMPLE_RATE_HZ)
        rows["rejects"] += said
        stems = [
            (replace(stem, kind=kind), digest)
            for (stem, digest), kind in zip(stems, kinds, strict=True)
        ]
    mix = mono_mix(audio)
    estimated = cached_annotation(place(task.out, ANALYSES), mix, SAMPLE_RATE_HZ)
    if song.known.key is None:
        tuning = tuning_of_roles(roles_of([stem.kind for stem, _ in stems]), audio)
        estimated = with_key_in_tune(estimated, mix, SAMPLE_RATE_HZ, tuning)
    estimated, unused = with_hints(estimated, song.known, duration_s)
    rows["rejects"] += [reject_row(song.origin, "meta", reason) for reason in unused]
    annotation = with_known(estimated, song.known, duration_s)
    rows["sound"] = content_id("sound", np.round(mix * 32767).astype("<i4").tobytes())
    for part in song.parts or (Section(0.0, duration_s, ""),):
        start_s, end_s = part.start_s, min(part.end_s, duration_s)
        if end_s - start_s < task.min_s:
            lasts = f"from {start_s:.1f} to {max(start_s, end_s):.1f} s"
            reason = f"its {part.label} {lasts} is shorter than clip.min_s={task.min_s:g}"
            rows["rejects"].append(reject_row(song.origin, "clips", reason))
            continue
        downbeats = [time - start_s for time in annotation.downbeats]
        borders = cut_points(end_s - start_s, downbeats, min_s=task.min_s, max_s=task.max_s)
        for first_s, last_s in itertools.pairwise(borders):
            span = Section(start_s + first_s, start_s + last_s, part.label)
            _write_clip(task, stems, audio, annotation, span, rows)
    if not rows["clips"] and song.parts:
        raise UnusableError("clips", "none of its parts became a clip")
    if not rows["clips"]:
        raise UnusableError("clips", "no stem sounds in any of its clips")


def _write_clip(
    task: Task,
    stems: list[tuple[RawStem, str]],
    audio: list[np.ndarray],
    annotation: Annotation,
    span: Section,
    rows: dict[str, Any],
) -> None:
    """Write the stems that sound in a stretch of the song, and add the rows."""
    song, start_s, end_s = task.song, span.start_s, span.end_s
    first, last = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
    clip_id = content_id(task.song_id, first, last)
    sounding = []
    for (stem, digest), whole in zip(stems, audio, strict=True):
        part = whole[:, first:last]
        active = active_ratio(part, SAMPLE_RATE_HZ)
        if active > 0:
            sounding.append((stem, digest, part, active))
        elif last - first < whole.shape[1]:
            reason = f"silent from {start_s:.1f} to {end_s:.1f} s; left out of that clip"
            rows["rejects"].append(reject_row(stem.origin, "stems", reason))
    if not sounding:
        return
    roles = roles_of([stem.kind for stem, _, _, _ in sounding])
    seen: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for (stem, digest, part, active), role in zip(sounding, roles, strict=True):
        seen[digest] += 1
        called = stem.label if stem.stream else stem.path.stem
        name = plain_name(called, "stem")
        names[name] += 1
        if names[name] > 1:
            name = f"{name}.{names[name]}"
        path = place(task.out, "audio", clip_id, f"{name}.flac")
        write_flac(path, part, SAMPLE_RATE_HZ)
        rows["stems"].append(
            {
                "clip_id": clip_id,
                "stem_id": content_id(clip_id, digest, seen[digest]),
                "role": role,
                "label": stem.label,
                "path": path.relative_to(task.out).as_posix(),
                "rms_db": round(rms_db(part), 2),
                "active_ratio": round(active, 4),
                "role_guessed": stem.unnamed and role != "",
            }
        )
    rows["clips"].append(
        {
            "clip_id": clip_id,
            "song_id": task.song_id,
            "title": song.title,
            "artist": song.artist,
            "source": song.source,
            "license": song.license,
            "duration_s": (last - first) / SAMPLE_RATE_HZ,
            "sample_rate": SAMPLE_RATE_HZ,
            "tempo_bpm": annotation.tempo_bpm,
            "beats": _within(annotation.beats, start_s, end_s),
            "downbeats": _within(annotation.downbeats, start_s, end_s),
            "beats_per_bar": annotation.beats_per_bar,
            "key_tonic": annotation.key.tonic,
            "key_mode": annotation.key.mode,
            "key_confidence": annotation.key_confidence,
            "section": span.label,
            "split": task.split,
            **tuning_columns(roles, [part for _, _, part, _ in sounding]),
            "group": song.group,
        }
    )
    for section in sections_within(song.known.sections, start_s, end_s):
        rows["sections"].append({"clip_id": clip_id, "origin": ANNOTATED, **vars(section)})


def _within(times: tuple[float, ...], start_s: float, end_s: float) -> list[float]:
    return [round(time - start_s, 4) for time in times if start_s <= time < end_s]
