"""Every stage of the pipelines, killed at random moments and run again by the same command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from demucs.htdemucs import HTDemucs

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB
from tests.conftest import make_tiny_database
from tests.kill.harness import Nursery, Program, survives
from tests.loops import loop_database, songs
from tests.metronome import MetronomeDB

RATE_HZ = 22050


def program(stages: Nursery, name: str, root: Path, *settings: str, **how) -> Program:
    """Return a stage with these settings, mostly in one process and sometimes in three."""
    varied = [
        {"settings": [f"{'out' if 'template' not in how else 'db'}={root}", *settings, *workers]}
        for workers in (("workers=1",), ("workers=1",), ("workers=1",), ("workers=2",))
    ]
    return Program("stage", root, arguments={"name": name}, varied=varied, **how)


def sound(seed: int, duration_s: float, rate: int = RATE_HZ) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).standard_normal(round(duration_s * rate))


def tune(seed: int) -> dict[str, np.ndarray]:
    """Return four bars of a low figure, four of a high one, and drums in the middle, (n,)."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    low, high = (
        0.3 * np.sin(2 * np.pi * hertz * 2 ** (seed / 12) * time_s) * np.exp(-8 * (time_s % beat_s))
        for hertz, beat_s in ((110, 0.5), (1760, 0.25))
    )
    hiss = (
        0.3 * np.random.default_rng(seed).standard_normal(RATE_HZ) * np.exp(-20 * (time_s % 0.25))
    )
    bars = {
        "harmonic": [low] * 4 + [high] * 4,
        "percussion": [0 * hiss] * 2 + [hiss] * 4 + [0 * hiss] * 2,
    }
    return {name: np.concatenate(of).astype(np.float32) for name, of in bars.items()}


def music(folder: Path) -> Path:
    """Write three songs of three stems, and one of which a stem is damaged."""
    for number in range(4):
        song = folder / f"song {number}"
        song.mkdir(parents=True)
        for index, name in enumerate(("vocals", "bass", "drums")):
            soundfile.write(song / f"{name}.wav", sound(10 * number + index, 5.0), RATE_HZ)
    (folder / "song 3" / "bass.wav").write_bytes(b"no sound")
    return folder


def test_mashupdb(stages: Nursery, kills: int, tmp_path: Path) -> None:
    settings = [f"source.root={music(tmp_path / 'music')}", "clip.min_s=2", "clip.max_s=4"]
    root = stages.folder / "db"
    stage = program(stages, "mashupdb", root, "source=stems", *settings)
    survives(stages, stage, kills=kills)
    assert MashupDB.open(root).clips.height == 8


