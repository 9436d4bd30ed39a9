"""Train, validation and test: decided by a hash of the song's group, never by clip."""

from __future__ import annotations

import hashlib

from mashnet.errors import ConfigError


def split_of(group: str, *, val: float = 0.15, test: float = 0.15, rotation: float = 0.0) -> str:
    """Return the split of a group (artist, album, package: whatever shares sounds).

    The group's hash decides alone, so adding music never moves a song to another split.

    Args:
        group: its name.
        val: share of the groups for validation.
        test: share of the groups for testing.
        rotation: turns the splits by that share of the groups. With test=0.2 the rotations 0, 0.2,
            0.4, 0.6 and 0.8 hold every group out exactly once: cross-validation.

    Raises:
        ConfigError: if the shares do not leave a training split.
    """
    if val < 0 or test < 0 or val + test >= 1:
        raise ConfigError(
            f"splits: val={val} and test={test} must be ≥ 0 and add up to less than 1"
        )
    digest = hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    position = (int.from_bytes(digest, "big") / 2**64 + rotation) % 1.0
    if position < 1 - val - test:
        return "train"
    return "val" if position < 1 - test else "test"
