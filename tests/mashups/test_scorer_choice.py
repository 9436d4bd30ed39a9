"""Who can be chosen to judge, and what tells one judge from another."""

import pytest

from mashnet.errors import CheckpointError, ConfigError
from mashnet.mashups.scorer_choice import RULES, scorer_choices


def test_rules_that_need_no_weights_are_offered():
    names = [judge.name for judge in scorer_choices()]
    assert {"alignment", "automashupper", "keytempo", "random"} <= set(names)
    assert not {"clap", "mert", "cocola_official", "phalar_official"} & set(names)
    assert len(names) == len(set(names))


def test_the_shipped_bundles_are_offered_and_the_given_one_comes_first():
    bundles = RULES.parents[1] / "checkpoints"
    names = [judge.name for judge in scorer_choices(bundles=bundles)]
    assert names[0] == "placenet"  # who is asked if nobody is named
    assert {"alignnet", "premixnet", "phalar", "cocola"} <= set(names)
    assert scorer_choices("premixnet", bundles)[0].name == "premixnet"
    assert scorer_choices(str(bundles / "phalar"), bundles)[0].name == "phalar"
    assert sorted(j.name for j in scorer_choices("phalar", bundles)) == sorted(names)


def _bundle(folder, network):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"name: x\nmodel: {{network: {network}, sizes: {{}}, frontend: {{}}}}\n"
    )
    return folder


def test_networks_for_loops_are_not_offered(tmp_path):
    loops = _bundle(tmp_path / "loops", "loop_cnn")
    _bundle(tmp_path / "mixes", "premixnet")
    names = [judge.name for judge in scorer_choices(bundles=tmp_path)]
    assert "mixes" in names
    assert "loops" not in names
    with pytest.raises(ConfigError, match="judges loops"):
        scorer_choices(str(loops), tmp_path / "none")


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="neither a run nor a bundle"):
        scorer_choices(str(tmp_path))


def test_identities_tell_judges_and_their_settings_apart():
    judges = {judge.name: judge for judge in scorer_choices()}
    ids = [judges[name].identity() for name in ("alignment", "automashupper", "keytempo")]
    assert len(set(ids)) == 3
    one = judges["random"]
    other = type(one)("random", None, {**one.settings, "seed": 1})
    assert one.identity() != other.identity()
    assert one.identity() == type(one)("other name", None, dict(one.settings)).identity()
