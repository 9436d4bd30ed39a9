"""Files of data sets and caches that a stranger unpacked: only regular ones are opened."""

import os
from pathlib import Path

import pytest
import yaml

from data_pipelines.separation.separate import _listed
from data_pipelines.sources import fma, harmonix, slakh2100
from data_pipelines.sources.song import Reject
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.errors import MashnetError


@pytest.fixture(params=["pipe", "folder", "nowhere", "long"])
def spoiled(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return what is no file that any data set has."""
    path = tmp_path / "spoiled"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "long":
        with path.open("wb") as file:
            file.truncate(20_000_000)
    return path


def test_a_list_of_stems_is_a_short_file(spoiled: Path, tmp_path: Path) -> None:
    assert _listed(spoiled) == []
    for text in ("[" * 5000, "&a [x]: *a", "a: [", "!!python/name:os.system"):
        (tmp_path / "list").write_text(text)
        assert _listed(tmp_path / "list") == []
    (tmp_path / "list").write_text(yaml.safe_dump(["bass", "drums"]))
    assert _listed(tmp_path / "list") == ["bass", "drums"]


def test_a_track_of_slakh_without_a_file_of_metadata_is_a_reject(
    spoiled: Path, tmp_path: Path
) -> None:
    track = tmp_path / "root" / "Track00001"
    track.mkdir(parents=True)
    spoiled.rename(track / "metadata.yaml") if spoiled.exists() else None
    typed = ["source=slakh2100", f"source.root={track.parent}"]
    config = compose("mashupdb", typed, CONFIGS / "pipeline")
    found = list(slakh2100._song(track, ("train",), config.source))
    assert len(found) == 1 and isinstance(found[0], Reject) and "cannot be used" in found[0].reason


def test_the_files_of_harmonix_are_files(spoiled: Path, tmp_path: Path) -> None:
    with pytest.raises(MashnetError, match="spoiled"):
        harmonix._read_metadata(spoiled)
    for read in (harmonix.read_beats, lambda path: harmonix.read_segments(path, ())):
        with pytest.raises((OSError, ValueError)):
            read(spoiled)
    beats = tmp_path / "beats.txt"
    beats.write_text("0.5 1 1\n1.0 2 1\n", "utf-8")
    assert harmonix.read_beats(beats) == ((0.5, 1.0), (0.5,))


def test_the_tables_of_fma_are_files(spoiled: Path, tmp_path: Path) -> None:
    with pytest.raises(MashnetError, match="spoiled"):
        fma._read_tracks(spoiled)
    if not spoiled.is_file():
        typed = ["source=fma", f"source.key_file={spoiled.name}"]
        config = compose("mashupdb", typed, CONFIGS / "pipeline")
        with pytest.raises(MashnetError, match="spoiled cannot be read"):
            fma._read_keys(tmp_path, config.source)
