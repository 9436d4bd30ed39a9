"""504 sound files that a stranger spoiled: no crash, no hang, no flood of memory, and a reason."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.mashupdb.stage import build
from mashnet.audio import decoder_process, decoders
from mashnet.audio.io import read_audio
from mashnet.errors import AudioError
from tests.hostile.mutants import Mutant, mutants
from tests.hostile.reader import MOST_BYTES, Reader
from tests.hostile.sounds import DURATION_S, FORMATS, RATE

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
PER_FORMAT = 84
FEW = 30  # of each format: all lies and disguises, and each kind of damage once at least


@pytest.fixture(scope="session")
def spoiled(honest: dict[str, bytes]) -> dict[str, list[Mutant]]:
    found: dict[str, list[Mutant]] = {suffix: [] for suffix in FORMATS}
    for number, mutant in enumerate(mutants(honest, per_format=PER_FORMAT)):
        found[FORMATS[number // PER_FORMAT]].append(mutant)
    return found


def read(reader: Reader, folder: Path, mutant: Mutant):
    path = folder / mutant.name
    path.write_bytes(mutant.content)
    return reader.read("sound", path, stream=mutant.stream)


@pytest.mark.parametrize("suffix", FORMATS)
def test_honest_files_are_read(reader, honest, tmp_path, suffix):
    for stream in range(5 if suffix == "stem.mp4" else 1):
        outcome = read(reader, tmp_path, Mutant(f"a.{suffix}", honest[suffix], stream=stream))
        assert outcome.kind == "read", outcome
        channels, samples, rate = outcome.said
        assert (channels, rate) == (2, RATE)
        assert samples == pytest.approx(DURATION_S * RATE, abs=2100)  # AAC and MP3 pad


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(slice(FEW), id="few"),
        pytest.param(slice(FEW, None), id="others", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("suffix", FORMATS)
def test_spoiled_files_are_refused_with_a_reason_or_are_plain_sound(
    reader, honest, spoiled, tmp_path, suffix, chosen
):
    assert len({mutant.name for mutant in spoiled[suffix]}) == PER_FORMAT
    files = spoiled[suffix][chosen]
    (tmp_path / "secret.wav").write_bytes(honest["wav"])  # what playlists ask for
    refused = 0
    for mutant in files:
        outcome = read(reader, tmp_path, mutant)
        assert outcome.memory < MOST_BYTES, mutant.name
        if outcome.kind == "read":
            assert not mutant.lies, (mutant.name, outcome.said)
            channels, samples, rate = outcome.said
            assert 1 <= channels <= 8 and 8000 <= rate <= 768_000, mutant.name
            assert 0 < samples <= 2.1 * DURATION_S * RATE, mutant.name
        else:
            refused += 1
            assert outcome.kind == "refused", (mutant.name, outcome.said)
            assert outcome.said.startswith(f"{tmp_path / mutant.name}: "), mutant.name
            assert len(outcome.said) > len(f"{tmp_path / mutant.name}: ") + 10, mutant.name
            assert "\n" not in outcome.said, mutant.name
    assert refused > len(files) // 3


@pytest.mark.usefixtures("quick_tracker")
def test_the_pipeline_goes_on_and_names_each_with_a_reason(make, spoiled, tmp_path):
    root = tmp_path / "music"
    make.song(root / "good", 1)
    found = [m for suffix in FORMATS[:-1] for m in spoiled[suffix][::6]]
    chosen = list({m.content: m for m in found}.values())  # the same bytes are the same song
    for mutant in chosen:
        folder = root / mutant.name.replace(".", " ")
        folder.mkdir()
        (folder / f"drums.{mutant.name.rsplit('.', 1)[-1]}").write_bytes(mutant.content)
    database = build(make.pipeline(root, tmp_path / "db"))
    assert database.clips["title"].to_list() == ["good"]
    songs = {Path(row["input"]).name: row for row in database.rejects.iter_rows(named=True)}
    for mutant in chosen:  # what can be read lasts 6 s at most, too short for a clip
        row = songs[mutant.name.replace(".", " ")]
        assert row["reason"] == "has no usable stem" or "lasts" in row["reason"], row
    reasons = [row["reason"] for row in database.rejects.iter_rows(named=True)]
    assert all(reason and "Error" not in reason.split()[0] for reason in reasons)


def test_what_a_header_says_is_not_believed_before_there_is_memory_for_it(honest, tmp_path):
    path = tmp_path / "a.flac"
    samples = (1 << 36) - 1
    value = RATE << 44 | 7 << 41 | 15 << 36 | samples
    path.write_bytes(honest["flac"][:18] + value.to_bytes(8, "big") + honest["flac"][26:])
    with pytest.raises(AudioError, match=r"announces 25971 min of sound; 8 min of it can be read"):
        read_audio(path)


def test_a_wav_that_was_cut_short_is_refused_and_one_of_unknown_length_is_read(honest, tmp_path):
    path, wav = tmp_path / "a.wav", honest["wav"]
    path.write_bytes(wav[: len(wav) // 2])
    with pytest.raises(AudioError, match=r"cut short: 1\.5 s of the announced 3\.0 s"):
        read_audio(path)
    for unknown in (0xFFFFFFFF, 0x7FFFF000):  # as ffmpeg and sox write into pipes
        path.write_bytes(wav[:40] + struct.pack("<I", unknown) + wav[44:])
        assert read_audio(path)[0].shape == (2, round(DURATION_S * RATE))


@pytest.mark.parametrize(
    "playlist", [b"ffconcat version 1.0\nfile secret.wav\n", b"#EXTM3U\n#EXTINF:3,\nsecret.wav\n"]
)
def test_a_playlist_reads_no_other_file(honest, tmp_path, playlist):
    (tmp_path / "secret.wav").write_bytes(honest["wav"])
    (tmp_path / "a.m4a").write_bytes(playlist)
    with pytest.raises(AudioError, match="cannot be decoded: Format not recognised"):
        read_audio(tmp_path / "a.m4a")


def test_an_m3u8_that_names_a_server_ends_at_once(tmp_path):
    """Ffmpeg asked for the address again and again, for as long as it was let."""
    path = tmp_path / "a.m4a"
    path.write_bytes(b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(AudioError, match="cannot be decoded: Format not recognised"):
        read_audio(path)


def test_pedalboard_hangs_on_a_wav_without_a_format_and_is_ended(honest, tmp_path, monkeypatch):
    """JUCE searches on for ever after a 'fmt ' chunk whose name and length were overwritten."""
    path, wav = tmp_path / "a.wav", honest["wav"]
    path.write_bytes(wav[:14] + b"\xff\xff\xff\xff" + wav[18:])
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(decoder_process, "_STALLED_S", 1.0)
    with pytest.raises(AudioError, match="pedalboard made no sound of it in 1 s"):
        read_audio(path)


def test_pedalboard_reads_what_libsndfile_does(honest, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(honest["wav"])
    with decoders._pedalboard(path, 0.5, 1.0) as sound:
        found = np.concatenate(list(sound.blocks), axis=1)
    expected, _ = read_audio(path, start_s=0.5, duration_s=1.0)
    assert (sound.sample_rate, sound.channels) == (RATE, 2)
    assert np.allclose(found, expected, atol=1e-4)  # full scale is 32767 here, 32768 there
    path.write_text("Dear diary, this is no sound.")
    with pytest.raises(decoders.NotUnderstood), decoders._pedalboard(path, 0.0, None):
        pass
