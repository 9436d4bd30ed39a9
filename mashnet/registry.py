"""What can be asked for by a name: a table from names to the places in the code that they mean."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mashnet.errors import require_one_of


@dataclass(frozen=True)
class Registry:
    """One kind of thing that settings name. Saying what there is imports none of it.

    Attributes:
        setting: what a user types to choose one; messages name it.
        places: name → "package.module:attribute".
    """

    setting: str
    places: Mapping[str, str]

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self.places)

    def load(self, name: str) -> Any:
        """Import the module of one name, and no other's; return what the table says of it.

        Raises:
            ConfigError: if there is no such name, naming the nearest and all there are.
        """
        place = self.places[require_one_of(self.setting, name, self.places)]
        module, _, attribute = place.partition(":")
        return getattr(importlib.import_module(module), attribute)
