"""The same noise through each encoder must come back where it was, to the sample."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from mashnet.audio import decoders
from mashnet.audio.encoders.delay import delay_of, doubt_of
from mashnet.audio.io import read_audio

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
UNTAGGED = ("-c:a", "libmp3lame", "-write_xing", "0")


def noise(rate: int) -> np.ndarray:
    """Return three seconds of noise that no encoder throws away, shape (samples,)."""
    low = scipy.signal.butter(4, 0.3, output="sos")
    return 0.1 * scipy.signal.sosfilt(low, np.random.default_rng(0).standard_normal(3 * rate))


def encoded(folder: Path, name: str, rate: int, *options: str, source: Path | None = None) -> Path:
    path = folder / name
    if source is None:
        source = folder / "source.wav"
        soundfile.write(source, noise(rate), rate)
    command = ["ffmpeg", "-y", "-v", "error", "-i", str(source), *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Unknown encoder" in done.stderr:
        pytest.skip(f"this ffmpeg has no encoder for {name} {options}")
    assert not done.returncode, done.stderr
    return path


def late(path: Path, rate: int) -> int:
    """Return by how many samples of `rate` a file's sound begins late, by cross-correlation."""
    found = read_audio(path, sample_rate=rate, mono=True)[0][0]
    return lag(found, noise(rate))


def lag(found: np.ndarray, wanted: np.ndarray) -> int:
    likeness = scipy.signal.correlate(found, wanted, method="fft")
    return int(np.argmax(likeness)) - (len(wanted) - 1)


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tagged.mp3", ()),
        ("vbr.mp3", ("-q:a", "4")),
        ("untagged.mp3", UNTAGGED),
        ("a.m4a", ("-c:a", "aac")),
        ("a.m4a", ("-c:a", "alac")),
        ("a.opus", ()),
        ("a.ogg", ("-c:a", "libvorbis")),
        ("a.flac", ()),
        ("a.mp2", ()),
    ],
)
def test_music_begins_where_it_did(tmp_path, name, options, rate):
    assert late(encoded(tmp_path, name, rate, *options), rate) == 0


@pytest.mark.parametrize("options", [("-ac", "2"), ("-b:a", "320k"), ("-id3v2_version", "0")])
def test_untagged_files_of_other_kinds(tmp_path, options):
    assert late(encoded(tmp_path, "a.mp3", 44_100, *UNTAGGED, *options), 44_100) == 0


def test_a_large_picture_before_the_sound_is_passed_over(tmp_path):
    path = encoded(tmp_path, "a.mp3", 44_100, *UNTAGGED, "-id3v2_version", "0")
    size = 300_000
    syncsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\4\0\0" + syncsafe + b"\0" * size + path.read_bytes())
    assert delay_of(str(path).encode()).soundfile == 1105
    assert late(path, 44_100) == 0


def of_encoder(path: Path, name: bytes, delay: int) -> Path:
    """Write another encoder's name and delay into the tag that ffmpeg wrote."""
    content = bytearray(path.read_bytes())
    at = content.index(b"Lavc", content.index(b"Info"))
    content[at : at + 9] = name.ljust(9, b"\0")
    content[at + 21 : at + 24] = (delay << 12).to_bytes(3, "big")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "delay", "is_sure"),
    [(b"LAME3.99r", 576, True), (b"GOGO3.12", 576, True), (b"LAME3.99", 0, False), (b"", 0, False)],
)
@pytest.mark.parametrize("decoder", ["_soundfile", "_ffmpeg", "_pedalboard"])
def test_all_decoders_agree_whatever_the_tag_says(tmp_path, decoder, name, delay, is_sure):
    """libmpg123, ffmpeg and pedalboard read different tags; what is left of the delay differs."""
    path = of_encoder(encoded(tmp_path, "a.mp3", 44_100), name, delay)
    if decoder == "_pedalboard":
        pytest.importorskip("pedalboard")
    with getattr(decoders, decoder)(path, 0.0, None) as sound:
        found = np.concatenate(list(sound.blocks), axis=1)
    assert lag(found[0], noise(44_100)) == 0
    assert (doubt_of(path) == "") is is_sure


def test_a_longer_delay_in_a_tag_is_followed(tmp_path):
    """The opposite: 1,105 is not cut where an encoder says that it added more."""
    path = of_encoder(encoded(tmp_path, "a.mp3", 44_100), b"LAME3.99r", 1000)
    assert late(path, 44_100) == 576 - 1000


@pytest.mark.parametrize("decoder", ["_soundfile", "_ffmpeg"])
def test_a_stretch_of_an_untagged_file_is_the_same_as_in_the_whole(tmp_path, decoder):
    path = encoded(tmp_path, "a.mp3", 44_100, *UNTAGGED)
    with getattr(decoders, decoder)(path, 1.0, 0.5) as sound:
        part = np.concatenate(list(sound.blocks), axis=1)[0]
    wanted = noise(44_100)[44_100 : 44_100 + 22_050]
    assert part.shape == wanted.shape
    assert lag(part, wanted) == 0


@pytest.mark.parametrize("loud_first", [True, False])
def test_an_untagged_file_of_varying_bit_rate_is_read_to_its_end(tmp_path, loud_first):
    """libsndfile takes the first frame's bit rate for that of all."""
    loud, rate = noise(44_100), 44_100
    parts = (loud, 1e-3 * loud) if loud_first else (1e-3 * loud, loud)
    soundfile.write(tmp_path / "a.wav", np.concatenate(parts), rate)
    path = encoded(tmp_path, "a.mp3", rate, *UNTAGGED, "-q:a", "2", source=tmp_path / "a.wav")
    found, _ = read_audio(path)
    assert 6 * rate <= found.shape[1] <= 6 * rate + 1152


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.aac", (), "AAC without a container"),
        ("a.mka", ("-c:a", "aac"), "Matroska"),
        ("a.wma", (), "WMA"),
        ("a.mp3", UNTAGGED, "MP3 without an encoder's tag"),
        ("a.mp3", (), ""),
        ("a.m4a", (), ""),
        ("a.m4a", ("-use_editlist", "0"), "does not say how late"),
        ("a.ac3", (), "AC-3"),
        ("a.wav", (), ""),
        ("a.mka", ("-c:a", "flac"), ""),
    ],
)
def test_what_nobody_knows_is_said(tmp_path, name, options, words):
    doubt = doubt_of(encoded(tmp_path, name, 44_100, *options))
    assert words in doubt
    assert bool(doubt) is bool(words)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\xfb", b"ID3", b"\xff\xfb\x90\x64" + b"\xff" * 999]
)
def test_scraps_have_no_delay(tmp_path, content):
    path = tmp_path / "scrap.mp3"
    path.write_bytes(content)
    assert delay_of(str(path).encode()) == delay_of(b"no such file")
