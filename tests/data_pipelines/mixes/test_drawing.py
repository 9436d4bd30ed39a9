from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.mixes import drawing as mix_drawing
from data_pipelines.mixes import partners as mix_partners
from data_pipelines.mixes.clips import Limits, MixClip
from data_pipelines.mixes.drawing import OFF_BEAT_S, draw_recipes
from data_pipelines.mixes.partners import Pool
from mashnet.data.mashupdb import ROLES
from mashnet.data.mixes.recipes import LEAD_IN_S, Recipe
from mashnet.data.schemas import CONDITIONS, SPLITS
from mashnet.files import content_id
from mashnet.music.keys import Key

LIMITS = Limits(max_semitones=3, min_ratio=0.8, max_ratio=1.2, min_s=25.0, max_s=60.0)
COUNTS = {
    "original": 2,
    "matched": 3,
    "unmatched_key": 2,
    "unmatched_tempo": 2,
    "unmatched_key_tempo": 1,
}
PER_SEED = dict.fromkeys(SPLITS, COUNTS)


def library(size: int, seed: int = 0) -> list[MixClip]:
    """Return random clips: two clips a song, all splits, some without a voice or drums."""
    random = np.random.default_rng(seed)
    clips = []
    for index in range(size):
        song = index // 2
        clip_id = content_id("clip", seed, index)
        roles = [r for r in ROLES if r == "harmonic" or random.random() < 0.8]
        clips.append(
            MixClip(
                clip_id=clip_id,
                song_id=content_id("song", seed, song),
                split=SPLITS[song % 3],
                key=Key(int(random.integers(12)), ("major", "minor")[int(random.integers(2))]),
                tempo_bpm=float(random.uniform(70, 160)),
                beats_per_bar=int(random.choice([3, 4, 4, 4])),
                first_downbeat_s=float(random.uniform(0, 2)),
                duration_s=float(random.uniform(30, 70)),
                stems={role: (content_id(clip_id, role),) for role in roles},
            )
        )
    return clips


def draw(clips: list[MixClip], **changed) -> list[Recipe]:
    setting = {"seed": 1, "stretch": "global", "artefact_control": True, **changed}
    return draw_recipes(clips, LIMITS, PER_SEED, **setting)


def owners(clips: list[MixClip]) -> dict[str, MixClip]:
    return {stem: clip for clip in clips for stems in clip.stems.values() for stem in stems}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), artefact_control=st.booleans())
def test_every_recipe_keeps_what_its_condition_promises(seed: int, artefact_control: bool) -> None:
    clips = library(40, seed)
    owner = owners(clips)
    recipes = draw(clips, artefact_control=artefact_control)
    assert recipes
    for recipe in recipes:
        vocal, harmonic, percussion = (owner[recipe.stem_ids(r)[0]] for r in ROLES)
        assert {c.split for c in (vocal, harmonic, percussion)} == {recipe.split}
        assert 25.0 <= recipe.duration_s <= 60.0
        for clip, role in ((vocal, "vocal"), (harmonic, "harmonic"), (percussion, "percussion")):
            # From the beginning of the mix to its end the role has sound.
            offset_s = recipe.offset_s if recipe.offset_role == role else 0.0
            ratio = recipe.tempo_ratio(role)
            starts_s = offset_s - clip.first_downbeat_s / ratio
            assert starts_s <= LEAD_IN_S
            ends_s = starts_s + clip.duration_s / ratio
            assert ends_s >= LEAD_IN_S + recipe.duration_s - 1e-5
        if recipe.condition == "original":
            assert vocal == harmonic == percussion
            assert (recipe.semitones, recipe.ratio_h, recipe.ratio_p) == (0, 1.0, 1.0)
            assert recipe.offset_role == ""
            continue
        assert vocal.song_id not in (harmonic.song_id, percussion.song_id)
        same_notes = (
            harmonic.key.transposed(recipe.semitones).relative_major_tonic
            == vocal.key.relative_major_tonic
        )
        if recipe.condition in ("matched", "unmatched_tempo"):
            assert same_notes and abs(recipe.semitones) <= 3
        else:
            assert not same_notes and recipe.semitones == 0
        if recipe.condition in ("matched", "unmatched_key"):
            for clip, ratio in ((harmonic, recipe.ratio_h), (percussion, recipe.ratio_p)):
                assert 0.8 <= ratio <= 1.2
                assert clip.tempo_bpm * ratio == pytest.approx(vocal.tempo_bpm)
                assert clip.beats_per_bar == vocal.beats_per_bar
            assert recipe.offset_s == 0.0 and recipe.offset_role == ""
        else:
            assert (recipe.ratio_h, recipe.ratio_p) == (1.0, 1.0)
            assert recipe.offset_role in ("harmonic", "percussion")
            assert abs(recipe.offset_s) <= 1.0
            beats = recipe.offset_s / (60 / vocal.tempo_bpm)
            assert abs(beats - round(beats)) * 60 / vocal.tempo_bpm > OFF_BEAT_S


