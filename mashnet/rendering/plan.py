"""Which time of a guest sounds at which time of the base: arithmetic, no audio.

Four techniques, those of AutoMashup:

| technique     | what is aligned                                        | key |
|---------------|--------------------------------------------------------|-----|
| tempo         | the whole guest, from first downbeat to first downbeat | no  |
| tempo+key     | the same                                               | yes |
| structure     | each section with the guest's section of the same name | no  |
| structure+key | the same                                               | yes |

Conventions: times are in seconds from the start of a song's clip. A piece is a stretch of the base
in which the guest runs on without a jump; between pieces lies a splice, on a beat of the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mashnet.errors import require_one_of
from mashnet.music.keys import Key, shift_to_fit
from mashnet.music.sections import Section
from mashnet.rendering.grid import Grid, at_tempo_of, grid_of

TECHNIQUES = ("tempo", "tempo+key", "structure", "structure+key")
DEFAULT_TECHNIQUE = "structure+key"
RENDERING_ENGINE = "pylibrb_r2"  # of mashnet.audio.stretch: follows beats, and is quick
_TOLERANCE_S = 0.008  # how far a key frame may be from the line through its neighbours
_LONGEST_S = 120.0  # a longer piece is cut on a bar line: pieces are stretched in memory


@dataclass(frozen=True)
class SongFacts:
    """What a plan needs to know about a song.

    Attributes:
        name: what to call it in a warning.
        duration_s: of the clip.
        beats_s: in order of time; may be empty.
        downbeats_s: those that begin a bar; may be empty.
        beats_per_bar: None if not known.
        key: None if not known.
        sections: in order of time; may be empty.
    """

    name: str
    duration_s: float
    beats_s: Sequence[float] = ()
    downbeats_s: Sequence[float] = ()
    beats_per_bar: int | None = None
    key: Key | None = None
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class Piece:
    """A stretch of the base in which a guest sounds without a jump.

    Attributes:
        keyframes_s: (guest time, base time), both strictly increasing, at least two; between two
            of them the guest's tempo is changed by one ratio. The guest may begin before 0 or end
            after its last sample: it is silent there.
    """

    keyframes_s: tuple[tuple[float, float], ...]

    @property
    def start_s(self) -> float:
        """Base time at which it begins."""
        return self.keyframes_s[0][1]

    @property
    def end_s(self) -> float:
        """Base time at which it ends."""
        return self.keyframes_s[-1][1]


@dataclass(frozen=True)
class GuestPlan:
    """What a guest does in a mashup.

    Attributes:
        semitones: shift of its pitched stems, in [-5, 6].
        pieces: in order of time, not overlapping; where there is none the base is alone.
        warnings: what was missing, one line each.
    """

    semitones: int
    pieces: tuple[Piece, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Run:
    """Beats of the guest from one position on, on beats of the base from another on."""

    base: int
    guest: int
    beats: int


def plan_guest(base: SongFacts, guest: SongFacts, technique: str) -> GuestPlan:
    """Lay a guest on a base.

    Args:
        base: the song whose time stays as it is.
        guest: the song that is moved.
        technique: one of `TECHNIQUES`.

    Returns:
        A plan in any case; what was missing for the technique is in its warnings.

    Raises:
        ConfigError: if the technique is unknown.
    """
    require_one_of("technique", technique, TECHNIQUES)
    warnings: list[str] = []
    semitones = _semitones(base, guest, warnings) if technique.endswith("+key") else 0
    base_grid, guest_grid = _grid(base, warnings), _grid(guest, warnings)
    if base_grid is None or guest_grid is None:
        warnings.append(f"{guest.name} is laid on {base.name} from the beginning, at its own tempo")
        length_s = min(base.duration_s, guest.duration_s)
        pieces = _cut_up(((0.0, 0.0), (length_s, length_s))) if length_s > 0 else ()
        return GuestPlan(semitones, pieces, tuple(warnings))
    guest_grid = at_tempo_of(guest_grid, base_grid)
    if not _bars_fit(base_grid, guest_grid):
        warnings.append(
            f"bars of {guest.name} have {guest_grid.beats_per_bar} beats, those of {base.name} "
            f"{base_grid.beats_per_bar}: beats are together, bars are not"
        )
    runs: list[_Run] = []
    if technique.startswith("structure"):
        for song in (base, guest):
            if not song.sections:
                warnings.append(
                    f"{song.name} has no sections: aligned as a whole "
                    "(python -m data_pipelines.structure finds sections)"
                )
    if technique.startswith("structure") and base.sections and guest.sections:
        runs = _by_section(base, guest, base_grid, guest_grid, warnings)
    else:
        runs = _as_a_whole(base_grid, guest_grid, guest.duration_s)
    laid: list[Piece] = []
    for run in _joined(runs):
        times = [
            (
                float(guest_grid.times_s[run.guest + beat]),
                float(base_grid.times_s[run.base + beat]),
            )
            for beat in range(run.beats + 1)
        ]
        laid += _cut_up(tuple(times))
    return GuestPlan(semitones, tuple(laid), tuple(warnings))


def _semitones(base: SongFacts, guest: SongFacts, warnings: list[str]) -> int:
    for song in (base, guest):
        if song.key is None:
            warnings.append(f"{song.name} has no key: nothing is transposed to or from it")
    if base.key is None or guest.key is None:
        return 0
    return shift_to_fit(guest.key, base.key)


def _grid(song: SongFacts, warnings: list[str]) -> Grid | None:
    grid = grid_of(song.beats_s, song.downbeats_s, song.beats_per_bar, song.duration_s)
    if grid is None:
        warnings.append(f"{song.name} has no beats")
    elif not len(song.downbeats_s):
        warnings.append(f"{song.name} has no downbeats: its first beat is taken for one")
    return grid


def _bars_fit(base: Grid, guest: Grid) -> bool:
    longer, shorter = sorted((base.beats_per_bar, guest.beats_per_bar), reverse=True)
    return longer % shorter == 0


def _as_a_whole(base: Grid, guest: Grid, guest_duration_s: float) -> list[_Run]:
    """Align first downbeats; a guest that ends is repeated from its first downbeat on."""
    last = guest.position_before(guest_duration_s + guest.period_s / 2)
    first = max(0, base.first_downbeat - guest.first_downbeat)
    begin = guest.first_downbeat - (base.first_downbeat - first)
    lead_in = [_Run(first, begin, base.first_downbeat - first)] if base.first_downbeat else []
    body = _repeated(
        base,
        (base.first_downbeat, len(base.times_s) - 1),
        guest,
        (guest.first_downbeat, max(last, guest.first_downbeat + 1)),
    )
    return [run for run in lead_in if run.beats > 0] + body


def _by_section(
    base: SongFacts, guest: SongFacts, base_grid: Grid, guest_grid: Grid, warnings: list[str]
) -> list[_Run]:
    """Put on each section the guest's of the same name: its first on the first, and so on."""
    offered: dict[str, list[tuple[int, int]]] = {}
    for section in guest.sections:
        span = _span(section, guest_grid, guest.duration_s)
        if span is None:
            warnings.append(f"{_called(section)} of {guest.name} has no bar: not used")
        else:
            offered.setdefault(section.label, []).append(span)
    runs: list[_Run] = []
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
) -> list[_Run]:
    """Fill a span of the base with one of the guest, bar by bar.

    Where less than a bar of the guest is left it begins again, on the base's bar line. Where a
    downbeat of the base has come to lie on none of the guest (a bar more or less than the other
    has, or a tracker's slip), the guest moves on or back to its nearest one.
    """
    position, stop = base_span
    first, last = guest_span
    at = first
    fits = _bars_fit(base, guest)
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
        runs.append(_Run(position, at, beats))
        position, at = position + beats, at + beats
        if at >= last:
            at = first
        elif fits and position == bar_end and not _on_bar_line(guest, at, base.beats_per_bar):
            near = [
                g
                for g in range(max(first, at - beats // 2), min(last, at + beats // 2 + 1))
                if _on_bar_line(guest, g, base.beats_per_bar)
            ]
            at = min(near, key=lambda g: abs(g - at), default=at)
    return runs


def _on_bar_line(guest: Grid, position: int, beats_per_bar: int) -> bool:
    """Return whether a bar of the base may begin at this beat of the guest."""
    before = guest.downbeats[: position + 1].nonzero()[0]
    if not before.size:
        return True
    since = position - int(before[-1])
    # A bar of the guest may be two of the base.
    return since == 0 or (since % beats_per_bar == 0 and guest.beats_per_bar > beats_per_bar)


def _joined(runs: Sequence[_Run]) -> list[_Run]:
    """Put runs together that go on from each other."""
    joined: list[_Run] = []
    for run in runs:
        before = joined[-1] if joined else None
        if (
            before
            and before.base + before.beats == run.base
            and before.guest + before.beats == run.guest
        ):
            joined[-1] = _Run(before.base, before.guest, before.beats + run.beats)
        else:
            joined.append(run)
    return joined


def _cut_up(keyframes: tuple[tuple[float, float], ...]) -> tuple[Piece, ...]:
    """Straighten key frames, and cut what is too long to be stretched at once."""
    (first, start_s), (last, end_s) = keyframes[0], keyframes[-1]
    if len(keyframes) == 2 and end_s - start_s > _LONGEST_S:  # without beats: anywhere
        count = int((end_s - start_s) // _LONGEST_S) + 1
        shares = [part / count for part in range(count + 1)]
        keyframes = tuple(
            (first + share * (last - first), start_s + share * (end_s - start_s))
            for share in shares
        )
    pieces = []
    begin = 0
    for end in range(1, len(keyframes)):
        at_end = end == len(keyframes) - 1
        if at_end or keyframes[end + 1][1] - keyframes[begin][1] > _LONGEST_S:
            pieces.append(Piece(straightened(keyframes[begin : end + 1])))
            begin = end
    return tuple(pieces)


def straightened(
    keyframes: Sequence[tuple[float, float]], tolerance_s: float = _TOLERANCE_S
) -> tuple[tuple[float, float], ...]:
    """Leave out key frames that a line through others comes near to; both ends stay.

    A tracker's beats lie on frames of 10 ms. Following them one by one makes the tempo of a steady
    song waver by percents; a line that passes each of them within a few milliseconds does not.

    Args:
        keyframes: pairs of times, strictly increasing.
        tolerance_s: by how much a pair's second time may be missed.
    """
    kept = [keyframes[0]]
    anchor = 0
    while anchor < len(keyframes) - 1:
        origin_in, origin_out = keyframes[anchor]
        least, most = 0.0, float("inf")
        best = anchor + 1
        for index in range(anchor + 1, len(keyframes)):
            run, rise = keyframes[index][0] - origin_in, keyframes[index][1] - origin_out
            if least <= rise / run <= most:
                best = index
            least = max(least, (rise - tolerance_s) / run)
            most = min(most, (rise + tolerance_s) / run)
            if least > most:
                break
        anchor = best
        kept.append(keyframes[anchor])
    return tuple(kept)
