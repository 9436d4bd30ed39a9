"""How fast mashups are rendered, beside AutoMashup's way on the same material."""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.automashup_way import automashup_way
from benchmarks.rendered_songs import long_enough
from mashnet.audio.io import write_sound
from mashnet.errors import ConfigError
from mashnet.rendering.mashup import render_mashup
from mashnet.rendering.plan import TECHNIQUES
from mashnet.rendering.songs import SongOfLibrary


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
    full = [s for s in songs if s.stems_named("drums") and len(s.stems) >= 3 and long_enough(s)]
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


def _names(song: SongOfLibrary) -> Iterator[str]:
    """Yield the label of each stem, the vocal first."""
    for stem in sorted(song.stems, key=lambda stem: (stem.role != "vocal", stem.label)):
        yield stem.label