@pytest.mark.parametrize("artefact_control", [True, False])
def test_recipes_are_distinct_and_as_many_as_wanted(artefact_control: bool) -> None:
    clips = library(120)
    recipes = draw(clips, artefact_control=artefact_control)
    assert len({recipe.mix_id for recipe in recipes}) == len(recipes)
    sounds = [replace(recipe, mix_id="") for recipe in recipes]
    assert len(set(sounds)) == len(sounds)
    counts = Counter((recipe.vocal, recipe.condition) for recipe in recipes)
    for (_, condition), count in counts.items():
        wanted = 1 if condition == "original" and not artefact_control else COUNTS[condition]
        assert count <= wanted
    full = {c: sum(k[1] == c and n == COUNTS[c] for k, n in counts.items()) for c in CONDITIONS}
    assert all(full[c] > 20 for c in CONDITIONS[1:])
    mashups = Counter(
        (r.vocal, r.condition, r.harmonic, r.percussion)
        for r in recipes
        if r.condition != "original"
    )
    assert max(mashups.values()) == 1
    assert {r.offset_role for r in recipes} == {"", "harmonic", "percussion"}
    # Harmonic and percussion are drawn independently: mostly, not always, of different songs.
    assert len({r.harmonic for r in recipes}) > 30


def test_recipes_of_a_vocal_share_its_length_and_its_moves() -> None:
    recipes = draw(library(60))
    by_vocal: dict[tuple[str, ...], list[Recipe]] = {}
    for recipe in recipes:
        by_vocal.setdefault(recipe.vocal, []).append(recipe)
    for group in by_vocal.values():
        assert len({recipe.duration_s for recipe in group}) == 1
        moves = {(r.common_semitones, r.common_ratio) for r in group}
        originals = {
            (r.common_semitones, r.common_ratio) for r in group if r.condition == "original"
        }
        assert len(moves) <= COUNTS["original"]
        assert not originals or originals == moves
    used = {(r.common_semitones, r.common_ratio) for r in recipes}
    assert all(1 <= abs(semitones) <= 3 and 0.9 <= ratio <= 1.1 for semitones, ratio in used)
    assert len(used) > 20


def test_without_artefact_control_nothing_is_moved_in_common() -> None:
    controlled, free = draw(library(60)), draw(library(60), artefact_control=False)
    assert all((r.common_semitones, r.common_ratio) == (0, 1.0) for r in free)
    assert not any(r.artefact_control for r in free)
    plain = dict(mix_id="", common_semitones=0, common_ratio=1.0, artefact_control=False)
    assert {replace(r, **plain) for r in controlled} == {replace(r, **plain) for r in free}


def test_the_same_seed_draws_the_same_in_any_order_and_another_does_not() -> None:
    clips = library(40)
    once = draw(clips)
    assert set(draw(clips[::-1])) == set(once)
    assert set(draw(clips, seed=2)).isdisjoint(once)


def test_adding_a_song_changes_few_draws() -> None:
    clips = library(120)
    before = {r.mix_id: r for r in draw(clips[:-2])}
    after = {r.mix_id: r for r in draw(clips)}
    assert len(before.keys() & after.keys()) > 0.6 * len(before)


def test_long_partners_are_preferred_to_short_ones() -> None:
    clips = library(200)
    longest = {
        c.stems["vocal"]: c.duration_s - c.first_downbeat_s for c in clips if "vocal" in c.stems
    }
    shares = [r.duration_s / (min(longest[r.vocal], 61.0) - 1.0) for r in draw(clips)]
    assert np.mean(shares) > 0.85


def test_nothing_is_drawn_where_nothing_fits() -> None:
    clips = library(40)
    alone = [clip for clip in clips if "vocal" in clip.stems][:1]
    assert {r.condition for r in draw(alone)} <= {"original"}
    none = draw_recipes(
        clips, LIMITS, {"train": {}}, seed=1, stretch="global", artefact_control=True
    )
    assert none == []


def test_of_very_many_partners_the_first_by_hash_are_kept(monkeypatch) -> None:
    """As many as can be tried, so that a draw is that from all of them."""
    clips = library(900)
    pool = Pool(clips)
    vocal = next(clip for clip in clips if "vocal" in clip.stems)
    tried = mix_partners.MOST_PAIRS
    kept = pool.partners(vocal, "percussion", "unmatched_tempo", LIMITS, 1)
    assert len(kept) == tried
    monkeypatch.setattr(mix_partners, "MOST_PAIRS", 10**9)
    everything = pool.partners(vocal, "percussion", "unmatched_tempo", LIMITS, 1)
    assert len(everything) > 2 * tried
    assert kept == everything[:tried]
    few, many = (len(list(mix_drawing._pairs(range(n), range(n)))) for n in (3, 300))
    assert (few, many) == (9, 300 * 300)
    for first, second in ((1, 900), (900, 1), (7, 900), (900, 900)):
        pairs = mix_drawing._pairs(range(first), range(second))
        assert max(max(pair) for pair, _ in zip(pairs, range(tried), strict=False)) < tried


def test_the_papers_rule_for_tempo_and_key_stays_to_the_byte():
    # Neither metrical levels nor cents: what was drawn before there were any.
    assert content_id([str(r.row()) for r in draw(library(60))]) == "934c376658e2923c"
