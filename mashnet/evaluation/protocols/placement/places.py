"""Where does a phrase belong in its own song? Phrases moved by a known number of bars and keys.

The music of a clip stays. Eight bars are cut out of its vocal, with up to a bar less one beat
before them, and really shifted by some semitones in the stretch engine: what the cut-out knows of
its beats, bars and key is moved with it. Annotated at another metrical level its beats are counted
anew; the sound stays.

Music repeats. A place is as good as the true one where the music is the same for all of the phrase:
its pitch classes (half beat by half beat) and its onsets (twelve moments a beat) agree with those
there, by correlations of `ALIKE_CHROMA` and `ALIKE_ONSETS` at least. On the training songs of a
library of tracker modules and MIDI files that is one place in twelve, and one in four at a distance
of four or eight bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mashnet.audio.stretch import require_installed
from mashnet.data.mixes.part_store import DEFAULT_RATE
from mashnet.data.mixes.rendering import RenderedPart
from mashnet.data.parts import ArrayPart, Group
from mashnet.data.phrases.beat_store import SideInBeats
from mashnet.data.phrases.phrase import SidePhrases
from mashnet.data.roles import VOCAL, music_roles
from mashnet.evaluation.protocols.placement.questions import USUAL_BARS
from mashnet.evaluation.subjects.phrases import PhraseSource, PhraseWindow
from mashnet.music.song_facts import SongFacts
from mashnet.progress import Progress
from mashnet.rendering.plan import RENDERING_ENGINE

ALIKE_CHROMA, ALIKE_ONSETS = 0.95, 0.9
MOST_SEMITONES = 3  # by which a phrase is shifted, up or down
_NEAR_S = 0.02  # two times this near are one
AS_IT_IS, HALF_TIME, DOUBLE_TIME = LEVELS = (1.0, 2.0, 0.5)  # beats that one of the guest's lasts


@dataclass(frozen=True)
class PlaceQuestion:
    """A phrase of a vocal that looks for its place.

    Attributes:
        window: the phrase, where it lies in its clip.
        base: the clip's music.
        guest: the phrase, cut out and shifted.
        semitones: by which it was shifted.
        beats: of the vocal before the phrase's first bar.
        places: bars of the base on which such a phrase can begin.
        alike: at which of them the music is as where the phrase belongs; there, too.
    """

    window: PhraseWindow
    base: Group
    guest: ArrayPart
    semitones: int
    beats: int
    places: np.ndarray
    alike: np.ndarray

    def at_level(self, level: float) -> Group:
        """Return the guest, its beats counted at a metrical level."""
        assert self.guest.facts is not None
        return {VOCAL: replace(self.guest, facts=counted(self.guest.facts, level))}

    def bar_of(self, base_bar: int, guest_bar: int, level: float) -> float:
        """Return on which bar of the base the phrase begins; whole where bar meets bar.

        Args:
            base_bar: on which a bar of the guest is laid.
            guest_bar: which one, of the guest as `at_level` counts it.
            level: at which its beats are counted.
        """
        assert self.guest.facts is not None
        downbeats = np.asarray(counted(self.guest.facts, level).downbeats_s)
        before = int((downbeats < self.guest.facts.downbeats_s[0] - _NEAR_S).sum())
        return base_bar - (guest_bar - before) * level


def place_questions(source: PhraseSource, num_places: int, *, seed: int) -> list[PlaceQuestion]:
    """Draw phrases and cut them out.

    Args:
        source: the phrases.
        num_places: at most so many, drawn evenly.
        seed: of the draws.

    Returns:
        Phrases of clips in which there are at least two places for them.
    """
    if num_places == 0:
        return []
    require_installed(RENDERING_ENGINE)
    windows = [
        window
        for window in source.windows(USUAL_BARS)
        if len(source.bars(window.clip_id).phrases(USUAL_BARS)) > 1
    ]
    random = np.random.default_rng(seed)
    if len(windows) > num_places:
        chosen = random.choice(len(windows), num_places, replace=False)
        windows = [windows[index] for index in sorted(chosen)]
    return [
        _question(source, window, random)
        for window in Progress(windows, desc="phrases cut out", unit="phrase")
    ]


def counted(facts: SongFacts, level: float) -> SongFacts:
    """Return the same music with its beats counted at another metrical level.

    Args:
        facts: of music that begins with a bar line or before one.
        level: how many of the beats one lasts then: 1, 2 or 1/2. A bar keeps its number of beats.
    """
    if level == AS_IT_IS:
        return facts
    beats, downbeats = np.asarray(facts.beats_s), np.asarray(facts.downbeats_s)
    first = int(np.abs(beats - downbeats[0]).argmin())
    metre = facts.beats_per_bar or round((len(beats) - 1) / max(1, len(downbeats) - 1))
    if level == HALF_TIME:
        beats, first = beats[first % 2 :: 2], first // 2
    else:
        between = (beats[1:] + beats[:-1]) / 2
        beats, first = np.sort(np.concatenate([beats, between])), 2 * first
    return replace(
        facts,
        beats_s=tuple(beats.tolist()),
        downbeats_s=tuple(beats[first % metre :: metre].tolist()),
        tempo_bpm=facts.tempo_bpm and facts.tempo_bpm / level,
    )


def alike(music: SideInBeats, places: Sequence[int] | np.ndarray, at: int, bars: int) -> np.ndarray:
    """Return at which places music is the same for so many bars as at one of them, (places,)."""
    side = SidePhrases.of(music.features, None)
    phrases, own = side.cut(places, bars), side.cut([at], bars)
    chroma = _correlation(phrases.chroma.flatten(1), own.chroma.flatten(1))
    onsets = _correlation(phrases.onsets.mean(-1).flatten(1), own.onsets.mean(-1).flatten(1))
    same = (chroma >= ALIKE_CHROMA) & (onsets >= ALIKE_ONSETS)
    return same.numpy() | (np.asarray(places) == at)


def _correlation(rows: torch.Tensor, one: torch.Tensor) -> torch.Tensor:
    rows, one = (x - x.mean(1, keepdim=True) for x in (rows, one))
    return torch.nn.functional.cosine_similarity(rows, one, dim=1)


def _question(
    source: PhraseSource, window: PhraseWindow, random: np.random.Generator
) -> PlaceQuestion:
    bars, clip = source.bars(window.clip_id), source.clip(window.clip_id)
    beats = int(random.integers(0, bars.beats_per_bar))
    semitones = int(random.integers(-MOST_SEMITONES, MOST_SEMITONES + 1))
    if beats and not (window.bar and bars.whole[window.bar - 1]):
        beats = 0
    start_s = bars.times_s[window.bar, 0]
    if beats:
        start_s = bars.times_s[window.bar - 1, bars.beats_per_bar - beats]
    end_s = bars.times_s[window.bar + window.bars - 1, -1]
    sounding = clip.database.sounding_stems[window.clip_id]
    part = RenderedPart(
        stem_ids=tuple(stem["stem_id"] for stem in sounding[VOCAL]),
        paths=tuple(clip.database.audio_path(stem["stem_id"]) for stem in sounding[VOCAL]),
        semitones=semitones,
        tempo_ratio=1.0,
        place_s=-float(start_s),
        keyframes_s=(),
        duration_s=float(end_s - start_s),
        force=True,
        engine=RENDERING_ENGINE,
        song=clip.database.facts_of(window.clip_id),
    )
    places = bars.phrases(window.bars)
    return PlaceQuestion(
        window=window,
        base=source.whole(window.clip_id, music_roles(sounding)),
        guest=ArrayPart(part.waveform(DEFAULT_RATE), DEFAULT_RATE, part.facts),
        semitones=semitones,
        beats=beats,
        places=places,
        alike=alike(source.music_in_beats(window.clip_id), places, window.bar, window.bars),
    )
