"""What a protocol is asked about: one split of a MashupDB, or all of it."""

from __future__ import annotations

from pathlib import Path

from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import SPLITS
from mashnet.errors import require_one_of


class DatabaseSplit:
    """A database and which of its splits is asked about; `name` is what results call it."""

    def __init__(self, root: str | Path, *, split: str) -> None:
        """Open the database.

        Args:
            root: its folder.
            split: train, val, test, or all for everything in a database not trained on.

        Raises:
            DatabaseError: if there is no such database.
            ConfigError: if there is no such split.
        """
        self.database = MashupDB.open(root)
        self.name = str(root)
        self.split = require_one_of("data.split", split, (*SPLITS, "all"))
