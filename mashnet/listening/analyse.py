"""Ratings → tables on the console, analysis.json, figures and report.html."""

from __future__ import annotations

import sys
from pathlib import Path

from mashnet.errors import DatabaseError
from mashnet.evaluation.statistics import Bootstrap
from mashnet.files import write_json, written_atomically
from mashnet.listening.analysis import Analysis, analysis_of
from mashnet.listening.figures import plots_of
from mashnet.listening.folder import read_key
from mashnet.listening.ratings_file import read_ratings
from mashnet.listening.report import as_json, console, write_report
from mashnet.listening.table import judged, with_scores


def analyse(ratings: Path, *, key: Path, scores: Path | None, out: Path, command: str) -> Analysis:
    """Analyse a file of ratings; print the tables and write analysis.json, figures and a report.

    Args:
        ratings: the CSV of a server or of `collect`.
        key: the key.json of the test.
        scores: a CSV with the columns item, scorer, score, or None.
        out: folder for what is written.
        command: what was typed, for the report.

    Raises:
        DatabaseError: if a file cannot be read, no rating belongs to the test, or nothing can be
            written.
    """
    given, warnings = read_ratings(ratings)
    facts = read_key(key)
    if not given:
        raise DatabaseError(f"{ratings}: there are no ratings in it yet")
    table, found = judged(given, facts)
    warnings += found
    if scores is not None:
        table, found = with_scores(table, scores, facts)
        warnings += found
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    analysis = analysis_of(table, Bootstrap())
    plots = plots_of(table, analysis.opinions)
    print(console(analysis))
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "analysis.json", {"title": facts["title"], **as_json(analysis)})
        for plot in plots:
            with written_atomically(out / f"{plot.name}.png") as temporary:
                temporary.write_bytes(plot.png)
        write_report(
            analysis, plots, out / "report.html", title=facts["title"], command=command,
            warnings=warnings,
        )  # fmt: skip
    except OSError as error:
        raise DatabaseError(f"{out}: cannot be written: {error.strerror or error}") from error
    for name in ("analysis.json", *(f"{plot.name}.png" for plot in plots), "report.html"):
        print(f"written: {out / name}")
    return analysis
