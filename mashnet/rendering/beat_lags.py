"""Where a guest's beats lie in a mashup: as planned, and in the sound.

Conventions: times and lags are in seconds; a lag is positive where the guest is late. Both
functions trust the annotated beats of both songs: they say how well the guest was moved, not
whether a beat tracker was right.
"""

from __future__ import annotations

import numpy as np

from mashnet.music.song_facts import SongFacts
from mashnet.rendering.plan import GuestPlan

_ENVELOPE_HZ = 1000
_REACH_S = 0.08  # how far from a beat its sound is looked for
_AROUND_S = 0.2  # how much sound around a beat is compared
_LEAST_MATCH = 0.6  # correlation below which a beat is not recognised
_BESIDE_S = 0.015  # lags this close to each other are one place
_NEAR_S = 0.06  # a guest's time this far from its beats lies between two of them


def planned_lags_s(plan: GuestPlan, base: SongFacts, guest: SongFacts) -> np.ndarray:
    """Return how far apart the beats of guest and base are by the plan alone, (beats,).

    A guest may count two beats for one of the base, or one for two: in each piece the song with
    fewer beats is asked how far its beats are from the nearest of the other.
    """
    base_beats, guest_beats = np.asarray(base.beats_s), np.asarray(guest.beats_s)
    lags = []
    for piece in plan.pieces:
        guest_s, base_s = np.asarray(piece.keyframes_s).T
        inside = (guest_beats >= guest_s[0]) & (guest_beats <= guest_s[-1])
        moved = np.interp(guest_beats[inside], guest_s, base_s)
        own = base_beats[(base_beats >= base_s[0]) & (base_beats <= base_s[-1])]
        if not len(own) or not len(moved):
            continue
        fewer, more, sign = (own, moved, -1) if len(own) < len(moved) else (moved, own, 1)
        apart = fewer[:, None] - more[None]
        nearest = np.abs(apart).argmin(axis=1)
        lags.append(sign * apart[np.arange(len(fewer)), nearest])
    return np.concatenate(lags) if lags else np.zeros(0)


def beat_lags_s(
    original: np.ndarray,
    layer: np.ndarray,
    sample_rate: int,
    plan: GuestPlan,
    base: SongFacts,
    guest: SongFacts,
    *,
    clear_by: float = 0.0,
) -> np.ndarray:
    """Return how late the sound at each of the guest's beats is for the base's beat, (beats,).

    The sound around a beat of the guest as annotated, in the untouched stems, is looked for around
    the base's beat in the mashup; beats in silence, and those that are not recognised, are left
    out.

    Args:
        original: the guest's stems as they are, shape (channels, samples).
        layer: what they add to the mashup, shape (channels, samples).
        sample_rate: of both, in Hz.
        plan: how the guest was moved.
        base: whose beats are met.
        guest: whose beats are looked for.
        clear_by: by how much the correlation at a lag must exceed those of lags more than 15 ms
            away; sound that might as well lie elsewhere is left out.
    """
    before, after = (_onset_envelope(audio, sample_rate) for audio in (original, layer))
    guest_beats = np.asarray(guest.beats_s)
    if not len(guest_beats):
        return np.zeros(0)
    around_s = np.arange(-_AROUND_S, _AROUND_S, 1 / _ENVELOPE_HZ)
    reach = round(_REACH_S * _ENVELOPE_HZ)
    lags = []
    for piece in plan.pieces:
        guest_s, base_s = np.asarray(piece.keyframes_s).T
        for beat_s in base.beats_s:
            if not piece.start_s + _AROUND_S <= beat_s <= piece.end_s - _AROUND_S - _REACH_S:
                continue
            expected_s = float(np.interp(beat_s, base_s, guest_s))
            own_s = guest_beats[np.abs(guest_beats - expected_s).argmin()]
            if abs(own_s - expected_s) > _NEAR_S:
                continue
            ahead_s = float(np.interp(beat_s + 0.1, base_s, guest_s))
            pattern = _at(before, own_s + around_s * (ahead_s - expected_s) / 0.1)
            found = _at(
                after, beat_s + np.arange(-reach, reach + 1)[:, None] / _ENVELOPE_HZ + around_s
            )
            norms = np.linalg.norm(found, axis=1) * np.linalg.norm(pattern)
            match = found @ pattern / np.maximum(norms, 1e-9)
            if match.max() > _LEAST_MATCH and _is_clear(match, clear_by):
                lags.append((int(match.argmax()) - reach) / _ENVELOPE_HZ)
    return np.array(lags)


def _is_clear(match: np.ndarray, clear_by: float) -> bool:
    """Return whether the best of all lags stands out from those that are not beside it."""
    elsewhere = np.abs(np.arange(len(match)) - match.argmax()) > _BESIDE_S * _ENVELOPE_HZ
    return bool(match.max() - match[elsewhere].max(initial=0.0) >= clear_by)


def _onset_envelope(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return how much the level rises, 1000 times a second."""
    smooth = np.convolve(np.abs(audio).sum(axis=0), np.hanning(round(0.01 * sample_rate)), "same")
    times_s = np.arange(0, audio.shape[1] / sample_rate, 1 / _ENVELOPE_HZ)
    level = np.interp(times_s, np.arange(len(smooth)) / sample_rate, smooth)
    return np.maximum(0, np.diff(np.sqrt(level), prepend=0))


def _at(envelope: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    indices = np.arange(len(envelope))
    return np.interp(times_s * _ENVELOPE_HZ, indices, envelope, left=0, right=0)
