"""What a million songs would cost, from the figures of this machine: hours, storage, money.

python -m benchmarks.million_songs [songs=1000000] [song_s=210] [figures=results/performance]
    [gpu_htdemucs_s_per_s=60] [vcpu_hour_usd=0.04] [gpu_hour_usd=1.2] [tb_month_usd=23] …

Rates per core come from the JSON of `python -m benchmarks`; what a rate is multiplied by stands
beside it. What is not measured is an assumption, can be set, and is listed as one: prices, and how
fast a GPU separates (Demucs on CPUs alone is the other line). Writes million_songs.json and .md
into the folder of the figures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks.measuring import rounded
from benchmarks.results import publish
from mashnet.errors import ConfigError

# Assumptions, with the unit in the name. Prices are round figures of the kind that large providers
# listed for on-demand machines in 2025, in USD; nothing here asks anybody for today's.
ASSUMED = {
    "songs": 1_000_000,
    "song_s": 210.0,  # seconds of a song
    "stems_per_song": 4,
    "clip_s": 60.0,  # songs are cut into clips of up to this length (clip.max_s)
    # 413 stems of real songs take 35 kB/s; separated ones are noisier and never quite silent.
    "stem_flac_bytes_per_s": 70_000.0,
    "part_flac_bytes_per_s": 16_000.0,  # mono, 22,050 Hz: 15.8 kB/s in 400 of real songs
    "mixes_per_clip": 9,  # as configs/pipeline/mixes.yaml has them
    "parts_per_mix": 2.8,  # 5,903 parts for 2,100 mixes of real songs; the rest are shared
    "mix_s": 38.0,  # as in these
    "embedding_numbers": 768,
    "gpu_htdemucs_s_per_s": 60.0,  # seconds of sound that one GPU separates per second
    "vcpu_hour_usd": 0.04,
    "gpu_hour_usd": 1.2,  # one of the smaller data-centre GPUs with its share of a machine
    "tb_month_usd": 23.0,  # of an object store
    "months": 12.0,
    "cores": 512,  # of the cluster
    "gpus": 16,
}


@dataclass(frozen=True)
class Rates:
    """What one core does, as measured.

    Attributes:
        demucs: seconds of sound per second.
        mashupdb_s: core seconds per second of song (decode, madmom, encode).
        mixes_s: the same, of rendering.
        loops_s: the same, of loops.
        embeddings_s: the same, of encoding the stems.
        query_ms: of a search in the largest index that was measured.
        index_bytes: per vector.
        index_build_s: per vector.
    """

    demucs: float
    mashupdb_s: float
    mixes_s: float
    loops_s: float
    embeddings_s: float
    query_ms: float
    index_bytes: float
    index_build_s: float


def rates_of(parts: Mapping[str, Mapping[str, Any]], *, song_s: float) -> Rates:
    """Read the rates out of the parts' results.

    Args:
        parts: name → result, as `benchmarks.performance_tables.finished` returns them.
        song_s: length of the songs that the pipeline was measured with.

    Raises:
        ConfigError: if a figure is missing, naming the part.
    """

    def figure(part: str, begins: str, *, last: bool = False) -> float:
        rows = [r for r in parts.get(part, {}).get("rows", []) if r["what"].startswith(begins)]
        if not rows or not rows[0]["figure"] > 0:
            raise ConfigError(
                f"there is no figure of '{begins}'; measure it: python -m benchmarks parts=[{part}]"
            )
        return float(rows[-1 if last else 0]["figure"])

    def per_second(stage: str) -> float:
        return 3600 / figure("pipeline", f"{stage}, 1 worker") / song_s

    sizes = [
        int(row["what"].split()[2].replace(",", ""))
        for row in parts.get("index", {}).get("rows", [])
        if row["what"].endswith("on disk")
    ]
    largest = max(sizes, default=1)
    return Rates(
        demucs=figure("separation", "htdemucs"),
        mashupdb_s=per_second("mashupdb"),
        mixes_s=per_second("mixes"),
        loops_s=per_second("loops"),
        embeddings_s=per_second("embeddings"),
        query_ms=figure("index", "query among", last=True),
        index_bytes=figure("index", f"index of {largest:,} on disk") * 2**20 / largest,
        index_build_s=figure("index", f"index of {largest:,} built") / largest,
    )


def plan(rates: Rates, a: Mapping[str, float]) -> dict[str, list[dict[str, Any]]]:
    """Return rows of machine hours, storage and money.

    Args:
        rates: of one core.
        a: the assumptions, with the keys of `ASSUMED`.
    """
    seconds = a["songs"] * a["song_s"]
    stems = a["songs"] * a["stems_per_song"]
    hours = {
        "separate on CPUs": seconds / rates.demucs / 3600,
        "mashupdb (madmom, clips)": seconds * rates.mashupdb_s / 3600,
        "mixes (stretching)": seconds * rates.mixes_s / 3600,
        "loops": seconds * rates.loops_s / 3600,
        "embeddings": seconds * rates.embeddings_s / 3600,
        "index": stems * rates.index_build_s / 3600,
    }
    gpu_hours = seconds / a["gpu_htdemucs_s_per_s"] / 3600
    clips = a["songs"] * max(1.0, a["song_s"] / a["clip_s"])
    part_s = clips * a["mixes_per_clip"] * a["parts_per_mix"] * a["mix_s"]
    storage = {
        "stems, FLAC": (stems * a["song_s"] * a["stem_flac_bytes_per_s"]),
        "parts of mixes, FLAC": part_s * a["part_flac_bytes_per_s"],
        # 43 frames of 128 + bands for transposition, 16 bits each.
        "log-mels of parts": part_s * 43.07 * 160 * 2,
        "waveforms for stems, 16 kHz": stems * a["song_s"] * 16_000 * 2,
        "embeddings": stems * (a["embedding_numbers"] + 1) * 4,
        "index": stems * rates.index_bytes,
    }
    terabytes = {name: count / 1e12 for name, count in storage.items()}
    work = [
        {
            "stage": name,
            "core hours": rounded(value),
            f"days on {a['cores']:g} cores": rounded(value / a["cores"] / 24),
            "USD": rounded(value * a["vcpu_hour_usd"]),
        }
        for name, value in hours.items()
    ]
    work.append(
        {
            "stage": "or: separate on GPUs",
            "core hours": f"{rounded(gpu_hours):,} GPU hours",
            f"days on {a['cores']:g} cores": f"{rounded(gpu_hours / a['gpus'] / 24)} on "
            f"{a['gpus']:g} GPUs",
            "USD": rounded(gpu_hours * a["gpu_hour_usd"]),
        }
    )
    kept = [
        {
            "what": name,
            "TB": rounded(value),
            f"USD for {a['months']:g} months": rounded(value * a["tb_month_usd"] * a["months"]),
        }
        for name, value in terabytes.items()
    ]
    rest = sum(hours.values()) - hours["separate on CPUs"]
    cpu_usd = sum(hours.values()) * a["vcpu_hour_usd"]
    gpu_usd = rest * a["vcpu_hour_usd"] + gpu_hours * a["gpu_hour_usd"]
    store_usd = sum(terabytes.values()) * a["tb_month_usd"] * a["months"]
    cpu_days = sum(hours.values()) / a["cores"] / 24
    gpu_days = max(rest / a["cores"], gpu_hours / a["gpus"]) / 24
    total = [
        {"way": "CPUs only", "days": rounded(cpu_days), "machines, USD": rounded(cpu_usd)},
        {"way": "Demucs on GPUs", "days": rounded(gpu_days), "machines, USD": rounded(gpu_usd)},
    ]
    for row in total:
        row |= {"storage, USD": rounded(store_usd)}
    return {"work": work, "storage": kept, "total": total}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as a Markdown table."""
    names = list(rows[0])
    lines = [f"| {' | '.join(names)} |", "|---" + "|---:" * (len(names) - 1) + "|"]
    for row in rows:
        cells = (f"{v:,}" if isinstance(v, int | float) else str(v) for v in row.values())
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def markdown(rates: Rates, assumed: Mapping[str, float], found: Mapping[str, Any]) -> str:
    """Return measured rates, assumptions and results as tables."""
    lines = ["# A million songs", "", "Measured, one core:", ""]
    facts = [{"rate": name, "value": rounded(value)} for name, value in vars(rates).items()]
    lines += [*table(facts), "", "Assumed (settings of the command):", ""]
    lines += table([{"assumption": name, "value": value} for name, value in assumed.items()])
    for name, rows in found.items():
        lines += ["", f"## {name}", "", *table(rows)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Calculate and write."""
    from benchmarks.parts.pipeline import SONG_S
    from benchmarks.performance_tables import finished

    defaults = {**ASSUMED, "figures": "results/performance", "scale": "full"}
    options = OmegaConf.create(defaults)
    OmegaConf.set_struct(options, True)
    options.merge_with(OmegaConf.from_cli(arguments))
    folder = Path(options.figures)
    rates = rates_of(finished(folder, options.scale), song_s=SONG_S)
    assumed = {name: options[name] for name in ASSUMED}
    found = plan(rates, assumed)
    results = {"rates": vars(rates), "assumed": assumed, **found}
    publish(
        folder, "million_songs", json.loads(json.dumps(results)), markdown(rates, assumed, found)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
