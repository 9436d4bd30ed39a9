"""The same rows and the same bytes, whichever executor does the work and with how many workers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch

from data_pipelines.synth.song import synthesise_song
from tests.data_pipelines.separation.test_separate import save_tiny_model

ROOT = Path(__file__).resolve().parents[2]
LENGTH_S = 12.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with recordings, songs in stems, and a tiny Demucs; one file is no sound."""
    folder = tmp_path_factory.mktemp("stages")
    (folder / "recordings").mkdir()
    for index in range(2):
        song = synthesise_song(7, index)
        place = folder / "stems" / str(index)
        place.mkdir(parents=True)
        for name, wave in song.stems.items():
            cut = wave[: round(LENGTH_S * song.sample_rate)]
            soundfile.write(place / f"{name}.wav", cut, song.sample_rate)
        few = sum(song.stems.values())[: 5 * song.sample_rate]
        soundfile.write(folder / "recordings" / f"{index}.wav", few, song.sample_rate)
    for kind in ("stems/0", "recordings"):
        (folder / kind / "fx.wav").write_bytes(b"no sound")
    (folder / "weights").mkdir()
    torch.manual_seed(0)
    save_tiny_model(folder / "weights" / "f00dfeed.th")
    (folder / "weights" / "tiny.yaml").write_text("models: ['f00dfeed']\n")
    return folder


def run(folder: Path, name: str, *executor: str) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.execution.stages", str(folder), str(folder / name)]
    result = subprocess.run(
        [*command, *executor], capture_output=True, text=True, cwd=ROOT, check=False, timeout=280
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads((folder / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def one_worker(folder) -> dict[str, str]:
    return run(folder, "one", "workers=1")


@pytest.mark.long  # each stage has tests of its own
def test_every_stage_left_its_files(one_worker):
    folders = {"/".join(path.split("/")[1:3]) for path in one_worker}
    assert folders >= {
        "cache/separated", "cache/analysis", "cache/songs", "cache/loops", "cache/structure",
        "cache/embeddings", "audio/mixes", "audio/loops",
    }  # fmt: skip
    tables = {path for path in one_worker if path.endswith(".parquet")}
    names = ("clips", "stems", "sections", "mixes", "loops", "pairs", "rejects")
    assert tables >= {f"db/{name}.parquet" for name in names}


@pytest.mark.long  # test_demo.py compares numbers of workers in every run, by its one stage
@pytest.mark.parametrize("executor", ["local", "ray"])
def test_two_workers_of_any_executor_write_the_same_bytes(folder, one_worker, executor):
    assert run(folder, executor, f"executor={executor}", "workers=2") == one_worker
