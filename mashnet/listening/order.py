"""The order in which a participant hears the clips: drawn from the participant's id.

Everybody has an order of their own, which depends on the test and the participant's id alone: a
page that is opened again, on another machine or without its server, goes on in the same order. The
page has the same few lines in JavaScript (`answers.js`); a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable

_WORD = 0xFFFFFFFF


def order_of(test: str, participant: str, items: Iterable[str]) -> list[str]:
    """Return the items as this participant hears them."""
    return sorted(items, key=lambda item: (mixed(f"{test}|{participant}|{item}"), item))


def mixed(text: str) -> int:
    """Return 32 bits that look random: FNV-1a of the text's UTF-8, then MurmurHash3's finish.

    Not for secrets; short enough to be the same in two languages. Without the finish, texts that
    differ in their last letters only would come out in nearly the same order.
    """
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & _WORD
    value ^= value >> 16
    value = (value * 0x85EBCA6B) & _WORD
    value ^= value >> 13
    value = (value * 0xC2B2AE35) & _WORD
    return value ^ (value >> 16)
