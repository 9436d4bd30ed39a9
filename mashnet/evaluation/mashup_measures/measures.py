"""What can be measured of one finished mashup without asking the Scorer that chose it.

`MEASURES` says what each figure means. Loudness and spectrum are measured on the finished sound,
the others on its layers, which are rendered once more: one per role, as they lie in the mix.
A figure that cannot be had (silence, no beats, no vocal) is NaN.

The *voice* is what has the vocal role, the *music* all else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mashnet.audio.io import read_audio
from mashnet.audio.levels import rms_db
from mashnet.audio.limiter import true_peaks
from mashnet.audio.loudness import integrated_lufs, loudness_range_lu, step_powers
from mashnet.data.parts import ArrayPart
from mashnet.data.roles import ACCOMPANIMENT, MUSIC, VOCAL, music_roles
from mashnet.evaluation.mashup_measures.key_clash import key_clash
from mashnet.evaluation.mashup_measures.onset_grid import onset_error_s
from mashnet.evaluation.mashup_measures.spectral_balance import (
    long_term_spectrum_db,
    masked_share,
    spectral_distance_db,
)
from mashnet.models.scorer import Scorer
from mashnet.music.placement import Placement
from mashnet.rendering.beat_lags import beat_lags_s, planned_lags_s
from mashnet.rendering.mashup import Part, plan_parts, render_part
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, RENDERING_ENGINE
from mashnet.rendering.songs import SongOfLibrary

SILENT_DB = -70.0  # dBFS: a layer below is not there
LEAST_BEATS = 8  # that must be recognised in the sound
CLEAR_BY = 0.2  # correlation; pads and arpeggios match in many places
_HARMONIC = "harmonic"


@dataclass(frozen=True)
class Measure:
    """What a figure says.

    Attributes:
        meaning: one sentence, its unit included.
        unit: for tables and axes; empty for shares and scores.
        moved: whether only mashups have it, not originals.
    """

    meaning: str
    unit: str = ""
    moved: bool = False


MEASURES: dict[str, Measure] = {
    "judge_score": Measure("what the judge gives the layers of the finished mashup"),
    "beat_error_ms": Measure(
        "how far the sound at a guest's annotated beats is from the base's beats, in ms "
        "(median over beats)",
        "ms",
        moved=True,
    ),
    "planned_beat_error_ms": Measure(
        "the same by the plan, without listening (median over beats)", "ms", moved=True
    ),
    "onset_error_ms": Measure(
        "how far onsets of the guest are from the nearest sixteenth, as the base's own onsets lie "
        "on its beats, in ms (median over onsets; a quarter of a sixteenth if by chance)",
        "ms",
    ),
    "key_clash": Measure(
        "share of time in which most of the voice's energy is a semitone or a tritone from a "
        "strong pitch class of the music"
    ),
    "masked": Measure(
        "share of the voice (critical bands × time) that lies more than 6 dB below the music"
    ),
    "spectrum_distance_db": Measure(
        "root mean square distance of the long-term spectrum from the mean of the library's "
        "originals, in dB",
        "dB",
    ),
    "loudness_range_lu": Measure("loudness range (EBU Tech 3342), in LU", "LU"),
    "lufs": Measure("integrated loudness (ITU-R BS.1770-4), in LUFS", "LUFS"),
    "true_peak_db": Measure("true peak, 4 × oversampled, in dBTP", "dBTP"),
}


def measure(
    path: Path,
    base: SongOfLibrary,
    guests: Mapping[str, SongOfLibrary],
    *,
    stays: Sequence[str] = MUSIC,
    technique: str = DEFAULT_TECHNIQUE,
    placements: Mapping[str, Placement] | None = None,
    engine: str = RENDERING_ENGINE,
    judge: Scorer | None = None,
    usual_spectrum_db: np.ndarray | None = None,
) -> dict[str, float]:
    """Measure one finished mashup, or an original.

    Args:
        path: its sound.
        base: whose time it keeps.
        guests: role → the song it comes from, as it was rendered; empty for an original.
        stays: roles that are the base's: they ask the judge, the other roles answer.
        technique: that it was rendered with.
        placements: likewise, as in `mashnet.rendering.mashup.render_mashup`.
        engine: that it was rendered with.
        judge: whom to ask about its layers; None: nobody.
        usual_spectrum_db: what its long-term spectrum is compared with, shape (bands,).

    Returns:
        All of `MEASURES`; NaN for what cannot be had.

    Raises:
        AudioError: if the sound or a stem cannot be read.
    """
    parts = [Part(base, base.stems, None, 0.0)]
    if guests:
        parts, _ = plan_parts(base, guests, technique, placements=placements)
    silence = np.zeros(round(base.facts.duration_s * base.sample_rate), np.float32)
    of_parts = [_layers(part, base, engine) for part in parts]
    layers = {
        role: sum((own[role] for own in of_parts if role in own), silence)
        for role in dict.fromkeys(role for own in of_parts for role in own)
    }
    voice = layers.get(VOCAL, silence)
    music = sum((layer for role, layer in layers.items() if role != VOCAL), silence)
    stay = {*stays} if VOCAL in stays else {*stays, ACCOMPANIMENT}
    moved = sum((layer for role, layer in layers.items() if role not in stay), silence)
    stayed = sum((layer for role, layer in layers.items() if role in stay), silence)
    onset_s = onset_error_s(moved, stayed, base.sample_rate, np.asarray(base.facts.beats_s))
    heard_parts = [sum(own.values(), silence) for own in of_parts]
    return {
        **dict.fromkeys(MEASURES, float("nan")),
        **_measure_sound(path, usual_spectrum_db),
        **_measure_beats(parts, heard_parts, base),
        "judge_score": _judged(judge, layers, stays, base.sample_rate),
        "onset_error_ms": 1e3 * onset_s,
        "key_clash": key_clash(voice, layers.get(_HARMONIC, silence), base.sample_rate),
        "masked": masked_share(voice, music, base.sample_rate),
    }


def _layers(part: Part, base: SongOfLibrary, engine: str) -> dict[str, np.ndarray]:
    """Return what each role of a song adds to the mix, mono, role → (samples,)."""
    return {
        role: render_part(
            replace(part, stems=tuple(stem for stem in part.stems if stem.role == role)),
            duration_s=base.facts.duration_s,
            sample_rate=base.sample_rate,
            engine=engine,
        ).mean(axis=0)
        for role in dict.fromkeys(stem.role for stem in part.stems)
    }


def _measure_sound(path: Path, usual_spectrum_db: np.ndarray | None) -> dict[str, float]:
    """Measure what needs no layers."""
    audio, rate = read_audio(path)
    powers = step_powers(audio, rate)
    lufs, peak = integrated_lufs(powers), float(true_peaks(audio).max(initial=0.0))
    measured = {
        "lufs": lufs if np.isfinite(lufs) else float("nan"),
        "loudness_range_lu": loudness_range_lu(powers),
        "true_peak_db": 20 * float(np.log10(peak)) if peak > 0 else float("nan"),
    }
    if usual_spectrum_db is not None:
        spectrum = long_term_spectrum_db(audio, rate)
        measured["spectrum_distance_db"] = spectral_distance_db(spectrum, usual_spectrum_db)
    return measured


def _measure_beats(
    parts: Sequence[Part], heard_parts: Sequence[np.ndarray], base: SongOfLibrary
) -> dict[str, float]:
    """Measure how far the beats of all guests are from the base's."""
    planned, heard = [np.zeros(0)], [np.zeros(0)]
    for part, layer in zip(parts, heard_parts, strict=True):
        if part.plan is None:
            continue
        guest = part.song.facts
        planned.append(planned_lags_s(part.plan, base.facts, guest))
        untouched = render_part(
            replace(part, plan=None), duration_s=guest.duration_s, sample_rate=base.sample_rate
        ).mean(axis=0, keepdims=True)
        heard.append(
            beat_lags_s(
                untouched,
                layer[None],
                base.sample_rate,
                part.plan,
                base.facts,
                guest,
                clear_by=CLEAR_BY,
            )
        )
    return {
        "beat_error_ms": _median_ms(np.concatenate(heard), LEAST_BEATS),
        "planned_beat_error_ms": _median_ms(np.concatenate(planned), 1),
    }


def _judged(
    judge: Scorer | None, layers: Mapping[str, np.ndarray], stays: Sequence[str], sample_rate: int
) -> float:
    """Ask the judge; NaN without one, and where a role does not sound."""
    sounding = {role for role, layer in layers.items() if rms_db(layer) > SILENT_DB}
    music = music_roles(sounding)
    if judge is None or VOCAL not in sounding or not music:
        return float("nan")
    group = {role: ArrayPart(layers[role], sample_rate) for role in (VOCAL, *music)}
    asks = (VOCAL,) if VOCAL in stays else music
    query = {role: group.pop(role) for role in asks}
    return float(judge.score(query, [group])[0])


def _median_ms(errors_s: np.ndarray, least: int) -> float:
    return 1e3 * float(np.median(np.abs(errors_s))) if len(errors_s) >= least else float("nan")
