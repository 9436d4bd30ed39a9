"""Settings that are paths or free text: whatever a shell passes is taken as it is.

Hydra has a grammar for values, in which brackets, braces, commas, quotes, =, #, $ and more mean
something; names of people's folders hold all of them. Such a value is therefore quoted before Hydra
reads it.
"""

from __future__ import annotations

import os
import re

from hydra.core.override_parser.overrides_parser import OverridesParser

# The last part of their names.
FREE_TEXT = frozenset(
    "address all_in_one audio checkpoint db init_from judge key_file license near_key out project "
    "query_db repo results resume root run runs text_weights weights".split()
)
LISTS = frozenset(("checkpoint", "results"))  # of these, [a,b] is a list


def is_free_text(override: str) -> bool:
    """Return whether an override sets a path or free text."""
    name, equals, value = override.partition("=")
    if not equals or name.startswith(("hydra", "~")):
        return False
    last = name.lstrip("+").rpartition(".")[2]
    # A rule's weights are numbers by name, a network's lie in a file.
    return last in FREE_TEXT and not (last == "weights" and value.startswith("{"))


def quoted(override: str) -> str:
    """Return an override that gives Hydra the value as it was typed; null stays null.

    A path in quotes for Hydra is the path inside if that is there, and nothing of the name with
    the quotes is. A list of paths, [a,b], is left to Hydra if Hydra can read it; what it cannot
    read is taken apart at its commas.
    """
    if not is_free_text(override):
        return override
    name, _, value = override.partition("=")
    if value == "null":
        return override
    if name.rpartition(".")[2] in LISTS and value.startswith("[") and value.endswith("]"):
        try:
            OverridesParser.create().parse_override(override)
        except Exception:
            parts = [quoted_value(part.strip()) for part in value[1:-1].split(",")]
            return f"{name}=[{','.join(parts)}]"
        return override
    if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
        inside = value[1:-1]
        # Quoted for Hydra, as it used to be needed; a name may have quotes of its own.
        if os.path.exists(inside) and not os.path.exists(value):
            value = inside
    return f"{name}={quoted_value(value)}"


def quoted_value(text: str) -> str:
    """Return a text in quotes, so that neither Hydra nor OmegaConf finds anything in it."""
    # OmegaConf: a $ before a brace begins a reference unless a backslash stands before it.
    plain = re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + r"\${", text)
    # Hydra: backslashes mean something only before a quote, and at the end.
    plain = re.sub(r"(\\*)'", lambda found: 2 * found[1] + r"\'", plain)
    plain = re.sub(r"(\\+)$", lambda found: 2 * found[1], plain)
    return f"'{plain}'"


def as_typed(override: str) -> str:
    """Return an override of Hydra's grammar as a user would type it: undo `quoted`."""
    if not is_free_text(override):
        return override
    name = override.partition("=")[0]
    value = OverridesParser.create().parse_override(override).value()
    if not isinstance(value, str):
        return override
    return f"{name}=" + re.sub(r"(\\*)\\\$\{", lambda f: f[1][: len(f[1]) // 2] + "${", value)
