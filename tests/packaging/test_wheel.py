"""The wheel in environments of its own: a bundle's user, and the whole way of the demo."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import make_tiny_database
from tests.packaging.environments import ROOT, Environment, build_wheel, make_environment

# What `pip install mashnet` must not bring.
NOT_IN_THE_CORE = (
    *("pytorch_lightning", "hydra", "madmom", "demucs", "librosa", "numba", "scipy", "ray"),
    *("pylibrb", "pedalboard", "pyrubberband", "streamlit", "transformers", "onnx", "matplotlib"),
)
SCORING = """
import sys, mashnet
model = mashnet.load(sys.argv[1])
print(model.score(vocal="v.wav", harmonic="h.wav", percussion="p.wav"))
ranked = model.rank(
    {"vocal": "v.wav"}, "db", tempo_bpm=100, key="C major", first_downbeat_s=0.1, max_semitones=6
)
print(len(ranked), min(ranked["semitones"]), min(ranked["tempo_ratio"]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make_environment(tmp_path_factory.mktemp("core"), wheel)


def test_the_core_loads_scores_and_ranks(core: Environment, tmp_path: Path) -> None:
    make_tiny_database(tmp_path / "db", songs=12)
    seconds = np.arange(8 * 22050) / 22050
    for name, hertz in (("v", 440), ("h", 220), ("p", 55)):
        soundfile.write(tmp_path / f"{name}.wav", 0.2 * np.sin(2 * np.pi * hertz * seconds), 22050)
    bundle = ROOT / "checkpoints" / "premixnet_lsro"
    result = core.run("-c", SCORING, str(bundle), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    score, ranked = result.stdout.splitlines()
    assert 0 < float(score) < 1
    clips, semitones, ratio = ranked.split()
    assert int(clips) > 1
    # Something had to be moved, and no GPL engine was there to do it.
    assert int(semitones) < 0 and float(ratio) < 1
    assert "signalsmith moves the library's parts" in result.stderr


def test_the_core_lacks_what_belongs_to_extras(core: Environment, tmp_path: Path) -> None:
    program = f"import importlib.util as u; print([n for n in {NOT_IN_THE_CORE} if u.find_spec(n)])"
    assert core.run("-c", program, cwd=tmp_path).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("mashnet", "train"), "train"),
        (("mashnet", "evaluate"), "evaluate"),
        (("mashnet", "demo"), "pipelines"),
        (("data_pipelines.mixes",), "pipelines"),
        (("mashnet.mashup", "library=a", "scorer=b", "out=c"), "render"),
        (("mashnet", "render", "base=a", "library=b", "out=c.wav"), "render"),
        (("mashnet", "studio", "library=a"), "studio"),
        (("mashnet", "listening", "serve", "folder=x"), "listening"),
        (("mashnet", "export", "checkpoint=x", "out=y"), "config"),
    ],
    ids=" ".join,
)
def test_a_program_without_its_extra_ends_in_one_line_that_names_it(
    core: Environment, tmp_path: Path, arguments: tuple[str, ...], extra: str
) -> None:
    result = core.run("-m", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and f"pip install 'mashnet[{extra}]'" in line


def test_an_analysis_that_is_not_installed_says_what_to_give(
    core: Environment, tmp_path: Path
) -> None:
    make_tiny_database(tmp_path / "db", songs=2)
    soundfile.write(tmp_path / "v.wav", np.full(22050, 0.1), 22050)
    program = (
        "import sys, mashnet\ntry: mashnet.load(sys.argv[1]).rank({'vocal': 'v.wav'}, 'db')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    bundle = str(ROOT / "checkpoints" / "premixnet_lsro")
    result = core.run("-c", program, bundle, cwd=tmp_path)
    assert result.stdout.startswith("ConfigError without madmom nothing is estimated")
    assert "give tempo_bpm, key and first_downbeat_s" in result.stdout


# What the programs of an extra import when they are at work.
WORK = {
    "config": ("mashnet.export.bundle",),
    "render": ("mashnet.mashups.best", "mashnet.rendering.mashup", "mashnet.pages"),
    "train": ("mashnet.tasks.training",),
    "evaluate": ("mashnet.evaluation.run", "mashnet.evaluation.cross_validation"),
    "pipelines": tuple(
        f"data_pipelines.{stage}.stage"
        for stage in ("demo", "mashupdb", "mixes", "loops", "negatives", "structure")
    ),
    "retrieve": ("mashnet.library.search", "mashnet.library.stems"),
    "listening": ("mashnet.listening.server", "mashnet.listening.analyse"),
    "studio": ("mashnet.studio.app", "mashnet.studio.pairs"),
    "separate": ("data_pipelines.separation.separate", "demucs.pretrained"),
    "spleeter": ("data_pipelines.separation.separate", "data_pipelines.mashupdb.stage"),
}


@pytest.mark.parametrize(
    "extra", [pytest.param(e, marks=() if e == "train" else pytest.mark.long) for e in WORK]
)
def test_an_extra_alone_brings_what_its_programs_import(
    wheel: Path, tmp_path: Path, extra: str
) -> None:
    environment = make_environment(tmp_path, wheel, [extra])
    program = f"import importlib\nfor name in {WORK[extra]!r}: importlib.import_module(name)"
    result = environment.run("-c", program, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_demo_from_corpus_to_bundle(wheel: Path, tmp_path: Path) -> None:
    environment = make_environment(tmp_path, wheel, ["pipelines", "train", "evaluate"])
    work = tmp_path / "work"
    work.mkdir()
    small = (
        *("model=premixnet_lsro", "run=r", "trainer.max_epochs=1", "trainer.accelerator=cpu"),
        "scale.mixes.sizes={n_mels: 16, source_filters: [2, 4], joint_filters: 8, dense: 8}",
        *("scale.mixes.frontend.n_mels=16", "scale.mixes.frontend.n_fft=2048"),
    )
    for arguments in (
        ("demo", "out=data/demo", "count=20"),
        ("mixes", "db=data/demo", "duration.min_s=5"),
        ("train", "data=mashupdb", "data.root=data/demo", *small),
        ("evaluate", "checkpoint=runs/r", "protocol=mix_classification"),
        ("export", "checkpoint=runs/r", "out=bundle"),
        ("doctor", "check"),
    ):
        result = environment.run("-m", "mashnet", *arguments, cwd=work)
        assert result.returncode == 0, (arguments, result.stderr[-2000:])
        if arguments[0] == "train":
            assert "mashnet evaluate checkpoint=runs/r" in result.stdout
    (metrics,) = (work / "runs" / "r" / "evaluation").glob("*/metrics.json")
    assert json.loads(metrics.read_text("utf-8"))
    assert (work / "bundle" / "model.safetensors").is_file()
