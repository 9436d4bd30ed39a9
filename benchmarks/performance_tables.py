"""From the parts' JSON to tables and a figure: results/performance/performance.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth_fit import fit
from benchmarks.measuring import Row
from benchmarks.parts import PARTS

PLOT = "growth.png"


def finished(out: Path, scale: str) -> dict[str, dict[str, Any]]:
    """Return what is there of each part at that scale, by name; what is damaged is not there."""
    found = {}
    for name in PARTS:
        try:
            result = json.loads((out / f"{name}.json").read_text("utf-8"))
            if result["scale"] == scale:
                found[name] = result
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def table(rows: Sequence[Row]) -> list[str]:
    """Return rows as a Markdown table."""
    lines = ["| what | figure | | peak memory, MB | |", "|---|---:|---|---:|---|"]
    for row in rows:
        figure = f"{row['figure']:,}"
        note = str(row["note"]).replace("|", "\\|")
        memory = row.get("peak_mb", "")
        lines.append(f"| {row['what']} | {figure} | {row['unit']} | {memory} | {note} |")
    return lines


def growth_table(rows: Sequence[Row]) -> list[str]:
    """Return the rows of growth as a Markdown table, a column per size."""
    sizes = rows[0]["sizes"]
    lines = [
        "| cost of | " + " | ".join(f"{size:,}" for size in sizes) + " | exponent | expected "
        "| peak memory, MB | |",
        "|---|" + "---:|" * (len(sizes) + 3) + "---|",
    ]
    for row in rows:
        costs = " | ".join(f"{1e3 * cost:,.3g} ms" for cost in row["costs_s"])
        memory = f"{row['peaks_mb'][0]} → {row['peaks_mb'][-1]}"
        worse = "worse than it should be" if row["worse"] else ""
        lines.append(
            f"| {row['what']} | {costs} | {row['figure']:.2f} | {row['expected']:g} | {memory} "
            f"| {worse} |"
        )
    return lines


def markdown(machine: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return all tables; parts that are missing are named."""
    lines = ["# Performance", "", "| fact | value |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {value} |" for name, value in machine.items()]
    for name, title in PARTS.items():
        lines += ["", f"## {title}", ""]
        if name not in parts:
            lines.append("Not measured.")
            continue
        rows = parts[name]["rows"]
        lines += growth_table(rows) if name == "growth" else table(rows)
        load = parts[name].get("load_before", "unknown")
        lines += ["", f"{parts[name]['minutes']:g} min; load of the machine before: {load}."]
        if name == "growth":
            lines += ["", f"![cost against the number of songs]({PLOT})"]
    return "\n".join(lines) + "\n"


def draw_growth(rows: Sequence[Row], path: Path) -> None:
    """Draw cost against size, log-log, with the fitted lines over the largest sizes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(13, 7), layout="constrained")
    ranking = [row for row in rows if row["what"].startswith("rank all songs")]
    others = [row for row in rows if row not in ranking]
    for axis, group, title in zip(
        axes, (others, ranking), ("whole libraries", "rank all songs for one query"), strict=True
    ):
        for number, row in enumerate(group):
            sizes, costs = row["sizes"], row["costs_s"]
            law, colour = fit(sizes, costs), f"C{number % 10}"
            name = row["what"].removeprefix("rank all songs for one query: ")
            label = f"{name}: n^{law.exponent:.2f}" + (" !" if row["worse"] else "")
            marker = "o" if number < 10 else "s"
            axis.plot(sizes, costs, marker, color=colour, markersize=4, label=label)
            upper = sizes[-3:]
            axis.plot(upper, [law.at(size) for size in upper], color=colour, linewidth=1)
        axis.set(xscale="log", yscale="log", xlabel="songs", ylabel="seconds", title=title)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1), "ncols": 2}
        axis.legend(frameon=False, fontsize=8, **below)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
