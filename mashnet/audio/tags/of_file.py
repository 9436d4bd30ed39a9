"""A file's own tags, whatever its format."""

from __future__ import annotations

from pathlib import Path

from mashnet.audio.tags.bytes_of_file import Malformed
from mashnet.audio.tags.id3 import id3_tags
from mashnet.audio.tags.mp4 import mp4_tags
from mashnet.audio.tags.vorbis import vorbis_tags
from mashnet.storage.regular_files import opened


def tags_of(path: Path) -> dict[str, str]:
    """Return title, artist, license, bpm and key as a file's tags say; what it lacks is absent."""
    try:
        with opened(path) as file:
            for reader in (vorbis_tags, mp4_tags, id3_tags):
                try:
                    tags = reader(file)
                except Malformed:
                    continue
                if tags:
                    return tags
    except OSError:
        pass
    return {}
