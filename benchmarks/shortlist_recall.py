"""Does the shortlist hold what a slow judge likes best? All pairs of a library, rendered and heard.

python -m benchmarks.shortlist_recall library=data/real [judge=alignnet] [songs=60] [best=20]

Every vocal that is within limits is laid on every other song's music where PlaceNet lays it, and
heard there by the judge. Prints how many of the pairs that the judge likes best are among the
first 5 % (and 1, 2, 10, 20 %) of PlaceNet's, and how many would be there by chance. Scores are kept
in the library's cache: the same command goes on where it was stopped.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from omegaconf import OmegaConf
from scipy.stats import spearmanr

from mashnet.data.song_clips import clips_of_split
from mashnet.library.placing import best_pairs
from mashnet.mashups.kept_scores import ScoreStore, open_library, scores_of
from mashnet.mashups.placed import placed
from mashnet.mashups.proposal import LibraryClip
from mashnet.mashups.scorer_choice import scorer_choices
from mashnet.mashups.shortlist import placer_of
from mashnet.progress import Progress

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)


def recall(order: np.ndarray, scores: np.ndarray, best: int, share: float) -> float:
    """Return which part of the best by score is among the first of an order.

    Args:
        order: indices of pairs, the likeliest first.
        scores: of the judge, by index.
        best: how many pairs of the judge's count.
        share: of all pairs that are on the shortlist.
    """
    wanted = set(np.argsort(-scores, kind="stable")[:best].tolist())
    taken = order[: max(1, round(share * len(order)))].tolist()
    return len(wanted & set(taken)) / len(wanted)


def main(arguments: list[str]) -> None:
    """Compare all pairs, let the judge hear them, print one JSON object."""
    given = {"judge": "alignnet", "songs": 60, "best": 20, **OmegaConf.from_dotlist(arguments)}
    database, kept = open_library(given["library"])
    choices = scorer_choices(str(given["judge"]))
    judge = choices[0].load()
    songs: dict[str, list[str]] = {}
    for clip_id in clips_of_split(database, "all"):
        songs.setdefault(database.clip_rows[clip_id]["song_id"], []).append(clip_id)
    chosen = {clip for song in sorted(songs)[: int(given["songs"])] for clip in songs[song]}
    found = best_pairs(database, placer_of(judge, choices), bases=chosen)
    pairs = [pair for pair in found.pairs if pair.guest in chosen]
    proposals = [
        placed(LibraryClip(database, p.base), LibraryClip(database, p.guest), p.placement)
        for p in pairs
    ]
    store = ScoreStore(kept, choices[0].identity())
    with Progress(total=len(proposals), desc="listening", unit="pair") as bar:
        heard = scores_of(
            judge,
            proposals,
            store,
            progress=lambda done, new: bar.update_to(len(proposals) - new + done),
        )
    scores = np.array([heard[p.proposal_id] for p in proposals])
    order, best = np.arange(len(pairs)), int(given["best"])
    result = {
        "judge": choices[0].name,
        "songs": len({database.clip_rows[c]["song_id"] for c in chosen}),
        "pairs": len(pairs),
        "best": best,
        "recall": {f"{share:g}": recall(order, scores, best, share) for share in SHARES},
        "by_chance": {f"{share:g}": share for share in SHARES},
        "spearman": float(spearmanr(-order, scores).statistic),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
