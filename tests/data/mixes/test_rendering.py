from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.recipes import LEAD_IN_S, Recipe
from mashnet.data.mixes.rendering import Displacement, render_recipe, rendered_part
from mashnet.data.parts import SumPart
from mashnet.errors import ConfigError, DatabaseError
from tests.metronome import RATE, MetronomeDB, click_near, pitch_class, stem_id

IN_TIME_S = 0.02
DURATION_S = 7.0


def recipe_of(vocal: str, harmonic: str = "", percussion: str = "", **moves) -> Recipe:
    """Return a recipe of clips; the vocal's own stems where no clip is named."""
    return Recipe(
        **{"mix_id": "m", "condition": "original", "duration_s": DURATION_S, **moves},
        vocal=(stem_id(vocal, "vocal"),),
        harmonic=(stem_id(harmonic or vocal, "harmonic"),),
        percussion=(stem_id(percussion or vocal, "percussion"),),
    )


def downbeats_s(database: MashupDB, recipe: Recipe) -> list[float]:
    """Return when the vocal's downbeats are to be heard in the mix, its margins left out."""
    clip = database.clip_of(recipe.vocal[0])
    begin_s = clip["downbeats"][0] + LEAD_IN_S
    times = [(d - begin_s) / recipe.common_ratio for d in clip["downbeats"]]
    return [t for t in times if 0.1 < t < recipe.duration_s / recipe.common_ratio - 0.1]


def misses_s(wave: np.ndarray, times_s: list[float]) -> list[float]:
    return [click_near(wave, time_s) for time_s in times_s]


def pitch_distance(a: float, b: float) -> float:
    return abs((a - b + 6) % 12 - 6)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    tempos=st.tuples(*[st.floats(95, 115)] * 3),
    firsts=st.tuples(*[st.floats(0.0, 0.6)] * 3),
    tonics=st.tuples(st.integers(0, 11), st.integers(-3, 3)),
    common=st.sampled_from([(0, 1.0), (-3, 0.9), (2, 1.07)]),
    stretch=st.sampled_from(["global", "beatwise"]),
)
def test_what_is_matched_agrees_with_the_vocal(
    tmp_path_factory, tempos, firsts, tonics, common, stretch
) -> None:
    songs = MetronomeDB(tmp_path_factory.mktemp("songs"))
    tonic, distance = tonics
    vocal = songs.add(tempo_bpm=tempos[0], first_s=firsts[0], tonic=tonic)
    harmonic = songs.add(tempo_bpm=tempos[1], first_s=firsts[1], tonic=(tonic - distance) % 12)
    percussion = songs.add(tempo_bpm=tempos[2], first_s=firsts[2])
    recipe = recipe_of(
        vocal,
        harmonic,
        percussion,
        condition="matched",
        semitones=distance,
        ratio_h=tempos[0] / tempos[1],
        ratio_p=tempos[0] / tempos[2],
        common_semitones=common[0],
        common_ratio=common[1],
        artefact_control=common != (0, 1.0),
        stretch=stretch,
        duration_s=6.0,
    )
    database = songs.write()
    waves = render_recipe(database, recipe, RATE)
    times_s = downbeats_s(database, recipe)
    assert len(times_s) >= 2
    for role in ROLES:
        assert waves[role].shape == (round(6.0 / common[1] * RATE),)
        assert max(misses_s(waves[role], times_s)) < IN_TIME_S, role
    pitches = [pitch_class(waves[role]) for role in ("vocal", "harmonic")]
    assert pitch_distance(*pitches) < 0.2
    assert pitch_distance(pitches[0], tonic + common[0]) < 0.2


@pytest.fixture(scope="module")
def uneven(tmp_path_factory) -> tuple[MashupDB, list[str]]:
    """Two songs whose beats come up to 40 ms early or late."""
    songs = MetronomeDB(tmp_path_factory.mktemp("uneven"))
    clips = [songs.add(tempo_bpm=100 + 8 * i, jitter_s=0.04, tonic=3 * i) for i in range(2)]
    return songs.write(), clips


@pytest.mark.parametrize("artefact_control", [False, True])
def test_beatwise_follows_beats_that_one_ratio_cannot(uneven, artefact_control: bool) -> None:
    database, (vocal, other) = uneven
    recipe = recipe_of(
        vocal,
        other,
        other,
        condition="matched",
        ratio_h=100 / 108,
        ratio_p=100 / 108,
        semitones=-3,
        stretch="beatwise",
        artefact_control=artefact_control,
        common_semitones=2 if artefact_control else 0,
        common_ratio=1.08 if artefact_control else 1.0,
    )
    times_s = downbeats_s(database, recipe)
    beatwise = render_recipe(database, recipe, RATE)
    for role in ROLES:
        assert max(misses_s(beatwise[role], times_s)) < IN_TIME_S, role
    straight = render_recipe(database, replace(recipe, stretch="global"), RATE)
    assert max(misses_s(straight["percussion"], times_s)) > IN_TIME_S


