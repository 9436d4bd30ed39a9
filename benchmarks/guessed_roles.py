"""Fits and measures the roles that stems get by their sound where their names say nothing.

python -m benchmarks.guessed_roles [corpus=../shared/corpus] [demo=32] [features=FILE]
    [table=data_pipelines/mashupdb/role_table.py]

Half of the corpus' packages (of LMMS and MIDI songs: artists), by a hash of their names, are fitted
on; the table, which `table=` writes anew, comes from these alone, thresholds included. The other
half is measured, and the first `demo` songs of the demo band. `features` keeps what was heard,
so that a second run needs seconds. Prints tables for people, and one JSON line.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from omegaconf import OmegaConf
from tqdm import tqdm

from data_pipelines.mashupdb.guessed_roles import KINDS, SEVERAL, guess_of
from data_pipelines.synth.song import synthesise_song
from mashnet.audio.io import read_audio
from mashnet.audio.timbre import FEATURES, SAMPLE_RATE_HZ, timbre_of
from mashnet.files import content_id, write_json

CLASSES = (*KINDS, SEVERAL)
_OF_ROLE = {"drums": "drums", "bass": "bass", "vocals": "voice"} | dict.fromkeys(
    ("other", "lead", "guitar"), "harmonic"
)
_RIGHT = 0.92  # share of guesses on songs left out of the fit that must be right
_THRESHOLDS = np.arange(0.5, 0.96, 0.05)
_DRAWS = 2000
Row = dict[str, Any]  # song, group, truth, by_name, timbre


def rows_of_corpus(corpus: Path) -> list[Row]:
    """Hear every labelled stem of the corpus, and the sum of each song's stems as `SEVERAL`."""
    rows = []
    for song in tqdm(
        json.loads((corpus / "index.json").read_text("utf-8")), unit="song", disable=None
    ):
        package, artist = song.get("source_package"), song.get("artist")
        by_artist = song["id"].startswith(("lmms", "midi")) and artist
        base = {"song": song["id"], "group": artist if by_artist else package}
        total = np.zeros(0, np.float32)
        for stem in song["stems"]:
            audio = _mono(corpus / song["dir"] / stem["file"])
            longest = max(len(total), len(audio))
            total = np.pad(total, (0, longest - len(total)))
            total[: len(audio)] += audio
            truth = _OF_ROLE.get(stem["role"])
            if truth and np.abs(audio).max() > 1e-3:
                by_name = "model" not in str(stem.get("role_source"))
                rows.append(base | {"truth": truth, "by_name": by_name, "timbre": _heard(audio)})
        roles = {stem["role"] for stem in song["stems"]}
        if len(roles) > 1 and roles & {"drums", "backing"}:
            rows.append(base | {"truth": SEVERAL, "by_name": True, "timbre": _heard(total)})
    return rows


def rows_of_demo(songs: int) -> list[Row]:
    """Hear the stems of the first songs of the demo band."""
    rows = []
    for index in tqdm(range(songs), unit="song", disable=None):
        song = synthesise_song(0, index)
        base = {"song": f"demo {index}", "group": f"demo {index}", "by_name": True}
        for name, samples in song.stems.items():
            sound = soxr.resample(samples, song.sample_rate, SAMPLE_RATE_HZ)
            truth = _OF_ROLE.get(name, "harmonic")
            rows.append(base | {"truth": truth, "timbre": _heard(sound)})
    return rows


def _mono(path: Path) -> np.ndarray:
    return read_audio(path, sample_rate=SAMPLE_RATE_HZ, mono=True)[0][0]


def _heard(samples: np.ndarray) -> list[float]:
    return [round(float(number), 5) for number in timbre_of(samples)]


def is_fitted_on(row: Row) -> bool:
    """Return whether a row belongs to the half that is fitted on."""
    return int(content_id("guessed roles", row["group"]), 16) % 2 == 0


