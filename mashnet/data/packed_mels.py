"""Many log-mels of one shape in one file, so that a batch is read in one go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mashnet.data.loop_frontend import LoopFrontend
from mashnet.data.parts import Part
from mashnet.files import content_id, written_atomically

Sounds = Sequence[Part]  # heard together: one loop, or two


class PackedMels:
    """Log-mels of loops, and of mixes of loops, as float16, (sounds, frames, mels)."""

    def __init__(self, root: Path, frontend: LoopFrontend) -> None:
        """Keep the files under `root`, one folder per frontend."""
        self.folder = root / frontend.frontend_id
        self.frontend = frontend

    def pack(self, sounds: Sequence[Sounds], *, label: str, device: str = "cpu") -> np.ndarray:
        """Return the log-mels of some sounds, memory-mapped; computed if they are not on disk.

        Args:
            sounds: what is heard together, in the order of the rows.
            label: what the progress bar says.
            device: where the spectrograms are computed.
        """
        key = content_id("packed", [[part.part_id for part in parts] for parts in sounds])
        path = self.folder / f"{key}.npy"
        if not path.is_file():
            shape = (len(sounds), self.frontend.frames, self.frontend.log_mel.n_mels)
            with written_atomically(path) as temporary:
                rows = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
                progress = tqdm(sounds, desc=label, unit="loop", disable=None)
                for row, parts in enumerate(progress):
                    rows[row] = self.frontend.log_mel_of(parts, device).cpu().numpy()
                rows.flush()
        return np.load(path, mmap_mode="r", allow_pickle=False)
