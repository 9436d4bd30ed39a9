"""Compares estimated tempi with the exact ones of a folder of stems, withheld from the estimate.

python -m benchmarks.tempo_agreement [root=../shared/corpus/songs] [db=data/real]

Every song whose meta.json has `bpm_exact` is analysed on the sum of its stems; what `db` has in
its cache is not analysed again. Prints a table for people, and one JSON line.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path

from omegaconf import OmegaConf
from tqdm import tqdm

from data_pipelines.mashupdb.analyse import cached_annotation
from data_pipelines.mashupdb.song_clips import ANALYSES
from data_pipelines.mashupdb.song_stems import SAMPLE_RATE_HZ, mono_mix, read_stems
from data_pipelines.sources.song import RawSong, Reject
from data_pipelines.sources.stems import find
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.errors import ConfigError
from mashnet.music.tempo import tempo_agreement

_Z = 1.959964  # of the normal distribution, two-sided 95 %


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927); (0, 1) for no observations."""
    if count == 0:
        return 0.0, 1.0
    share, spread = hits / count, _Z**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return centre - half, centre + half


def estimated_tempo(song: RawSong, database: Path) -> float:
    _, audio = read_stems(song, ("",) * len(song.stems), [])
    return cached_annotation(database / ANALYSES, mono_mix(audio), SAMPLE_RATE_HZ).tempo_bpm


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge(
        {"root": "../shared/corpus/songs", "db": "data/real"}, OmegaConf.from_cli(arguments)
    )
    config = compose("mashupdb", ["source=stems"], CONFIGS / "pipeline")
    config.source.root = options.root
    songs = [s for s in find(config) if not isinstance(s, Reject) and s.known.tempo_bpm]
    if not songs:
        raise ConfigError(f"{options.root}: no song with bpm_exact in its meta.json")
    found: dict[str, Counter[str | None]] = {}
    for song in tqdm(songs, unit="song", disable=None):
        assert song.known.tempo_bpm is not None
        agreement = tempo_agreement(estimated_tempo(song, Path(options.db)), song.known.tempo_bpm)
        for group in ("all", song.source):
            found.setdefault(group, Counter())[agreement] += 1
    report = {}
    for group, counts in found.items():
        exact, total = counts["exact"], counts.total()
        octave = exact + counts["octave"]
        metrical = octave + counts["metrical"]
        report[group] = {
            name: {"count": hits, "n": total, "value": hits / total}
            | dict(zip(("low", "high"), wilson_interval(hits, total), strict=True))
            for name, hits in (("exact", exact), ("octave", octave), ("metrical", metrical))
        }
        shares = ", ".join(
            f"{name} {v['count']}/{total} = {v['value']:.1%} [{v['low']:.1%}, {v['high']:.1%}]"
            for name, v in report[group].items()
        )
        print(f"{group:<10}{shares}")
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
