import json
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mashnet.audio.tags.mp4 import sound_streams, stem_names
from mashnet.audio.tags.of_file import tags_of


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def full(kind: bytes) -> bytes:
    return box(b"hdlr", bytes(8) + kind + bytes(12))


def mp4(*, stems: object = None, tempo_bpm: int = 0, key: str = "", streams: int = 5) -> bytes:
    tracks = b"".join(box(b"trak", box(b"mdia", full(b"soun"))) for _ in range(streams))
    entries = box(b"tmpo", box(b"data", struct.pack(">IIH", 21, 0, tempo_bpm)))
    data = box(b"data", struct.pack(">II", 1, 0) + key.encode())
    entries += box(b"----", box(b"mean", bytes(4) + b"com.apple.iTunes")
                   + box(b"name", bytes(4) + b"initialkey") + data)  # fmt: skip
    meta = box(b"meta", bytes(4) + full(b"mdir") + box(b"ilst", entries))
    stem = box(b"stem", json.dumps(stems).encode()) if stems is not None else b""
    return box(b"ftyp", b"M4A ") + box(b"moov", tracks + box(b"udta", meta + stem))


def id3(frames: dict[bytes, str], version: int = 3) -> bytes:
    body = b""
    for name, text in frames.items():
        content = b"\x01" + text.encode("utf-16")
        size = struct.pack(">I", len(content))
        body += name + size + bytes(2) + content
    length = len(body)
    safe = bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes((version, 0, 0)) + safe + body


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(content)
    return path


def test_mp4_names_its_stems_tempo_and_key(tmp_path):
    stems = {"stems": [{"name": n, "color": "#FF0000"} for n in ("Drums", "Bässe", "", "Vox")]}
    path = written(tmp_path, mp4(stems=stems, tempo_bpm=125, key="8A"))
    assert stem_names(path) == ["Drums", "Bässe", "", "Vox"]
    assert sound_streams(path) == 5
    assert tags_of(path) == {"bpm": "125", "key": "8A"}
    assert tags_of(written(tmp_path, mp4())) == {}


def test_id3_in_files_of_three_kinds(tmp_path):
    tag = id3({b"TBPM": "125", b"TKEY": "Am", b"TIT2": "Ünïcode"})
    expected = {"bpm": "125", "key": "Am", "title": "Ünïcode"}
    assert tags_of(written(tmp_path, tag + b"\xff\xfb" + bytes(99))) == expected
    chunk = b"id3 " + struct.pack("<I", len(tag)) + tag
    wav = b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WAVE" + chunk
    assert tags_of(written(tmp_path, wav)) == expected


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "opus", "aiff"])
def test_tags_that_another_program_wrote(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    names = ("TBPM", "TKEY") if kind in ("mp3", "aiff") else ("BPM", "INITIALKEY")
    said = [f"{names[0]}=125", f"{names[1]}=Am", "title=T"]
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=1"]
    command += [part for tag in said for part in ("-metadata", tag)]
    subprocess.run([*command, "-write_id3v2", "1", path] if kind == "aiff" else [*command, path],
                   check=True)  # fmt: skip
    assert tags_of(path) == {"bpm": "125", "key": "Am", "title": "T"}


@pytest.mark.parametrize(
    "hurt",
    [
        b"",
        b"\0\0\0\1ftyp" + b"\xff" * 8,
        box(b"ftyp", b"") + struct.pack(">I", 2**31) + b"moov",
        box(b"ftyp", b"") + box(b"moov", box(b"udta", box(b"stem", b"[" * 100_000))),
        box(b"ftyp", b"") + box(b"moov", box(b"udta", box(b"stem", b'{"stems": 3}'))),
        box(b"ftyp", b"") + box(b"moov", box(b"udta", struct.pack(">I", 0) + b"stem")),
        box(b"ftyp", b"") + box(b"moov", box(b"udta", b"\0\0\0\x08stem" * 300_000)),
        b"ID3\x04\0\0\x7f\x7f\x7f\x7fTBPM\x7f\x7f\x7f\x7f\0\0\x03",
        b"fLaC\x84\xff\xff\xff",
        b"OggS" + bytes(22) + b"\xff" + b"\xff" * 255,
        b"fLaC\x84\0\0\x08" + b"\xff" * 8,
    ],
)
def test_damaged_files_say_nothing_and_take_no_time(tmp_path, hurt):
    path = written(tmp_path, hurt)
    began = time.monotonic()
    assert (tags_of(path), stem_names(path)) == ({}, [])
    sound_streams(path)
    assert time.monotonic() - began < 2


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_files_with_any_bytes_changed_raise_nothing(tmp_path, data):
    stems = {"stems": [{"name": "Drums"}] * 4}
    content = bytearray(data.draw(st.sampled_from(
        [mp4(stems=stems, tempo_bpm=125, key="8A"), id3({b"TBPM": "125", b"TKEY": "Am"})]
    )))  # fmt: skip
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path, bytes(content[: data.draw(st.integers(0, len(content)))]))
    tags_of(path), stem_names(path), sound_streams(path)