@pytest.mark.parametrize("stretch", ["global", "beatwise"])
def test_what_is_unmatched_does_not_agree(uneven, stretch: str) -> None:
    database, (vocal, other) = uneven
    recipe = recipe_of(
        vocal,
        other,
        other,
        condition="unmatched_key_tempo",
        offset_s=0.25,
        offset_role="percussion",
        stretch=stretch,
    )
    waves = render_recipe(database, recipe, RATE)
    times_s = downbeats_s(database, recipe)
    assert min(misses_s(waves["percussion"], times_s)) > IN_TIME_S
    assert max(misses_s(waves["harmonic"], times_s)) > IN_TIME_S  # aligned first, then drifting
    pitches = [pitch_class(waves[role]) for role in ("vocal", "harmonic")]
    assert pitch_distance(*pitches) == pytest.approx(3, abs=0.2)


def test_an_offset_moves_one_role_later(uneven) -> None:
    database, (vocal, _) = uneven
    still = recipe_of(vocal)
    moved = replace(still, offset_s=0.3, offset_role="harmonic")
    before, after = (render_recipe(database, r, RATE) for r in (still, moved))
    shift = round(0.3 * RATE)
    np.testing.assert_array_equal(after["harmonic"][shift:], before["harmonic"][:-shift])
    assert np.abs(after["harmonic"][:shift]).max() > 0.01  # what came before the mix, not silence
    np.testing.assert_array_equal(after["percussion"], before["percussion"])


@pytest.mark.parametrize("rate", [RATE, 11025])
@pytest.mark.parametrize("stretch", ["global", "beatwise"])
def test_an_untouched_original_is_its_stems(uneven, rate: int, stretch: str) -> None:
    database, (vocal, _) = uneven
    recipe = recipe_of(vocal, stretch=stretch)
    waves = render_recipe(database, recipe, rate)
    first_s = database.clip_rows[vocal]["downbeats"][0]
    begin = round((first_s + LEAD_IN_S) * rate)
    for role in ROLES:
        path = database.audio_path(stem_id(vocal, role))
        audio, _ = read_audio(path, sample_rate=rate, mono=True)
        expected = audio[0, begin : begin + round(DURATION_S * rate)]
        assert waves[role].tobytes() == expected.tobytes()


@pytest.mark.parametrize("stretch", ["global", "beatwise"])
@pytest.mark.parametrize("common", [(-3, 0.9), (3, 1.1)])
def test_artefact_control_keeps_originals_together(uneven, common, stretch: str) -> None:
    database, (vocal, _) = uneven
    recipe = recipe_of(
        vocal,
        common_semitones=common[0],
        common_ratio=common[1],
        artefact_control=True,
        stretch=stretch,
    )
    waves = render_recipe(database, recipe, RATE)
    beats = np.array(database.clip_rows[vocal]["beats"])
    times_s = (beats - beats[0] - LEAD_IN_S) / common[1]
    times_s = times_s[(times_s > 0.1) & (times_s < DURATION_S / common[1] - 0.1)]
    lags = []
    for role in ("harmonic", "percussion"):
        for time_s in times_s:
            low, high = round((time_s - 0.04) * RATE), round((time_s + 0.08) * RATE)
            # The tones differ between roles; the clicks lie above them.
            a, b = (np.diff(waves[r][low:high], 2) for r in ("vocal", role))
            lags.append(np.argmax(np.correlate(np.abs(a), np.abs(b), "full")) - len(a) + 1)
    assert np.abs(lags).max() / RATE < 0.005
    assert pitch_distance(pitch_class(waves["vocal"]), common[0]) < 0.2


