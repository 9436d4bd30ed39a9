"""Which time of a guest sounds at which time of the base: arithmetic, no audio.

Four techniques, those of AutoMashup, and one that plays what somebody else has decided:

| technique     | what is aligned                                        | key |
|---------------|--------------------------------------------------------|-----|
| tempo         | the whole guest, from first downbeat to first downbeat | no  |
| tempo+key     | the same                                               | yes |
| structure     | each section with the guest's section of the same name | no  |
| structure+key | the same                                               | yes |
| placed        | a bar of the guest with a bar of the base              | as the placement says |

Conventions: times are in seconds from the start of a song's clip. A piece is a stretch of the base
in which the guest runs on without a jump; between pieces lies a splice, on a beat of the base.
"""

from __future__ import annotations

from dataclasses import dataclass

from mashnet.errors import ConfigError, require_one_of
from mashnet.music.keys import shift_to_fit
from mashnet.music.placement import Placement
from mashnet.music.song_facts import SongFacts
from mashnet.music.tempo_levels import ANY_RATIO, OCTAVES, RENDERED_LEVELS, Folded, folded
from mashnet.music.tunings import Shift, cents_to_fit, shift_with
from mashnet.rendering.grid import Grid, at_level, at_tempo_of, grid_of
from mashnet.rendering.keyframes import Piece, cut_up
from mashnet.rendering.placed import by_placement, meeting_of
from mashnet.rendering.runs import Run, as_a_whole, bars_fit, by_section, joined

TECHNIQUES = ("tempo", "tempo+key", "structure", "structure+key")
PLACED = "placed"  # beside them: for whom a placement is at hand
DEFAULT_TECHNIQUE = "structure+key"
RENDERING_ENGINE = "pylibrb_r2"  # of mashnet.audio.stretch: follows beats, and is quick


@dataclass(frozen=True)
class GuestPlan:
    """What a guest does in a mashup.

    Attributes:
        semitones: shift of its pitched stems, in [-6, 6].
        pieces: in order of time, not overlapping; where there is none the base is alone.
        warnings: what was missing, one line each.
        tempo_level: how many beats of the base one of the guest lasts.
        cents: shift of its pitched stems on top of the semitones.
    """

    semitones: int
    pieces: tuple[Piece, ...]
    warnings: tuple[str, ...]
    tempo_level: float = 1.0
    cents: float = 0.0

    @property
    def shift(self) -> Shift:
        """Semitones and cents together."""
        return Shift(self.semitones, self.cents)


def plan_guest(
    base: SongFacts,
    guest: SongFacts,
    technique: str,
    *,
    tuned: bool = True,
    placement: Placement | None = None,
) -> GuestPlan:
    """Lay a guest on a base.

    Args:
        base: the song whose time stays as it is.
        guest: the song that is moved.
        technique: one of `TECHNIQUES`, or `PLACED`.
        tuned: whether what goes with the key goes with the tuning, too; a placement has its own
            cents.
        placement: where the guest's phrase lies, for `PLACED` and nothing else. Its ratio is not
            asked for: beats are followed.

    Returns:
        A plan in any case; what was missing for the technique is in its warnings.

    Raises:
        ConfigError: if the technique is unknown, the placement is missing or one too many, or a
            song has no such bar.
    """
    require_one_of("technique", technique, (*TECHNIQUES, PLACED))
    if (technique == PLACED) != (placement is not None):
        raise ConfigError(
            f"technique={technique}: no placement says on which bar {guest.name} begins"
            if placement is None
            else f"technique={technique} takes no placement; technique={PLACED} does"
        )
    warnings: list[str] = []
    shift = placement.shift if placement else Shift(0, 0.0)
    if technique.endswith("+key"):
        cents = cents_to_fit(guest.tuning, base.tuning) if tuned else 0.0
        shift = shift_with(_semitones(base, guest, warnings), cents)
    base_grid, guest_grid = _grid(base, warnings), _grid(guest, warnings)
    if base_grid is None or guest_grid is None:
        warnings.append(f"{guest.name} is laid on {base.name} from the beginning, at its own tempo")
        length_s = min(base.duration_s, guest.duration_s)
        pieces = cut_up(((0.0, 0.0), (length_s, length_s))) if length_s > 0 else ()
        return GuestPlan(shift.semitones, pieces, tuple(warnings), cents=shift.cents)
    meeting = meeting_of(placement, base, guest) if placement else None
    if placement and meeting:
        level = placement.tempo_level
        guest_grid = at_level(guest_grid, level, meeting.guest_s)
    else:
        tempo = _tempo(base, guest, base_grid, guest_grid)
        level = tempo.level
        levels = [level * octave for octave in OCTAVES]
        guest_grid = at_tempo_of(guest_grid, base_grid, tempo.ratio, levels)
    if not bars_fit(base_grid, guest_grid):
        warnings.append(
            f"bars of {guest.name} have {guest_grid.beats_per_bar} beats, those of {base.name} "
            f"{base_grid.beats_per_bar}: beats are together, bars are not"
        )
    runs: list[Run] = []
    if technique.startswith("structure"):
        for song in (base, guest):
            if not song.sections:
                warnings.append(
                    f"{song.name} has no sections: aligned as a whole "
                    "(python -m data_pipelines.structure finds sections)"
                )
    if meeting:
        runs = by_placement(base_grid, guest_grid, meeting)
    elif technique.startswith("structure") and base.sections and guest.sections:
        runs = by_section(base, guest, base_grid, guest_grid, warnings)
    else:
        runs = as_a_whole(base_grid, guest_grid, guest.duration_s)
    laid: list[Piece] = []
    for run in joined(runs):
        times = [
            (
                float(guest_grid.times_s[run.guest + beat]),
                float(base_grid.times_s[run.base + beat]),
            )
            for beat in range(run.beats + 1)
        ]
        laid += cut_up(tuple(times))
    return GuestPlan(shift.semitones, tuple(laid), tuple(warnings), level, shift.cents)


def _tempo(base: SongFacts, guest: SongFacts, base_grid: Grid, guest_grid: Grid) -> Folded:
    """Return the level at which beats meet, and about how much faster the guest becomes."""
    ratio = guest_grid.period_s / base_grid.period_s
    if base.tempo_bpm and guest.tempo_bpm:  # so that Scorers were asked about the same level
        ratio = base.tempo_bpm / guest.tempo_bpm
    metres = (base.beats_per_bar, guest.beats_per_bar)
    tempo = folded(ratio, metres, ANY_RATIO, RENDERED_LEVELS)
    assert tempo is not None
    return tempo


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
