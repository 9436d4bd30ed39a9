"""How a pair of loops changes the second: what `params` of pairs.parquet may be.

{}                       not at all
{"reverse": true}        played backwards
{"shift": 1}             begins one beat (two, three) later; what is cut off comes at the end
{"order": [2, 0, 1, 3]}  its beats in another order
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BEATS = 4
_MOST_CHARACTERS = 200  # of the text; the longest that is written has 24


def change_of(text: str) -> dict[str, Any]:
    """Return the change that the params of a pair name.

    Raises:
        ValueError: if they name none.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"the params of a pair have at most {_MOST_CHARACTERS} characters")
    params = json.loads(text)
    if not isinstance(params, dict):
        raise ValueError(f"{text} is no change of a loop")
    require_change(params)
    return params


def require_change(params: Mapping[str, Any]) -> None:
    """Raise a ValueError unless params are one of the changes above."""
    if len(params) > 1 or not set(params) <= {"reverse", "shift", "order"}:
        raise ValueError(f"{dict(params)} is no change of a loop")
    if "reverse" in params and not isinstance(params["reverse"], bool):
        raise ValueError(f"reverse={params['reverse']!r} must be true or false")
    if "shift" in params and not (type(params["shift"]) is int and 1 <= params["shift"] < BEATS):
        raise ValueError(f"a loop is shifted by 1 to {BEATS - 1} beats, not by {params['shift']!r}")
    order = params.get("order", list(range(BEATS)))
    if (
        not isinstance(order, list | tuple)
        or any(type(beat) is not int for beat in order)
        or sorted(order) != list(range(BEATS))
    ):
        raise ValueError(f"order={order!r} is no order of {BEATS} beats")
