"""mashnet: models that hear whether pieces of music fit together.

import mashnet
model = mashnet.load("checkpoints/premixnet_lsro")
model.score(vocal="v.wav", harmonic="h.wav", percussion="p.wav")
model.rank(query={"vocal": "v.wav"}, library="data/real")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mashnet.scoring import Model

__version__ = "0.1.0"
__all__ = ["load"]


def load(path: Any) -> Model:
    """Load a bundle or a run; see `mashnet.scoring.load`."""
    from mashnet.scoring import load as load_model  # torch is slow to import: only when needed

    return load_model(path)
