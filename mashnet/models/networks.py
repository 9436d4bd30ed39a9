"""The networks by name: what `network` of a model's config.yaml may be."""

from __future__ import annotations

from mashnet.models.trained import TrainedScorer
from mashnet.registry import Registry

# Each Scorer class says which network it is of (`network_class`).
NETWORKS = Registry(
    "model.network",
    {
        "premixnet": "mashnet.models.mixes.premixnet:PreMixScorer",
        "postmixnet": "mashnet.models.mixes.postmixnet:PostMixScorer",
        "loop_cnn": "mashnet.models.loops.loop_cnn:LoopCnnScorer",
        "loop_siamese": "mashnet.models.loops.loop_siamese:LoopSiameseScorer",
        "contrastive": "mashnet.models.stems.contrastive:ContrastiveScorer",
        "jepa": "mashnet.models.stems.jepa:JepaScorer",
        "stem_jepa": "mashnet.models.stems.stem_jepa:StemJepaScorer",
        "cocola": "mashnet.models.stems.cocola:CocolaScorer",
        "phalar": "mashnet.models.stems.phalar:PhalarScorer",
        "alignnet": "mashnet.models.stems.alignnet:AlignNetScorer",
        "placenet": "mashnet.models.phrases.placenet:PlaceNetScorer",
    },
)


def scorer_class_of(name: str) -> type[TrainedScorer]:
    """Return the Scorer class of a network; its `network_class` is the network.

    Raises:
        ConfigError: if there is no such network, naming the nearest and all there are.
        ModuleNotFoundError: if it needs an extra that is not installed.
    """
    scorer: type[TrainedScorer] = NETWORKS.load(name)
    return scorer
