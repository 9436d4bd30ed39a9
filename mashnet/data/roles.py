"""The roles that a stem can have in a mix."""

from __future__ import annotations

from collections.abc import Collection

ROLES = ("vocal", "harmonic", "percussion")  # the three parts of a mix (Huang et al., AAAI 2021)
VOCAL, HARMONIC, PERCUSSION = ROLES
# Everything but the vocal in one stem, as separators of two stems and instrumentals give it.
ACCOMPANIMENT = "accompaniment"
STEM_ROLES = (*ROLES, ACCOMPANIMENT)
MUSIC = (HARMONIC, PERCUSSION)


def music_roles(sounding: Collection[str]) -> tuple[str, ...]:
    """Return the roles that are a clip's music: what a vocal is heard with.

    Args:
        sounding: roles of the clip's stems that sound.

    Returns:
        The accompaniment where it is one stem, which holds all of the music; else harmonic and
        percussion; nothing where one of these two is missing.
    """
    if ACCOMPANIMENT in sounding:
        return (ACCOMPANIMENT,)
    return MUSIC if set(MUSIC) <= set(sounding) else ()


def have(sounding: Collection[str], wanted: Collection[str]) -> bool:
    """Return whether roles sound; an accompaniment stands for harmonic and percussion together."""
    found = set(sounding)
    if set(MUSIC) <= set(wanted) and music_roles(found):
        found |= set(MUSIC)
    return set(wanted) <= found