@pytest.fixture(scope="module")
def small(stages: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of four songs, without mixes and loops."""
    return make_tiny_database(tmp_path_factory.mktemp("small") / "db", songs=4).root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny random HTDemucs."""
    folder = tmp_path_factory.mktemp("weights")
    sizes = {"channels": 4, "dconv_comp": 2, "t_layers": 1, "t_heads": 2, "bottom_channels": 16}
    settings = {"sources": ["drums", "bass", "other", "vocals"], "segment": 2, **sizes}
    torch.manual_seed(0)
    state = HTDemucs(**settings).state_dict()
    package = {"klass": HTDemucs, "args": (), "kwargs": settings, "state": state}
    torch.save(package, folder / "f00dfeed.th")
    return folder


def test_mashupdb_that_separates(
    stages: Nursery, kills: int, weights: Path, tmp_path: Path
) -> None:
    recordings = tmp_path / "music"
    recordings.mkdir()
    for number in range(3):
        soundfile.write(recordings / f"{number}.wav", sound(number, 2.5, 44100), 44100)
    settings = ["source=songs", f"source.root={recordings}", "clip.min_s=1", "clip.max_s=4"]
    settings += [f"separate.repo={weights}", "separate.model=f00dfeed"]
    root = stages.folder / "separated"
    survives(stages, program(stages, "mashupdb", root, *settings), seed=1, kills=kills)
    assert MashupDB.open(root).stems.height > 6


def test_mixes(stages: Nursery, kills: int, small: Path) -> None:
    counts = "{original: 1, matched: 1, unmatched_key: 1, unmatched_tempo: 0}"
    settings = [f"per_seed.{split}={counts}" for split in ("train", "val", "test")]
    settings += ["duration.min_s=5"]
    root = stages.folder / "mixed"
    stage = program(stages, "mixes", root, *settings, template=small)
    survives(stages, stage, seed=2, kills=kills)
    assert MashupDB.open(root).mixes.height >= 6


@pytest.mark.parametrize("source", ["mix", "stems"])
def test_loops(stages: Nursery, kills: int, tmp_path: Path, source: str) -> None:
    songs = MetronomeDB(tmp_path / "songs")
    for seed in range(2):
        clip_id = songs.add(
            tempo_bpm=240, first_s=0, duration_s=8.2, roles=("harmonic", "percussion")
        )
        folder = songs.database.root / "audio" / clip_id
        for name, stem in tune(seed).items():
            write_flac(folder / f"{name}.flac", stem[None], RATE_HZ)
    template = songs.write().root
    root = stages.folder / "looped"
    settings = [f"loops.from={source}", "loops.min_bars=3", "loops.max_iterations=5"]
    stage = program(stages, "loops", root, *settings, template=template)
    survives(stages, stage, seed=3, kills=kills)
    assert MashupDB.open(root).pairs.height >= 2


def test_negatives(stages: Nursery, kills: int, tmp_path: Path) -> None:
    template = tmp_path / "loops"
    loop_database(template, [*songs("train", 3), *songs("val", 2, first=50)])
    root = stages.folder / "negatives"
    arguments = {"name": "negatives", "settings": [f"db={root}"]}
    stage = Program("stage", root, template, arguments)
    survives(stages, stage, seed=7, kills=kills)  # it changes three files only
    assert MashupDB.open(root).pairs["strategy"].n_unique() > 4


def test_structure(stages: Nursery, kills: int, small: Path) -> None:
    root = stages.folder / "structure"
    stage = program(stages, "structure", root, template=small)
    survives(stages, stage, seed=5, kills=kills)
    assert MashupDB.open(root).sections.height >= 4


def test_embeddings_and_their_index(stages: Nursery, kills: int, tmp_path: Path) -> None:
    database = make_tiny_database(tmp_path / "db", songs=8)
    damaged = database.audio_path(min(database.stem_rows))
    damaged.write_bytes(damaged.read_bytes()[:100])
    root = stages.folder / "library"
    stage = program(
        stages, "embeddings", root, "checkpoint=checkpoints/contrastive", template=database.root
    )
    survives(stages, stage, seed=11, kills=kills)
    assert len(list(root.glob("cache/embeddings/*/*.faiss"))) == 1
    assert MashupDB.open(root).rejects["stage"].to_list() == ["embeddings"]


def test_beats(stages: Nursery, kills: int, tmp_path: Path) -> None:
    songs = MetronomeDB(tmp_path / "beats")
    for tempo_bpm in (100, 110, 120):
        songs.add(tempo_bpm=tempo_bpm, duration_s=8.0)
    clip_id = songs.add(duration_s=8.0)
    (songs.database.root / "audio" / clip_id / "vocal.flac").write_bytes(b"no sound")
    root = stages.folder / "beats"
    survives(
        stages, program(stages, "beats", root, template=songs.write().root), seed=12, kills=kills
    )
    assert len(list(root.glob("cache/beats/*/*.npy"))) > 1
    assert MashupDB.open(root).rejects["stage"].to_list() == ["beats"]


def test_demo(stages: Nursery, kills: int) -> None:
    root = stages.folder / "demo"
    stage = program(stages, "demo", root, "count=2")
    survives(stages, stage, seed=6, kills=kills)
    assert MashupDB.open(root).clips.height == 2
