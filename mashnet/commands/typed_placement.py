"""A placement as it is typed: guest_bar=9 base_bar=17 semitones=2; bars count from 1."""

from __future__ import annotations

from collections.abc import Mapping

from mashnet.commands.small_program import number, whole_number
from mashnet.errors import ConfigError, require_one_of
from mashnet.music.placement import Placement
from mashnet.music.tempo_levels import RENDERED_LEVELS, level_fraction

PLACEMENT_KEYS = ("guest_bar", "base_bar", "bars", "semitones", "cents", "tempo_level")
PLACEMENT_USAGE = (
    "technique=placed guest_bar=9 base_bar=17 [bars=8] [semitones=-6…6] [cents=-50…50] "
    "[tempo_level=1|2|1/2|2/3|3/2]"
)
_NEEDED = PLACEMENT_KEYS[:2]


def read_placement(settings: Mapping[str, str]) -> Placement:
    """Return the placement that settings describe.

    Args:
        settings: as typed; those of other names are left alone. Bars are counted from 1, as in the
            words that people are told; only the first two are needed.

    Raises:
        ConfigError: if one is missing, or has a value that is not allowed.
    """
    if missing := [f"{key}=…" for key in _NEEDED if key not in settings]:
        raise ConfigError(f"{', '.join(missing)} must be given: {PLACEMENT_USAGE}")
    given = {"bars": "1", "semitones": "0", "cents": "0", "tempo_level": "1", **settings}
    levels = {level_fraction(level): level for level in RENDERED_LEVELS}
    guest_bar, base_bar, bars = (
        whole_number(key, given[key], least=1) for key in ("guest_bar", "base_bar", "bars")
    )
    return Placement(
        guest_bar - 1,
        base_bar - 1,
        bars,
        whole_number("semitones", given["semitones"], least=-6, most=6),
        number("cents", given["cents"], least=-50, most=50),
        levels[require_one_of("tempo_level", given["tempo_level"], levels)],
    )
