from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.recipes import IN_KEY, IN_TIME, Recipe
from mashnet.data.schemas import CONDITIONS, SCHEMAS


def test_a_recipe_survives_the_table(tmp_path) -> None:
    recipe = Recipe(
        mix_id="m",
        condition="matched",
        vocal=("v",),
        harmonic=("h1", "h2"),
        percussion=("p",),
        semitones=-2,
        ratio_h=1.1,
        ratio_p=0.9,
        offset_s=-0.25,
        offset_role="harmonic",
        common_semitones=1,
        common_ratio=0.95,
        stretch="beatwise",
        artefact_control=True,
        duration_s=30.0,
        seed=2**62,
        split="val",
    )
    MashupDB(tmp_path).write_table("mixes", [recipe.row()])
    (row,) = MashupDB(tmp_path).mixes.iter_rows(named=True)
    assert Recipe.from_row(row) == recipe
    assert set(recipe.row()) == set(SCHEMAS["mixes"])


def test_roles_have_their_stems_and_ratios() -> None:
    recipe = Recipe(
        mix_id="m",
        condition="matched",
        vocal=("v",),
        harmonic=("h1", "h2"),
        percussion=("p",),
        ratio_h=1.1,
        ratio_p=0.9,
    )
    assert [recipe.stem_ids(r) for r in ("vocal", "harmonic", "percussion")] == [
        ("v",),
        ("h1", "h2"),
        ("p",),
    ]
    assert [recipe.tempo_ratio(r) for r in ("vocal", "harmonic", "percussion")] == [1.0, 1.1, 0.9]


def test_conditions_differ_in_what_they_keep() -> None:
    kept = {c: (c in IN_KEY, c in IN_TIME) for c in CONDITIONS}
    assert kept == {
        "original": (True, True),
        "matched": (True, True),
        "unmatched_key": (False, True),
        "unmatched_tempo": (True, False),
        "unmatched_key_tempo": (False, False),
    }
