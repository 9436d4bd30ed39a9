"""A cache of log-mels on disk, so that training reads windows instead of computing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.parts import Part
from mashnet.files import content_id, remove_leftovers, written_atomically
from mashnet.progress import Progress
from mashnet.storage.contained_paths import inside, place
from mashnet.storage.local_copies import load_array
from mashnet.storage.paths import missing


class FeatureStore:
    """Log-mels of summed parts as float16 .npy files, (frames, mels), read by memory mapping.

    Those of a database in a store lie there, too, and are read through copies on this machine.
    """

    def __init__(self, root: Path, frontend: MixFrontend) -> None:
        """Keep the features under `root`, one folder per frontend."""
        self.folder = place(root, frontend.frontend_id)
        self.frontend = frontend

    @staticmethod
    def feature_id(parts: Sequence[Part]) -> str:
        """Name the sum of some parts."""
        return content_id("sum", *[part.part_id for part in parts])

    def path(self, feature_id: str) -> Path:
        """Return where a feature lies or would lie."""
        return self.folder.joinpath(*self._names(feature_id))

    @staticmethod
    def _names(feature_id: str) -> tuple[str, str]:
        return feature_id[:2], f"{feature_id}.npy"

    def build(self, wanted: Mapping[str, Sequence[Part]], device: str = "cpu") -> int:
        """Compute the features that are not there yet; return how many were computed.

        Args:
            wanted: feature_id → the parts to sum.
            device: where the spectrograms are computed.
        """
        paths = {key: self.path(key) for key in wanted}
        not_there = missing(self.folder, paths.values())
        absent = {key: parts for key, parts in wanted.items() if paths[key] in not_there}
        if absent:
            remove_leftovers(self.folder)
        for key, parts in Progress(absent.items(), desc="log-mels", unit="part", hidden=not absent):
            mel = self.frontend.log_mel_of(parts, device).to(torch.float16).cpu().numpy()
            target = place(self.folder, *self._names(key))
            with written_atomically(target) as temporary:
                np.save(temporary, mel)
        return len(absent)

    def open(self, feature_id: str) -> np.ndarray:
        """Return the feature, (frames, mels), float16, memory-mapped.

        Raises:
            DatabaseError: if it is a link to a file elsewhere.
        """
        inside(self.folder, "/".join(self._names(feature_id)), f"feature {feature_id}")
        return load_array(self.path(feature_id))
