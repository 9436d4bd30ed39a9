"""Which songs a Scorer hears as exchangeable: clusters of the rows and columns of its matrix.

A song is described by how well its vocal goes with each accompaniment and its accompaniment with
each vocal, beyond what either gets from everybody (row and column means are taken out).

Functions:
    profiles: these descriptions.
    cluster: Ward's hierarchical clustering of them.
    agreement: the adjusted Rand index of two Scorers' clusters.
    plane: the descriptions in two dimensions, by t-SNE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster import hierarchy
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score


@dataclass(frozen=True)
class Clusters:
    """A tree of songs, cut."""

    tree: np.ndarray  # (n - 1, 4), as scipy.cluster.hierarchy has it
    labels: np.ndarray  # (n,), from 1
    order: np.ndarray  # (n,), songs from the first leaf to the last


def profiles(scores: np.ndarray) -> np.ndarray:
    """Return descriptions of songs, (n, 2n), from scores (n, n); zeros for constant scores."""
    centred = scores - scores.mean(0, keepdims=True) - scores.mean(1, keepdims=True) + scores.mean()
    deviation = centred.std()
    if deviation <= 1e-9 * max(1.0, float(np.abs(scores).max())):
        return np.zeros((len(scores), 2 * len(scores)))
    return np.concatenate([centred, centred.T], axis=1) / deviation


def cluster(described: np.ndarray, num_clusters: int) -> Clusters:
    """Cluster descriptions (n, d) into at most `num_clusters`."""
    tree = hierarchy.linkage(described, method="ward")
    return Clusters(
        tree=tree,
        labels=hierarchy.fcluster(tree, num_clusters, criterion="maxclust"),
        order=hierarchy.leaves_list(tree),
    )


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return the adjusted Rand index of two labellings (n,): 1 the same, 0 as by chance.

    NaN where one of them puts all songs together: then there is nothing to agree about.
    """
    if len(np.unique(first)) < 2 or len(np.unique(second)) < 2:
        return float("nan")
    return float(adjusted_rand_score(first, second))


def plane(described: np.ndarray, *, seed: int) -> np.ndarray:
    """Return places in the plane, (n, 2), near each other where descriptions (n, d) are."""
    perplexity = min(30.0, max(1.0, (len(described) - 1) / 3))
    return TSNE(perplexity=perplexity, init="random", random_state=seed).fit_transform(
        described.astype(np.float32)
    )
