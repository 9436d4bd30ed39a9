"""The model card: what a bundle was made from, how well it does, and where its limits are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mashnet.data.mashupdb import MashupDB
from mashnet.errors import DatabaseError
from mashnet.models.trained import TrainedScorer
from mashnet.storage.regular_files import read_json

_MIXES = """\
- The score is the posterior that the stems are of one song, against mixes that are out of key or
  out of time. It is not a judgement of taste, and it is not calibrated on other music.
- Stems are judged as they are given: move them to a common key and tempo first (`rank` does).
- Score range 0 to 1; directional: the vocal, harmonic and percussion stems each have their role.
- Evaluating on songs of the training database outside its test split is contaminated."""
_LOOPS = """\
- The score says how likely two loops are to sound together in one song, against negatives of one
  strategy. It is not a judgement of taste, and it is not calibrated on other music.
- Loops are one bar of four beats, stretched to 2 s, beginning on the downbeat; other lengths are
  refused.
- Keys are not matched first: a loop that would fit after a shift in key is judged as it is.
- Evaluating on songs of the training database outside its test split is contaminated."""
_STEMS = """\
- The score says how well a stem completes a mix, against stems of other songs. It is not a
  judgement of taste, and it is not calibrated: it ranks candidates for one mix.
- Both sides are heard as they are given: bring them to one key and tempo first, and let them begin
  at the same moment.
- The context is what there is, the target what is to be added; some networks score both ways
  round alike. Silent windows count nothing.
- Evaluating on songs of the training database outside its test split is contaminated."""
_PHRASES = """\
- The score is a logit: of two places the one with the higher score is the likelier, by as much as
  the scores differ. It is not a judgement of taste; learned from songs' own stems, it prefers what
  sounds as if it were of one song.
- Beats, downbeats and keys are believed as they are given; where a tracker erred the phrase is read
  beside the bar. Bars of three and of four beats are not compared.
- Songs without drums or without a pitch are judged by what is left.
- Evaluating on songs of the training database outside its test split is contaminated."""

ABOUT = {
    "mixes": "Mashability of separated stems: how well vocal, harmonic and percussion fit together "
    "(architecture: Huang et al., AAAI 2021).",
    "loops": "Compatibility of two loops (architecture: Chen et al., Neural Loop Combiner, ISMIR "
    "2020).",
    "stems": "Stem retrieval: which stem belongs to a mix that lacks it.",
    "phrases": "Placement: which bars of one song's vocal go on which bars of another's music, "
    "judged before anything is moved.",
}
LICENCE = (
    "Weights: MIT, as mashnet. They were learned from the songs above; each song keeps its "
    "own licence. The annotations may come from madmom's models (CC BY-NC-SA 4.0)."
)
LIMITS = {"mixes": _MIXES, "loops": _LOOPS, "stems": _STEMS, "phrases": _PHRASES}


def model_card(run: Path, config: dict[str, Any], scorer: TrainedScorer) -> str:
    """Return the card's Markdown, with the figures found under run/evaluation."""
    network = scorer.network
    parameters = sum(p.numel() for p in network.parameters())
    data = config["data"]
    made = ", ".join(f"{name} {value}" for name, value in config["made_with"].items())
    lines = [
        f"# {config['name']}",
        "",
        ABOUT[scorer.view],
        "",
        f"- network: {config['model']['network']}, {parameters:,} parameters",
        f"- input: {scorer.frontend.describe()}",
        *_training_lines(config),
        f"- seed {config['seed']}; made with {made}",
        "",
        "## Data",
        "",
        *_data_lines(Path(data["root"])),
        "",
        "## Figures",
        "",
        *_figure_lines(run),
        "",
        "## Limits",
        "",
        LIMITS[scorer.view],
        "",
        "## Licences",
        "",
        LICENCE,
        "",
    ]
    return "\n".join(lines)


def _training_lines(config: dict[str, Any]) -> list[str]:
    if "negatives" in config["data"]:
        return [f"- negatives in training: {config['data']['negatives']}"]
    if "chunks" in config["data"]:
        shortest_s, longest_s = config["model"]["chunk_s"]
        target = "one stem" if config["model"]["target"] == "stem" else "a submix"
        begun = config.get("init_from")
        return [
            f"- chunks in training: {shortest_s:g} to {longest_s:g} s, the target is {target}",
            *([f"- begun with the encoder of {Path(begun).name}"] if begun else []),
        ]
    if "phrases" in config["data"]:
        drawn, lengths = config["data"]["phrases"], config["model"]["bars"]
        return [
            f"- phrases in training: {' and '.join(map(str, lengths))} bars; read at half or twice "
            f"the tempo: {drawn['tempo_errors']:.0%}, with late bars: {drawn['late_bars']:.0%}"
        ]
    return [
        f"- unlabelled mixes in training: {config['model']['unlabelled']}",
        f"- artefact control in training: {config['data']['artefact_control']}",
    ]


def _data_lines(root: Path) -> list[str]:
    try:
        database = MashupDB.open(root)
    except DatabaseError as error:
        return [f"Trained on {root.name}, which is no longer at hand: {error}"]
    clips = database.clips
    splits = clips.group_by("split").len().sort("split").rows()
    licences = sorted(set(clips["license"].drop_nulls().to_list()))
    return [
        f"{clips['song_id'].n_unique()} songs, {len(clips)} clips "
        f"({', '.join(f'{split} {count}' for split, count in splits)}), "
        f"sources: {', '.join(sorted(set(clips['source'].drop_nulls().to_list())))}.",
        "",
        f"Licences of the songs: {', '.join(licences)}.",
    ]


def _figure_lines(run: Path) -> list[str]:
    lines = []
    for path in sorted((run / "evaluation").glob("*/metrics.json")):
        results = read_json(path)
        results = results if isinstance(results, list) else [results]
        first = results[0]
        lines += [
            "",
            f"{first['protocol']}, split {first['split']}; value [95 % interval]",
            "",
            "| metric | n | " + " | ".join(result["scorer"] for result in results) + " |",
            "|---" * (2 + len(results)) + "|",
        ]
        for name, m in first["metrics"].items():
            cells = [_estimate(result["metrics"].get(name)) for result in results]
            lines.append(f"| {name} | {m['n']} | " + " | ".join(cells) + " |")
    return lines[1:] or ["Not evaluated yet: mashnet evaluate checkpoint=… protocol=…"]


def _estimate(metric: dict[str, Any] | None) -> str:
    if metric is None:
        return "–"
    value, low, high = (_number(metric[bound]) for bound in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
