"""Which beats of a guest sound on which beats of the base: as a whole, or section by section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mashnet.music.sections import Section
from mashnet.music.song_facts import SongFacts
from mashnet.rendering.grid import Grid


@dataclass(frozen=True)
class Run:
    """Beats of the guest from one position on, on beats of the base from another on."""

    base: int
    guest: int
    beats: int


def as_a_whole(base: Grid, guest: Grid, guest_duration_s: float) -> list[Run]:
    """Align first downbeats; a guest that ends is repeated from its first downbeat on."""
    last = guest.position_before(guest_duration_s + guest.period_s / 2)
    first = max(0, base.first_downbeat - guest.first_downbeat)
    begin = guest.first_downbeat - (base.first_downbeat - first)
    lead_in = [Run(first, begin, base.first_downbeat - first)] if base.first_downbeat else []
    body = _repeated(
        base,
        (base.first_downbeat, len(base.times_s) - 1),
        guest,
        (guest.first_downbeat, max(last, guest.first_downbeat + 1)),
    )
    return [run for run in lead_in if run.beats > 0] + body


def by_section(
    base: SongFacts, guest: SongFacts, base_grid: Grid, guest_grid: Grid, warnings: list[str]
) -> list[Run]:
    """Put on each section the guest's of the same name: its first on the first, and so on.

    Args:
        base: the song whose time stays as it is.
        guest: the song that is moved.
        base_grid: beats of the base.
        guest_grid: beats of the guest, at the base's tempo.
        warnings: gets a line for each section that is not used, and for those that are missing.
    """
    offered: dict[str, list[tuple[int, int]]] = {}
    for section in guest.sections:
        span = _span(section, guest_grid, guest.duration_s)
        if span is None:
            warnings.append(f"{_called(section)} of {guest.name} has no bar: not used")
        else:
            offered.setdefault(section.label, []).append(span)
    runs: list[Run] = []
    seen: dict[str, int] = {}
    missing: list[str] = []
    free = 0  # first position of the base that no section has taken yet
    for section in base.sections:
        span = _span(section, base_grid, base.duration_s)
        if span is None or span[1] <= free:
            warnings.append(f"{_called(section)} of {base.name} has no bar: skipped")
            continue
        span = max(span[0], free), span[1]
        free = span[1]
        choices = offered.get(section.label)
        if not choices:
            missing += [section.label] if section.label not in missing else []
            continue
        choice = choices[seen.get(section.label, 0) % len(choices)]
        seen[section.label] = seen.get(section.label, 0) + 1
        runs += _repeated(base_grid, span, guest_grid, choice)
    if missing:
        warnings.append(f"{guest.name} has no {', no '.join(missing)}: {base.name} is alone there")
    return runs


def joined(runs: Sequence[Run]) -> list[Run]:
    """Put runs together that go on from each other."""
    joined: list[Run] = []
    for run in runs:
        before = joined[-1] if joined else None
        if (
            before
            and before.base + before.beats == run.base
            and before.guest + before.beats == run.guest
        ):
            joined[-1] = Run(before.base, before.guest, before.beats + run.beats)
        else:
            joined.append(run)
    return joined


def bars_fit(base: Grid, guest: Grid) -> bool:
    """Return whether bars of one are as long in beats as one or several bars of the other."""
    longer, shorter = sorted((base.beats_per_bar, guest.beats_per_bar), reverse=True)
    return longer % shorter == 0


def _called(section: Section) -> str:
    return f"the {section.label} at {section.start_s:.1f} s"


def _span(section: Section, grid: Grid, duration_s: float) -> tuple[int, int] | None:
    """Return the positions at which a section begins and ends, on bar lines; None without a bar."""
    if not section.end_s > section.start_s:
        return None
    start = grid.nearest_downbeat(section.start_s)
    end = grid.nearest_downbeat(section.end_s)
    # Songs end where they end, not on a bar line.
    if section.end_s > duration_s - grid.beats_per_bar * grid.period_s:
        end = max(end, grid.position_before(section.end_s))
    return (start, end) if end > start else None


def _repeated(
    base: Grid, base_span: tuple[int, int], guest: Grid, guest_span: tuple[int, int]
) -> list[Run]:
    """Fill a span of the base with one of the guest, bar by bar.

    Where less than a bar of the guest is left it begins again, on the base's bar line. Where a
    downbeat of the base has come to lie on none of the guest (a bar more or less than the other
    has, or a tracker's slip), the guest moves on or back to its nearest one.
    """
    position, stop = base_span
    first, last = guest_span
    at = first
    fits = bars_fit(base, guest)
    runs = []
    while position < stop:
        bar_end = position + 1
        while bar_end < stop and not base.downbeats[bar_end]:
            bar_end += 1
        beats = bar_end - position
        left = last - at
        if left < beats and at > first:
            if bar_end == len(base.times_s) - 1 and left == beats - 1:
                stop = position + left  # the base itself ends within the beat that is missing
            else:
                at = first
        beats = min(beats, last - at, stop - position)
        runs.append(Run(position, at, beats))
        position, at = position + beats, at + beats
        if at >= last:
            at = first
        elif fits and position == bar_end:
            at = to_bar_line(guest, at, base.beats_per_bar, range(first, last), beats // 2)
    return runs


def to_bar_line(guest: Grid, at: int, beats_per_bar: int, among: range, reach: int) -> int:
    """Return the position nearest to one at which a bar of the base may begin.

    Args:
        guest: whose position.
        at: where the guest has come to.
        beats_per_bar: of the base.
        among: positions that come into question.
        reach: how many beats it may move on or back.

    Returns:
        The position itself where there is none.
    """
    near = [
        g
        for g in range(max(among.start, at - reach), min(among.stop, at + reach + 1))
        if _on_bar_line(guest, g, beats_per_bar)
    ]
    return min(near, key=lambda g: abs(g - at), default=at)


def _on_bar_line(guest: Grid, position: int, beats_per_bar: int) -> bool:
    """Return whether a bar of the base may begin at this beat of the guest."""
    before = guest.downbeats[: position + 1].nonzero()[0]
    if not before.size:
        return True
    since = position - int(before[-1])
    # A bar of the guest may be two of the base.
    return since == 0 or (since % beats_per_bar == 0 and guest.beats_per_bar > beats_per_bar)
