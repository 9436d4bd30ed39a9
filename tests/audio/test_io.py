import errno
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mashnet.audio import io
from mashnet.audio.io import flac_writer, read_audio, read_blocks, read_tags, write_flac
from mashnet.errors import AudioError


def tone(duration_s: float, rate: int, channels: int = 1) -> np.ndarray:
    """Return (channels, samples) of a 440 Hz tone, each channel at its own level."""
    time_s = np.arange(round(duration_s * rate)) / rate
    levels = np.linspace(0.2, 0.5, channels)[:, None]
    return (levels * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)


def written(path: Path, audio: np.ndarray, rate: int, **settings: str) -> Path:
    soundfile.write(path, audio.T, rate, **settings)
    return path


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 8000, 1, "PCM_U8"),
        ("a.wav", 192000, 2, "PCM_24"),
        ("a.wav", 44100, 6, "FLOAT"),
        ("a.flac", 48000, 2, "PCM_16"),
        ("a.ogg", 44100, 2, "VORBIS"),
        ("a.mp3", 44100, 2, "MPEG_LAYER_III"),
        ("a.aiff", 22050, 1, "PCM_16"),
    ],
)
def test_reads_rates_depths_and_channels(tmp_path, name, rate, channels, subtype):
    audio = tone(1.0, rate, channels)
    path = written(tmp_path / name, audio, rate, subtype=subtype)
    found, found_rate = read_audio(path)
    assert found_rate == rate
    assert found.dtype == np.float32
    assert found.shape[0] == channels
    assert abs(found.shape[1] - rate) <= 2400  # MP3 pads
    middle = slice(rate // 4, rate // 2)
    assert np.std(found[:, middle], axis=1) == pytest.approx(
        np.std(audio[:, middle], axis=1), rel=0.05
    )


def test_resamples_and_mixes_down(tmp_path):
    path = written(tmp_path / "a.wav", tone(1.0, 8000, 2), 8000)
    found, rate = read_audio(path, sample_rate=44100, mono=True)
    assert (rate, found.shape) == (44100, (1, 44100))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_stretch_is_the_same_samples_as_in_the_whole(tmp_path, suffix):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 3 * 22050))
    path = written(tmp_path / f"a.{suffix}", noise, 22050)
    whole, _ = read_audio(path)
    part, _ = read_audio(path, start_s=1.25, duration_s=0.5)
    first = round(1.25 * 22050)
    assert np.allclose(part, whole[:, first : first + 11025], atol=1e-4)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("suffix", ["m4a", "wma", "mka"])
def test_reads_through_ffmpeg_what_the_libraries_cannot(tmp_path, suffix):
    source = written(tmp_path / "a.wav", tone(2.0, 44100, 2), 44100)
    path = tmp_path / f"-odd : näme.{suffix}"
    command = ["ffmpeg", "-v", "error", "-i", str(source), f"file:{path}"]
    subprocess.run(command, check=True)
    whole, rate = read_audio(path)
    assert rate == 44100
    assert whole.shape[0] == 2
    assert whole.shape[1] == pytest.approx(2 * 44100, rel=0.06)
    part, _ = read_audio(path, start_s=0.5, duration_s=0.5)
    assert np.array_equal(part, whole[:, 22050:44100])


