"""Whole recordings as songs: what sources share whose music Demucs separates into stems."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from data_pipelines.separate import STORED_GAIN, Separator
from data_pipelines.song_clips import MAX_SONG_S
from data_pipelines.sources.song import RawStem, kind_of

GAIN = 1 / STORED_GAIN  # what the stems must be multiplied by (RawSong.gain)


class Recordings:
    """Separates recordings as a configuration says (`separate`, `source.roles`, `clip.min_s`)."""

    def __init__(self, config: DictConfig) -> None:
        """Name model and cache; raises MashnetError if separate.repo is not a folder."""
        repo = config.separate.repo
        self._separator = Separator(config.separate.model, Path(repo) if repo else None)
        self._kinds = {str(kind): list(names) for kind, names in config.source.roles.items()}
        self._cache = Path(config.out) / "cache" / "separated"
        self._min_s = float(config.clip.min_s)

    def stems(self, path: Path) -> tuple[RawStem, ...]:
        """Return the stems of a recording, separated now or before.

        Raises:
            AudioError: if the recording cannot be used.
            MashnetError: if there are no weights.
            OSError: if the cache cannot be written to.
        """
        stems = self._separator.separate(path, self._cache, min_s=self._min_s, max_s=MAX_SONG_S)
        return tuple(
            RawStem(path=stem, kind=kind_of(name, self._kinds) or "", label=name)
            for name, stem in stems.items()
        )
