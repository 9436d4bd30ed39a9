"""The Scorers that need no training here, by name: rules, and networks with published weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mashnet.errors import ConfigError
from mashnet.models.scorer import Scorer
from mashnet.registry import Registry

SCORERS = Registry(
    "scorer",
    {
        "random": "mashnet.models.rules.random:RandomScorer",
        "keytempo": "mashnet.models.rules.keytempo:KeytempoScorer",
        "alignment": "mashnet.models.rules.alignment:AlignmentScorer",
        "automashupper": "mashnet.models.rules.automashupper:AutomashupperScorer",
        "clap": "mashnet.models.published.clap:ClapScorer",
        "mert": "mashnet.models.published.mert:MertScorer",
        "cocola_official": "mashnet.models.published.cocola_official:CocolaOfficialScorer",
        "phalar_official": "mashnet.models.published.phalar_official:PhalarOfficialScorer",
    },
)


def build(name: str, settings: Mapping[str, Any]) -> Scorer:
    """Build a Scorer that is not trained here.

    Args:
        name: of SCORERS.
        settings: arguments of its constructor.

    Raises:
        ConfigError: if there is no such Scorer, or it refuses its settings.
    """
    kind = SCORERS.load(name)
    try:
        scorer: Scorer = kind(**settings)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"scorer={name}: {error}") from error
    return scorer
