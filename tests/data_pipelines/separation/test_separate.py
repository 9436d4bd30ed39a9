from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from demucs.htdemucs import HTDemucs

from data_pipelines.separation import separate, with_demucs
from data_pipelines.separation.separate import STORED_GAIN, Separator
from mashnet.audio.io import read_audio
from mashnet.errors import AudioError, MashnetError

RATE_HZ = 44100
SOURCES = ["drums", "bass", "other", "vocals"]


def save_tiny_model(path: Path) -> None:
    sizes = {"channels": 4, "dconv_comp": 2, "t_layers": 1, "t_heads": 2, "bottom_channels": 16}
    settings = {"sources": SOURCES, "segment": 2, **sizes}
    model = HTDemucs(**settings)
    package = {"klass": HTDemucs, "args": (), "kwargs": settings, "state": model.state_dict()}
    torch.save(package, path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Return a folder with a tiny random HTDemucs in the layout of demucs' local repositories."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save_tiny_model(folder / "f00dfeed.th")
    (folder / "tiny.yaml").write_text("models: ['f00dfeed']\n")
    return folder


def recording(path: Path, duration_s: float, *, rate: int = RATE_HZ, channels: int = 2) -> Path:
    noise = np.random.default_rng(0).standard_normal((round(duration_s * rate), channels))
    soundfile.write(path, 0.1 * noise, rate)
    return path


def run(separator: Separator, path: Path, cache: Path) -> dict[str, Path]:
    return separator.separate(path, cache, min_s=1.0, max_s=600.0)


@pytest.mark.parametrize("name", ["tiny", "f00dfeed"])
@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (22050, 1), (48000, 6)])
def test_a_local_model_separates_into_stereo_stems_of_the_same_length(
    weights, tmp_path, name, rate, channels
):
    path = recording(tmp_path / "song.wav", 3.0, rate=rate, channels=channels)
    stems = run(Separator(name, weights), path, tmp_path / "cache")
    assert sorted(stems) == sorted(SOURCES)
    for stem in stems.values():
        audio, found_rate = read_audio(stem)
        assert found_rate == 44100
        assert audio.shape == (2, 3 * 44100)
        assert np.abs(audio).max() > 0


def test_blocks_join_without_a_seam(weights, tmp_path, monkeypatch):
    """With a separator that only copies, blocks must add up to the recording itself."""
    monkeypatch.setattr(with_demucs, "_BLOCK_S", 3)
    monkeypatch.setattr(with_demucs, "_OVERLAP_S", 1)
    monkeypatch.setattr(
        with_demucs.Demucs,
        "_apply",
        lambda self, block, level: np.stack([block * share for share in (0.1, 0.2, 0.3, 0.4)]),
    )
    for duration_s in (2.5, 3.0, 5.0, 7.9):
        path = recording(tmp_path / f"{duration_s}.wav", duration_s)
        stems = run(Separator("tiny", weights), path, tmp_path / "cache")
        total = sum(read_audio(stem)[0] for stem in stems.values()) / STORED_GAIN
        expected, _ = read_audio(path)
        assert total.shape == expected.shape
        assert np.abs(total - expected).max() < 1e-5


def test_what_was_separated_is_not_separated_again(weights, tmp_path, monkeypatch):
    first = run(Separator("tiny", weights), recording(tmp_path / "a.wav", 2.0), tmp_path / "cache")
    monkeypatch.setattr(separate, "load_model", lambda *_: pytest.fail("the model was loaded"))
    again = run(Separator("tiny", weights), recording(tmp_path / "b.wav", 2.0), tmp_path / "cache")
    assert again == first


def test_an_interrupted_separation_is_done_again(weights, tmp_path):
    path, cache = recording(tmp_path / "a.wav", 2.0), tmp_path / "cache"
    stems = run(Separator("tiny", weights), path, cache)
    before = {name: stem.read_bytes() for name, stem in stems.items()}
    (stems["bass"].parent / "stems.yaml").unlink()
    stems["bass"].write_bytes(b"half a fi")
    again = run(Separator("tiny", weights), path, cache)
    assert {name: stem.read_bytes() for name, stem in again.items()} == before


def test_refuses_what_it_need_not_work_on(weights, tmp_path):
    separator = Separator("tiny", weights)
    soundfile.write(tmp_path / "silence.wav", np.zeros((2 * RATE_HZ, 2)), RATE_HZ)
    with pytest.raises(AudioError, match="is silent"):
        run(separator, tmp_path / "silence.wav", tmp_path / "cache")
    with pytest.raises(AudioError, match=r"lasts 0\.5 s, less than clip\.min_s=1"):
        run(separator, recording(tmp_path / "short.wav", 0.5), tmp_path / "cache")
    with pytest.raises(
        AudioError, match="lasts more than 1 min; cut it into songs of at most 1 min"
    ):
        separator.separate(
            recording(tmp_path / "long.wav", 62.0), tmp_path / "cache", min_s=1.0, max_s=61.0
        )


def test_absent_weights_say_what_to_download_and_which_setting_names_it(tmp_path):
    empty = tmp_path / "weights"
    empty.mkdir()
    path = recording(tmp_path / "a.wav", 2.0)
    with pytest.raises(MashnetError) as caught:
        run(Separator("htdemucs", empty), path, tmp_path / "cache")
    message = str(caught.value)
    assert "\n" not in message
    assert (
        "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer/955717e8-8726e21a.th" in message
    )
    assert "separate.repo=FOLDER" in message


def test_without_a_network_the_message_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    path = recording(tmp_path / "a.wav", 2.0)
    with pytest.raises(MashnetError, match=r"cannot be had .*separate\.repo=FOLDER"):
        run(Separator("mdx_extra"), path, tmp_path / "cache")


def test_an_unknown_model_names_the_published_ones(weights, tmp_path):
    path = recording(tmp_path / "a.wav", 2.0)
    with pytest.raises(MashnetError, match=r"'htdemics' cannot be had .*htdemucs, htdemucs_6s"):
        run(Separator("htdemics", weights), path, tmp_path / "cache")


def test_a_published_name_finds_its_weights_in_the_folder(tmp_path):
    """Only the downloaded file lies in the folder, not the list of what the name stands for."""
    (tmp_path / "weights").mkdir()
    save_tiny_model(tmp_path / "weights" / "955717e8.th")
    stems = run(
        Separator("htdemucs", tmp_path / "weights"),
        recording(tmp_path / "a.wav", 2.0),
        tmp_path / "cache",
    )
    assert sorted(stems) == sorted(SOURCES)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(MashnetError, match="separate.repo: .*nowhere is not a folder"):
        Separator("tiny", tmp_path / "nowhere")
