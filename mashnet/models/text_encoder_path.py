"""Where a text encoder's weights lie: the user says so; a run's or bundle's file never does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mashnet.errors import ConfigError

ALLOWED = "MASHNET_TEXT_WEIGHTS"  # what the environment calls the user's choice
CLAP_MUSIC = "laion/larger_clap_music"


def chosen_by_user(sizes: Mapping[str, Any], chosen: str | None, where: str) -> dict[str, Any]:
    """Return the sizes of a network from a file, with the text encoder's weights from its user.

    A file that names weights asks for a folder to be opened, or for a hub to be reached. That is
    for whoever loads it to say, not for who wrote it; so what the file names is never followed.

    Args:
        sizes: as the file has them.
        chosen: a local folder or a hub id; None: what MASHNET_TEXT_WEIGHTS says.
        where: the file, for messages.

    Raises:
        ConfigError: if weights are needed and the user has named none.
    """
    if sizes.get("text", "minilm") == "minilm":
        return dict(sizes)
    chosen = chosen or os.environ.get(ALLOWED)
    if not chosen:
        named = " ".join(str(sizes.get("text_weights") or CLAP_MUSIC).split())[:100]
        raise ConfigError(
            f"{where} needs the text encoder of CLAP, and names '{named}' for it; nothing is "
            f"opened or fetched because a file names it. Name it yourself, a folder or a hub id: "
            f"mashnet.load(…, text_weights=…), or {ALLOWED}=… before the command"
        )
    return {**sizes, "text_weights": chosen}
