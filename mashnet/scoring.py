"""The one question put to every model: how well do these parts fit together?"""

from __future__ import annotations

from pathlib import Path

from mashnet.data.mashupdb import ROLES
from mashnet.data.parts import FilePart, Part
from mashnet.errors import ConfigError, require_one_of
from mashnet.models.loading import load_scorer
from mashnet.models.scorer import EmbeddingScorer, Scorer

__all__ = ["EmbeddingScorer", "Model", "Scorer", "load"]


class Model:
    """A loaded Scorer with an interface for files."""

    def __init__(self, scorer: Scorer) -> None:
        """Wrap any Scorer."""
        self.scorer = scorer

    def score(self, **stems: str | Path) -> float:
        """Return how well some stems fit together.

        Args:
            stems: a sound file per role: vocal, harmonic, percussion.

        Raises:
            AudioError: if a file cannot be used.
            ConfigError: if a role is missing or unknown.
        """
        for role in stems:
            require_one_of("role", role, ROLES)
        if missing := [role for role in ROLES if role not in stems]:
            raise ConfigError(f"a file for each role is needed; missing: {', '.join(missing)}")
        parts: dict[str, Part] = {role: FilePart(Path(path)) for role, path in stems.items()}
        query = {"vocal": parts.pop("vocal")}
        return float(self.scorer.score(query, [parts])[0])


def load(path: str | Path) -> Model:
    """Load a bundle (its self-check runs once) or a run.

    Raises:
        CheckpointError: if it is missing, damaged, or not what its configuration says.
    """
    return Model(load_scorer(path))