def fitted(rows: Sequence[Row]) -> dict[str, Any]:
    """Fit on rows, and choose thresholds on packages that are left out in turn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    heard = np.array([row["timbre"] for row in rows])
    truths = np.array([CLASSES.index(row["truth"]) for row in rows])
    groups = np.array([str(row["group"]) for row in rows])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=5000))
    shares = cross_val_predict(
        model, heard, truths, groups=groups, cv=LeaveOneGroupOut(), method="predict_proba"
    )
    voice, several = CLASSES.index("voice"), CLASSES.index(SEVERAL)
    best, surest = shares.argmax(axis=1), shares.max(axis=1)
    plain = (best != voice) & (best != several) & (truths != several)
    model.fit(heard, truths)
    present = range(len(CLASSES))
    scaler, regression = model[0], model[1]
    weights = regression.coef_ / scaler.scale_
    return {
        "CLASSES": CLASSES,
        "FEATURES": FEATURES,
        "COEFFICIENTS": weights.round(4).tolist(),
        "INTERCEPTS": (regression.intercept_ - weights @ scaler.mean_).round(4).tolist(),
        "LOWEST": [heard[truths == i].min(axis=0).round(4).tolist() for i in present],
        "HIGHEST": [heard[truths == i].max(axis=0).round(4).tolist() for i in present],
        "SURE_FROM": _threshold(surest[plain], best[plain] == truths[plain]),
        "VOICE_FROM": _threshold(surest[best == voice], truths[best == voice] == voice),
    }


def _threshold(surest: np.ndarray, right: np.ndarray) -> float:
    """Return the lowest threshold above which enough is right; 0.95 if there is none."""
    for threshold in _THRESHOLDS:
        kept = surest >= threshold
        if kept.any() and right[kept].mean() >= _RIGHT:
            return round(float(threshold), 2)
    return 0.95


def write_table(path: Path, table: dict[str, Any]) -> None:
    """Write the table as a module."""
    lines = [
        '"""What data_pipelines.mashupdb.guessed_roles decides by; '
        'written by benchmarks.guessed_roles."""',
        "",
        *(f"{name} = {json.dumps(value)}" for name, value in table.items()),
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def report_on(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Print what was guessed of rows, and return the figures with their intervals."""
    found = [guess_of(np.array(row["timbre"])).what or "none" for row in rows]
    columns = (*KINDS, "none")
    counts = Counter(zip((row["truth"] for row in rows), found, strict=True))
    print(f"\n{name}: {len(rows)} stems of {len({row['song'] for row in rows})} songs")
    print("truth \\ guess" + "".join(f"{column:>10}" for column in columns))
    for truth in CLASSES:
        if any(counts[truth, column] for column in columns):
            print(f"{truth:<13}" + "".join(f"{counts[truth, column]:>10}" for column in columns))
    single = [(row, what) for row, what in zip(rows, found, strict=True) if row["truth"] != SEVERAL]
    made = [(row, what) for row, what in single if what != "none"]
    figures = {
        "guessed": _share(single, lambda row, what: what != "none"),
        "right": _share(made, lambda row, what: what == row["truth"]),
        "right_role": _share(made, lambda row, what: KINDS[what] == KINDS[row["truth"]]),
        "right_by_name": _share(
            [(row, what) for row, what in made if row["by_name"]],
            lambda row, what: what == row["truth"],
        ),
    }
    for figure, value in figures.items():
        intervals = ", ".join(
            f"over {units} [{value[units][0]:.3f}, {value[units][1]:.3f}]"
            for units in ("songs", "packages")
        )
        print(f"{figure:<14}{value['value']:.3f} of {value['n']}, 95 % {intervals}")
    return figures


def _share(
    pairs: Sequence[tuple[Row, str]], is_right: Callable[[Row, str], bool]
) -> dict[str, Any]:
    right = np.array([is_right(row, what) for row, what in pairs], dtype=float)
    return {
        "value": float(right.mean()),
        "n": len(right),
        "songs": _interval(right, [row["song"] for row, _ in pairs]),
        "packages": _interval(right, [str(row["group"]) for row, _ in pairs]),
    }


def _interval(right: np.ndarray, clusters: Iterable[str]) -> list[float]:
    """Return the 95 % interval of a share: bootstrap over clusters, all of one drawn together."""
    _, which = np.unique(list(clusters), return_inverse=True)
    sums, sizes = np.bincount(which, right), np.bincount(which)
    draws = np.random.default_rng(0).integers(0, len(sizes), (_DRAWS, len(sizes)))
    shares = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    return [float(bound) for bound in np.percentile(shares, (2.5, 97.5))]


def main(arguments: list[str]) -> None:
    """Measure and print; fit first if a table is asked for."""
    defaults = {"corpus": "../shared/corpus", "demo": 32, "features": None, "table": None}
    options = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    kept = Path(options.features) if options.features else None
    heard: dict[str, list[Row]] = {}
    if kept and kept.is_file():
        heard = json.loads(kept.read_text("utf-8"))
    if "corpus" not in heard:
        heard["corpus"] = rows_of_corpus(Path(options.corpus))
    if options.demo and "demo" not in heard:
        heard["demo"] = rows_of_demo(int(options.demo))
    if kept:
        write_json(kept, heard)
    if options.table:
        rows = [row for row in heard["corpus"] if is_fitted_on(row)]
        write_table(Path(options.table), fitted(rows))
        print(f"written: {options.table}; run again without table= to measure it")
        return
    others = [row for row in heard["corpus"] if not is_fitted_on(row)]
    report = {"corpus, the other half": report_on("corpus, the other half", others)}
    if "demo" in heard:
        report["demo"] = report_on("demo band", heard["demo"])
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
