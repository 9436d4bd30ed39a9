"""Which stems of a song can have begun together, by their lengths, and what is said about these.

Workstations write each stem from the song's start and stop where its own sound stops. So a short
stem says nothing against itself; one that goes on long after all others, or after the song's mix,
is another song's.
"""

from __future__ import annotations

from collections.abc import Sequence

from data_pipelines.rejects import reject_row
from data_pipelines.sources.song import RawSong, RawStem
from mashnet.audio.io import length_s

PADDED_S = 1.0  # a stem that ends earlier than the song by no more is padded without a word
_BAR_S = 3.0  # four beats at 80 bpm: where no tempo is known
_MOST_ALONE = 0.5  # a stem may go on alone for so much of what all others last


class UnusableError(Exception):
    """The song as a whole cannot be used: (stage, reason)."""


def begun_together(
    song: RawSong, stems: Sequence[RawStem], lengths: Sequence[float], rejects: list[dict[str, str]]
) -> list[int]:
    """Return the indices of the stems that can have begun together, in their order.

    Args:
        song: whose mixes, where it has any, tell how long it is.
        stems: those that could be read.
        lengths: theirs, in seconds.
        rejects: gets a row for each stem that is left out, one that names all stems that end
            early, and one for a stem that goes on alone for more than a bar.

    Raises:
        UnusableError: if it cannot be told which of them belong together.
    """
    tempo = song.known.tempo_bpm
    bar_s = 60 * (song.known.beats_per_bar or 4) / tempo if tempo else _BAR_S
    mix_s = _mix_s(song)
    beyond = [] if mix_s is None else [length > mix_s + bar_s for length in lengths]
    with_mix = mix_s is not None and 2 * sum(beyond) < len(lengths)
    if with_mix:
        kept = [index for index, is_beyond in enumerate(beyond) if not is_beyond]
        others = f"the song's mix lasts {mix_s:.1f} s"
    else:  # no mix, or one of another song
        kept = _without_strangers(lengths, bar_s)
        others = f"the other stems last {max(lengths[index] for index in kept):.1f} s"
    for index in sorted(set(range(len(stems))).difference(kept)):
        reason = f"lasts {lengths[index]:.1f} s where {others}: of another song?"
        rejects.append(reject_row(stems[index].origin, "stems", reason))
    lasts_s = max(lengths[index] for index in kept)
    short = [index for index in kept if lasts_s - lengths[index] > PADDED_S]
    if short:
        named = ", ".join(f"{_name(stems[index])} from {lengths[index]:.1f} s" for index in short)
        reason = f"stems that end early are silent to the end, at {lasts_s:.1f} s: {named}"
        rejects.append(reject_row(song.origin, "length", reason))
    longest, second_s = _longest(kept, lengths)
    if not with_mix and lasts_s - second_s > bar_s:
        reason = f"goes on alone after {second_s:.1f} s, to {lasts_s:.1f} s; used as it is"
        rejects.append(reject_row(stems[longest].origin, "length", reason))
    return kept


def _without_strangers(lengths: Sequence[float], bar_s: float) -> list[int]:
    """Return the indices that are left when the few that go on far beyond the others are not."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    while gaps := [
        count
        for count in range(1, len(order))
        if lengths[order[count - 1]] - lengths[order[count]]
        > max(bar_s, _MOST_ALONE * lengths[order[count]])
    ]:
        if 2 * gaps[0] < len(order):
            order = order[gaps[0] :]
        elif len(order) == 2:
            spread = ", ".join(f"{length:.1f}" for length in sorted(lengths))
            raise UnusableError("stems", f"its stems differ in length: {spread} s")
        else:
            break  # what goes on is the song: the others end early
    return sorted(order)


def _longest(kept: Sequence[int], lengths: Sequence[float]) -> tuple[int, float]:
    """Return which stem lasts longest, and how long the others last (one stem: itself)."""
    order = sorted(kept, key=lambda index: -lengths[index])
    return order[0], lengths[order[min(1, len(order) - 1)]]


def _mix_s(song: RawSong) -> float | None:
    found = [length for path in song.mixes if (length := length_s(path))]
    return max(found) if found else None


def _name(stem: RawStem) -> str:
    return stem.label if stem.stream else stem.path.name
