"""How a graph is told which instrument is looked for: by a vector, or by a number of a class.

Texts are embedded outside: the encoder of texts is no part of a bundle. `instruments.json` has the
vectors of usual names, for programs that have no such encoder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from torch import nn

from mashnet.models.stems.jepa import UNKNOWN, Jepa
from mashnet.models.stems.stem_jepa import StemJepa

USUAL = (
    *(UNKNOWN, "vocals", "lead vocals", "backing vocals", "drums", "kick drum", "snare drum"),
    *("hi-hat", "cymbals", "toms", "percussion", "bass", "bass guitar", "double bass"),
    *("synth bass", "guitar", "acoustic guitar", "electric guitar", "distorted electric guitar"),
    *("piano", "electric piano", "organ", "keyboard", "synthesizer", "synth lead", "synth pad"),
    *("strings", "violin", "cello", "harp", "brass", "trumpet", "trombone", "saxophone"),
    *("woodwind", "flute", "clarinet", "choir", "accordion", "harmonica", "sound effects", "other"),
)


def condition_of(network: nn.Module, instruments: Sequence[str]) -> np.ndarray | None:
    """Return what a graph's input `instrument` takes for some names; None where it has none.

    Args:
        network: that the graph was made from.
        instruments: free text, "" for whatever fits.

    Returns:
        Of jepa vectors (n, c), float32; of stem_jepa numbers of classes (n,), int64.
    """
    if isinstance(network, StemJepa):
        return np.array([network.classes.index(network.class_of(name)) for name in instruments])
    if not isinstance(network, Jepa):
        return None
    vectors = network.conditions(instruments)
    return None if vectors is None else vectors.numpy()


def instruments_file(network: nn.Module) -> bytes | None:
    """Return the content of instruments.json; None for a network that is told no text."""
    if not isinstance(network, Jepa) or (vectors := condition_of(network, USUAL)) is None:
        return None
    rows = {
        name: [float(f"{value:.8g}") for value in vector.tolist()]
        for name, vector in zip(USUAL, vectors, strict=True)
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return f"{{\n{lines}\n}}\n".encode()