def test_without_ffmpeg_the_message_says_that_it_would_help(tmp_path, monkeypatch):
    (tmp_path / "a.wma").write_bytes(b"\x30\x26\xb2\x75 not a real one" * 100)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(AudioError, match=r"cannot be decoded: .*ffmpeg is not installed"):
        read_audio(tmp_path / "a.wma")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"Dear diary,\nthis is no sound.\n" * 50, "cannot be decoded")],
)
def test_refuses_what_is_no_sound_in_one_line(tmp_path, content, reason):
    path = tmp_path / "notes.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=reason) as caught:
        read_audio(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_playlist_does_not_make_other_files_be_read(tmp_path):
    written(tmp_path / "secret.wav", tone(1.0, 44100), 44100)
    (tmp_path / "a.wav").write_text("#EXTM3U\n#EXTINF:1,\nsecret.wav\n")
    with pytest.raises(AudioError, match="cannot be decoded"):
        read_audio(tmp_path / "a.wav")


def test_refuses_a_truncated_flac(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 5 * 44100))
    path = written(tmp_path / "a.flac", noise, 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(AudioError, match=r"cut short: \d\.\d s of the announced 5\.0 s"):
        read_audio(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_samples_that_are_not_finite(tmp_path, bad):
    audio = tone(1.0, 44100)
    audio[0, 1000] = bad
    path = written(tmp_path / "a.wav", audio, 44100, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        read_audio(path)


def test_refuses_a_header_without_samples(tmp_path):
    path = written(tmp_path / "a.wav", np.zeros((1, 0)), 44100)
    with pytest.raises(AudioError, match="has no samples"):
        read_audio(path)


def test_refuses_what_is_not_there_or_not_a_file(tmp_path):
    with pytest.raises(AudioError, match="does not exist"):
        read_audio(tmp_path / "absent.wav")
    with pytest.raises(AudioError, match="is not a file"):
        read_audio(tmp_path)
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    with pytest.raises(AudioError, match=r"does not exist|symbolic links"):
        read_audio(tmp_path / "loop.wav")
    os.mkfifo(tmp_path / "pipe.wav")  # opening it would wait for ever
    with pytest.raises(AudioError, match="is not a file"):
        read_audio(tmp_path / "pipe.wav")


def test_names_in_any_alphabet_and_in_none(tmp_path):
    for name in ("песня 歌 🎵.wav", "two  spaces.wav", b"latin-1 \xe9\xff.wav"):
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
        soundfile.write(os.fsencode(path), tone(0.1, 8000).T, 8000)
        assert read_audio(path)[0].shape == (1, 800)


@pytest.mark.parametrize("duration_s", [0.4, 1.0, 1.75, 3.0, 3.1])
def test_blocks_cover_the_file_once(tmp_path, duration_s):
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, (2, round(duration_s * 8000)))
    path = written(tmp_path / "a.wav", audio, 8000, subtype="FLOAT")
    blocks = list(read_blocks(path, sample_rate=8000, block_s=1.0))
    assert np.allclose(np.concatenate(blocks, axis=1), audio, atol=1e-6)
    overlapping = list(read_blocks(path, sample_rate=8000, block_s=1.0, overlap_s=0.25))
    kept = [block[:, :6000] for block in overlapping[:-1]] + [overlapping[-1]]
    assert np.allclose(np.concatenate(kept, axis=1), audio, atol=1e-6)


def test_flac_keeps_what_it_is_given(tmp_path):
    audio = tone(0.5, 44100, 2)
    write_flac(tmp_path / "a.flac", audio, 44100)
    assert np.abs(read_audio(tmp_path / "a.flac")[0] - audio).max() < 1 / 32000
    with flac_writer(tmp_path / "b.flac", 2, 44100) as write:
        write(audio[:, :10000])
        write(audio[:, 10000:])
    assert np.abs(read_audio(tmp_path / "b.flac")[0] - audio).max() < 1e-6


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), flac_writer(tmp_path / "a.flac", 1, 44100) as write:
        write(tone(0.5, 44100))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(self: Path, data: object) -> int:
        with open("/dev/full", "wb") as file:
            return file.write(data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_flac(tmp_path / "a.flac", tone(0.5, 44100), 44100)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "a.flac")


def test_tags_of_the_file(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 8000, 1) as file:
        file.title, file.artist = "A song", "Somebody"
        file.write(np.zeros(800))
    assert read_tags(tmp_path / "a.flac") == {"title": "A song", "artist": "Somebody"}
    assert read_tags(tmp_path / "absent.flac") == {}


@pytest.fixture
def three_streams(tmp_path) -> Path:
    """Return a file with three AAC streams of noise, at 44.1 kHz, in an MP4 that can be torn."""
    command = ["ffmpeg", "-v", "error"]
    for seed in range(3):
        noise = np.random.default_rng(seed).uniform(-0.3, 0.3, (1, 3 * 44100))
        command += ["-i", str(written(tmp_path / f"{seed}.wav", noise, 44100))]
    command += [argument for seed in range(3) for argument in ("-map", f"{seed}:a")]
    path = tmp_path / "-a b.stem.mp4"
    command += ["-c:a", "aac", "-b:a", "256k", "-movflags", "+faststart", f"file:{path}"]
    subprocess.run(command, check=True)
    return path


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_streams_of_one_file_are_told_apart_and_in_step(tmp_path, three_streams):
    for stream in range(3):
        original, _ = read_audio(tmp_path / f"{stream}.wav")
        found, rate = read_audio(three_streams, stream=stream)
        assert rate == 44100
        samples = min(original.shape[1], found.shape[1])
        assert samples > 2.95 * 44100
        assert np.corrcoef(original[0, :samples], found[0, :samples])[0, 1] > 0.8
        part, _ = read_audio(three_streams, start_s=0.5, duration_s=0.5, stream=stream)
        assert np.array_equal(part, found[:, 22050:44100])
        blocks = read_blocks(three_streams, sample_rate=44100, block_s=1.0, stream=stream)
        assert np.array_equal(np.concatenate(list(blocks), axis=1), found)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_stream_that_is_not_there_or_cut_short(tmp_path, three_streams):
    with pytest.raises(AudioError, match=r"stream 3 \(counted from 0\) .*has no such stream"):
        read_audio(three_streams, stream=3)
    with pytest.raises(AudioError, match="has no such stream"):
        read_audio(tmp_path / "0.wav", stream=1)
    whole = three_streams.read_bytes()
    three_streams.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="is damaged or cut short"):
        read_audio(three_streams, stream=1)


def test_further_streams_without_ffmpeg(tmp_path, monkeypatch):
    path = written(tmp_path / "a.wav", tone(0.1, 8000), 8000)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert not io.ffmpeg_is_installed()
    with pytest.raises(AudioError, match=r"sound stream 1 .*: ffmpeg is not installed"):
        read_audio(path, stream=1)