def test_displacement_moves_one_role_and_all_together_stay_aligned(uneven) -> None:
    database, (vocal, _) = uneven
    recipe = recipe_of(vocal)
    beats = np.array(database.clip_rows[vocal]["beats"])

    def wave(role: str, **moves: float) -> np.ndarray:
        displacement = Displacement(**moves)
        return rendered_part(
            database, recipe, role, displacement=displacement, force=True
        ).waveform(RATE)

    up = wave("harmonic", semitones=5)
    assert pitch_distance(pitch_class(up), 5) < 0.2
    for role in ROLES:
        times_s = (beats - beats[0] - LEAD_IN_S) / 1.3
        times_s = [t for t in times_s if 0.1 < t < 6]
        # Faster by 30 %: the mix needs more of the stem than it lasts, and silence when it ends.
        sounding_s = (database.clip_rows[vocal]["duration_s"] - beats[0] - LEAD_IN_S) / 1.3
        heard = [t for t in times_s if t < sounding_s - 0.1]
        faster = wave(role, tempo_ratio=1.3)
        assert len(faster) == round(DURATION_S * RATE)
        assert max(misses_s(faster, heard)) < IN_TIME_S
    later = wave("percussion", offset_s=0.35)
    times_s = [t for t in beats - beats[0] - LEAD_IN_S + 0.35 if 0.1 < t < 6]
    assert max(misses_s(later, times_s)) < IN_TIME_S


def test_a_role_that_is_moved_out_of_the_mix_is_silent(uneven) -> None:
    database, (vocal, _) = uneven
    part = rendered_part(
        database, recipe_of(vocal), "vocal", displacement=Displacement(offset_s=60.0)
    )
    assert not part.waveform(RATE).any()
    assert len(part.waveform(RATE)) == round(DURATION_S * RATE)


def test_the_same_sound_has_the_same_id_and_no_other(uneven) -> None:
    database, (vocal, other) = uneven

    def part_id(role: str, engine: str = "pylibrb", force: bool = False, **moves) -> str:
        recipe = recipe_of(vocal, other, other, condition="matched", **moves)
        return rendered_part(database, recipe, role, engine=engine, force=force).part_id

    untouched = part_id("vocal")
    assert untouched == part_id("vocal", engine="pylibrb_r2")  # no engine is asked
    assert untouched == part_id("vocal", semitones=2, ratio_h=0.9, seed=5, split="test")
    assert untouched == rendered_part(database, recipe_of(vocal), "vocal").part_id
    shifted = part_id("harmonic", semitones=2)
    different = [
        untouched,
        part_id("vocal", force=True),
        part_id("vocal", force=True, engine="pylibrb_r2"),
        part_id("vocal", duration_s=6.0),
        part_id("vocal", common_semitones=1),
        part_id("vocal", common_ratio=1.05),
        part_id("harmonic"),
        shifted,
        part_id("harmonic", semitones=2, engine="pylibrb_r2"),
        part_id("harmonic", semitones=-2),
        part_id("harmonic", ratio_h=0.9),
        part_id("harmonic", offset_s=0.2, offset_role="harmonic"),
        part_id("harmonic", stretch="beatwise"),
    ]
    assert len(set(different)) == len(different)
    assert part_id("harmonic", semitones=2, ratio_p=1.1) == shifted


@pytest.mark.parametrize("engine", ["pylibrb", "pylibrb_r2", "pedalboard"])
def test_rendering_twice_gives_the_same_bytes(uneven, engine: str) -> None:
    database, (vocal, other) = uneven
    recipe = recipe_of(vocal, other, other, condition="matched", semitones=-3, ratio_h=0.93)
    once, again = (render_recipe(database, recipe, RATE, engine=engine) for _ in range(2))
    for role in ROLES:
        assert once[role].tobytes() == again[role].tobytes()


def test_the_downmix_is_the_sum(uneven) -> None:
    database, (vocal, other) = uneven
    recipe = recipe_of(vocal, other, other, condition="matched", semitones=-3)
    parts = [rendered_part(database, recipe, role) for role in ROLES]
    mix = SumPart(tuple(parts))
    total = sum(render_recipe(database, recipe, RATE).values())
    np.testing.assert_allclose(mix.waveform(RATE), total, atol=1e-6)
    assert mix.part_id == SumPart(tuple(reversed(parts))).part_id
    assert mix.part_id != SumPart(tuple(parts[:2])).part_id


def test_what_cannot_be_rendered_says_why(uneven, tmp_path: Path) -> None:
    database, (vocal, other) = uneven
    recipe = recipe_of(vocal, other, other, condition="matched", stretch="beatwise")
    with pytest.raises(ConfigError, match="pedalboard cannot follow beats"):
        rendered_part(database, recipe, "harmonic", engine="pedalboard")
    with pytest.raises(ConfigError, match="Did you mean 'pylibrb'"):
        rendered_part(database, recipe, "vocal", engine="pylibr")
    with pytest.raises(DatabaseError, match="no stem"):
        rendered_part(database, replace(recipe, vocal=("gone",)), "vocal")
    songs = MetronomeDB(tmp_path)
    silent = songs.add(downbeats=[])
    with pytest.raises(DatabaseError, match="no downbeat"):
        rendered_part(songs.write(), recipe_of(silent), "vocal")
