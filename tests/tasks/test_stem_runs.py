"""Runs on stems: every model config trains, learns, goes on after a kill and becomes a bundle."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

import mashnet
from mashnet.audio.io import write_flac
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.data.stems.view import Augmentation, StemChunks
from mashnet.errors import AudioError, CheckpointError, ConfigError, DatabaseError
from mashnet.execution import local
from mashnet.export.bundle import export_bundle
from mashnet.models.loading import build_scorer, load_scorer
from mashnet.models.stems.scoring import StemScorer
from mashnet.score import main as score_main
from mashnet.tasks.compilation import choose_compilation
from mashnet.tasks.fit import fit, read_run
from mashnet.tasks.run_log import read_log
from mashnet.tasks.settings import settings_of
from tests.model_configs import models_of
from tests.stems import RATE, Clip, band, noise, stem_database
from tests.tasks.killed_run import train_until_killed

MODELS = models_of("stems")


@pytest.fixture(scope="module", autouse=True)
def _in_this_process():
    """Decode here: starting processes takes seconds, these few stems do not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_WORTH_PROCESSES", 1000)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Six songs to learn, and the same under other names to be asked about."""
    root = tmp_path_factory.mktemp("stems")
    clips = [
        Clip(f"{split} {song}", band(song), split)
        for split in ("train", "val")
        for song in range(6)
    ]
    stem_database(root, clips)
    return root


def settings(root: Path, model: str, *overrides: str, small: bool = True) -> dict:
    """Settings of a run that takes seconds."""
    tiny = [
        "trainer.max_epochs=1",
        "trainer.accelerator=cpu",
        "data.chunks.per_clip=2",
        "data.chunks.validation_per_clip=1",
    ]
    config = compose(
        "train",
        [
            f"model={model}",
            "data=mashupdb",
            f"data.root={root}",
            f"scale={'small' if small else 'paper'}",
            *tiny,
            *overrides,
        ],
    )
    scale = OmegaConf.select(config, f"scale.{config.model.scale}")
    if small and "batch_size" in scale and not any("batch_size" in o for o in overrides):
        scale.batch_size = 6
    return settings_of(config)


def vit(model: str, *overrides: str) -> list[str]:
    """Overrides that make a network on a ViT tiny: a second, one block, batches of twelve."""
    scale = "contrastive" if model == "contrastive" else "jepa"
    tiny = ["sizes.width=64", "sizes.depth=1", "frontend.window_s=1.0", "batch_size=12"]
    return [
        *(f"scale.{scale}.{setting}" for setting in (*tiny, *overrides)),
        "model.chunk_s=[1.0, 1.0]",
        "data.chunks.per_clip=4",
    ]


@pytest.mark.parametrize("model", MODELS)
def test_every_stem_model_config_trains_and_loads(root, tmp_path, model):
    run = tmp_path / "run"
    best = fit(run, settings(root, model))
    assert best.is_file() and (run / "curves.png").stat().st_size > 1000
    log = read_log(run)
    assert set(log) == {0}
    wanted = {"train/loss", "val/rank_share", "val/top_1", "train/waiting_share"}
    wanted |= {"val/embedding_deviation", "val/embedding_rank"}
    assert wanted <= set(log[0])
    assert math.isfinite(log[0]["train/loss"]) and 0 <= log[0]["train/waiting_share"] <= 1
    scorer = load_scorer(run)
    assert isinstance(scorer, StemScorer) and scorer.name == model
    context, target = (root / f"audio/000/{stem}.flac" for stem in (0, 1))
    score = mashnet.load(run).score(context=context, target=target)
    assert math.isfinite(score)
    assert score == mashnet.load(run).score(context=context, target=target)


@pytest.mark.parametrize("model", MODELS)
def test_paper_scale_composes(root, monkeypatch, model):
    # Published sizes are large: most weights are laid out, not drawn.
    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", lambda _: None)
    monkeypatch.setattr(torch.nn.init, "xavier_uniform_", lambda weight: weight)
    scorer = build_scorer(settings(root, model, small=False)["model"], name=model)
    assert isinstance(scorer, StemScorer)
    assert scorer.frontend.sample_rate == scorer.network.sample_rate
    assert sum(p.numel() for p in scorer.network.parameters()) > 300  # alignnet has 355


def test_every_model_config_is_of_a_view_that_is_tested():
    """`mixes` and `loops` by test_fit.py, `phrases` by test_phrase_runs.py, `stems` here."""
    every = {path.stem for path in (CONFIGS / "model").glob("*.yaml")}
    assert {*MODELS, *models_of("mixes", "loops", "phrases")} == every


@pytest.mark.parametrize(
    ("model", "chunk_s", "compiled"),
    [
        ("contrastive", "[1.0, 1.0]", 1),
        pytest.param("jepa", "[0.5, 1.0]", 3, marks=pytest.mark.long),
    ],
)
def test_a_compiled_run_is_one_like_any_other(
    root, tmp_path, monkeypatch, model, chunk_s, compiled
):
    """It trains on what the compiler made, to the same weights under the same names."""
    calls = []

    def eagerly(module, *, dynamic):
        calls.append(dynamic)
        module._compiled_call_impl = torch.compile(
            module._call_impl, backend="eager", dynamic=dynamic
        )

    monkeypatch.setattr(torch.nn.Module, "compile", eagerly)
    chosen = [*vit(model), f"model.chunk_s={chunk_s}"]
    plain = load_scorer(fit(tmp_path / "plain", settings(root, model, *chosen))).network
    assert calls == []  # auto: not on a CPU
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    config = settings(root, model, *chosen, "trainer.compile=true")
    found = load_scorer(fit(tmp_path / "compiled", config)).network
    assert calls == [True if model == "jepa" else None] * compiled
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 2
    expected = plain.state_dict()
    assert list(found.state_dict()) == list(expected)
    for name, value in found.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-5)


def test_what_is_compiled(monkeypatch):
    every = {"triton": True, "cc": "/usr/bin/cc"}
    monkeypatch.setattr("importlib.util.find_spec", every.get)
    monkeypatch.setattr("shutil.which", every.get)
    assert choose_compilation("auto", "gpu") and choose_compilation(True, "cpu")
    assert not choose_compilation("auto", "cpu") and not choose_compilation(False, "gpu")
    del every["cc"]
    assert not choose_compilation("auto", "gpu")
    with pytest.raises(ConfigError, match=r"trainer.compile 'always' is not available"):
        choose_compilation("always", "gpu")


# Shares of the other songs' targets before the own one: found in 4 epochs, 0.05, 0.25 and 0.27.
@pytest.mark.parametrize(
    ("model", "share"),
    [
        ("contrastive", 0.15),
        pytest.param("jepa", 0.35, marks=pytest.mark.long),
        pytest.param("stem_jepa", 0.35, marks=pytest.mark.long),  # of the same task as jepa
    ],
)
def test_a_few_songs_are_learned(root, tmp_path, model, share):
    """The loss falls, and contexts find their own targets before those of the other songs."""
    rates = ["learning_rate=0.002"]
    rates += ["sizes.ema=[0.95, 0.99]"] if model != "contrastive" else []
    chunks = ("per_clip=100", "validation_per_clip=6", "gain_db=0.0", "noise_db=-inf")
    chosen = [*vit(model, *rates), "trainer.max_epochs=4"]
    fit(tmp_path, settings(root, model, *chosen, *(f"data.chunks.{name}" for name in chunks)))
    log = read_log(tmp_path)
    assert min(values["train/loss"] for values in log.values()) < 0.75 * log[0]["train/loss"]
    assert min(values["val/rank_share"] for values in log.values()) < share


def test_epochs_draw_anew_and_validation_does_not(root, tmp_path, monkeypatch):
    """Through the trainer, which tells the epoch to some samplers and not to others."""
    drawn, draw = [], StemChunks._draw

    def noted(chunks, key, *sides):
        drawn.append((chunks.augmentation == Augmentation(), key))
        return draw(chunks, key, *sides)

    monkeypatch.setattr(StemChunks, "_draw", noted)
    fit(tmp_path, settings(root, "contrastive", *vit("contrastive"), "trainer.max_epochs=3"))
    training = [key for validating, key in drawn if not validating]
    assert len(training) == 3 * 6 * 4 == len(set(training))
    assert sorted({turn for turn, _, _ in training}) == list(range(12))
    validation = [key for validating, key in drawn if validating]
    assert len(validation) == 3 * 6 and validation[:6] == validation[6:12] == validation[12:]


def losses(run: Path) -> dict[int, list[float]]:
    names = ("train/loss", "val/rank_share", "val/embedding_rank")
    # Of the epoch before a kill a part may not have reached the file.
    log = {e: v for e, v in read_log(run).items() if set(names) <= set(v)}
    return {epoch: [values[name] for name in names] for epoch, values in log.items()}


@pytest.mark.long  # test_fit.py kills a run of loops, tests/kill one of mixes
def test_a_run_that_is_killed_continues_as_if_nothing_had_happened(root, tmp_path):
    """Order, chunks, learning rate and the moving encoder go on where they were."""
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    chosen = [*vit("jepa"), "trainer.max_epochs=4", "data.chunks.per_clip=40"]
    config = settings(root, "jepa", *chosen)
    fit(undisturbed, config)
    train_until_killed(killed, config)
    before = set(losses(killed))
    assert 3 not in before
    fit(killed, read_run(killed))
    expected, found = losses(undisturbed), losses(killed)
    assert set(expected) == {0, 1, 2, 3} and max(found) == 3 and len(set(found) - before) >= 1
    for epoch, values in found.items():
        assert values == pytest.approx(expected[epoch], rel=1e-5), epoch
    states = [load_scorer(run / "checkpoints/last.ckpt").network for run in (undisturbed, killed)]
    for one, other in zip(*(network.state_dict().values() for network in states), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def first_phase(root, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "first"
    fit(run, settings(root, "contrastive", *vit("contrastive")))
    return run


def test_jepa_begins_with_the_encoder_of_phase_1(root, tmp_path, first_phase):
    # Nothing moves: what a run ends with is what it began with.
    still = [*vit("jepa", "learning_rate=0.0"), f"init_from={first_phase}"]
    fit(tmp_path / "run", settings(root, "jepa", *still))
    given = load_scorer(first_phase).network.encoder.state_dict()
    network = load_scorer(tmp_path / "run").network
    for encoder in (network.encoder, network.target_encoder):
        found = encoder.state_dict()
        assert all(torch.equal(found[name], value) for name, value in given.items())


def test_another_encoder_is_refused_in_one_line(root, tmp_path, first_phase):
    other = settings(root, "jepa", *vit("jepa", "sizes.depth=2"), f"init_from={first_phase}")
    with pytest.raises(CheckpointError, match=r"depth 1, this model's has .*depth 2") as refusal:
        fit(tmp_path / "a", other)
    assert "\n" not in str(refusal.value)
    nowhere = settings(root, "jepa", *vit("jepa"), f"init_from={tmp_path / 'frist'}")
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        fit(tmp_path / "b", nowhere)


@pytest.mark.parametrize("model", ["contrastive", "stem_jepa", "premixnet_lsro"])
def test_only_jepa_has_a_first_phase(root, tmp_path, first_phase, model):
    config = compose("train", [f"model={model}", "data=mashupdb", f"data.root={root}"])
    begun = {**settings_of(config), "init_from": str(first_phase)}
    with pytest.raises(ConfigError, match=f"init_from is for model=jepa; {model} starts by itself"):
        fit(tmp_path, begun)


def test_a_run_goes_on_without_the_run_it_began_with(root, tmp_path, first_phase):
    away = tmp_path / "first"
    shutil.copytree(first_phase, away)
    config = settings(root, "jepa", *vit("jepa"), f"init_from={away}")
    fit(tmp_path / "run", config)
    shutil.rmtree(away)
    more = {**read_run(tmp_path / "run"), "trainer": {**config["trainer"], "max_epochs": 2}}
    fit(tmp_path / "run", more)
    assert set(read_log(tmp_path / "run")) == {0, 1}


def test_a_bundle_scores_as_its_run_does(root, tmp_path, first_phase, capsys):
    run = tmp_path / "run"
    fit(run, settings(root, "jepa", *vit("jepa"), f"init_from={first_phase}"))
    export_bundle(run, tmp_path / "bundle")
    card = (tmp_path / "bundle" / "README.md").read_text("utf-8")
    for part in ("Stem retrieval", "chunks in training: 1 to 1 s, the target is one stem", "first"):
        assert part in card
    assert "12 songs, 12 clips (train 6, val 6)" in card
    files = {
        role: root / f"audio/000/{stem}.flac" for role, stem in (("context", 0), ("target", 1))
    }
    model, bundle = mashnet.load(run), mashnet.load(tmp_path / "bundle")
    score = model.score(**files)
    assert -1 <= score <= 1 and bundle.score(**files) == pytest.approx(score, abs=1e-6)
    told = bundle.score(**files, instrument="electric guitar")
    assert told == pytest.approx(model.score(**files, instrument="electric guitar"), abs=1e-6)
    assert told == bundle.score(**files, instrument="electric guitar")
    assert bundle.score(**files, instrument="music") == bundle.score(**files)
    capsys.readouterr()
    score_main([str(tmp_path / "bundle"), *(f"{r}={f}" for r, f in files.items())])
    assert capsys.readouterr().out == f"{score:.4f}\n"
    with pytest.raises(ConfigError, match='instrument="" says nothing'):
        score_main([str(tmp_path / "bundle"), "instrument= "])
    with pytest.raises(ConfigError, match="missing: target"):
        bundle.score(context=files["context"])
    with pytest.raises(ConfigError, match="python -m mashnet.retrieve"):
        bundle.rank({"context": files["context"]}, root)
    silent = tmp_path / "silent.flac"
    write_flac(silent, np.zeros((1, RATE), np.float32), RATE)
    with pytest.raises(AudioError, match=r"silent\.flac: is silent") as error:
        bundle.score(context=files["context"], target=silent)
    assert "\n" not in str(error.value)


def test_what_cannot_be_trained_on_is_refused_in_one_line(root, tmp_path):
    lonely = [Clip(f"{i}", [("", noise(i, 1.0))], s) for i, s in enumerate(("train", "val") * 2)]
    stem_database(tmp_path / "lonely", lonely)
    with pytest.raises(DatabaseError, match=r"0 song\(s\) of the split 'train'") as error:
        fit(tmp_path / "a", settings(tmp_path / "lonely", "contrastive", *vit("contrastive")))
    assert "\n" not in str(error.value)
    backwards = settings(root, "contrastive", *vit("contrastive"), "model.chunk_s=[4.0, 2.0]")
    with pytest.raises(ConfigError, match=r"chunk_s=\[4.0, 2.0\]"):
        fit(tmp_path / "b", backwards)


def test_songs_that_cannot_be_used_are_left_out(root, tmp_path, capsys):
    """One stem, silence, other rates and lengths, no label: what is left trains."""
    silence = np.zeros(2 * RATE, np.float32)
    odd = Clip("odd", [("", noise(1, 3.0, rate=44_100)), ("x", noise(2, 1.2, rate=44_100))],
               sample_rate=44_100)  # fmt: skip
    clips = [Clip(f"{s}{i}", band(i, 2.0), s) for s in ("train", "val") for i in range(2)]
    clips += [odd, Clip("one", [("", noise(3, 2.0))]), Clip("s", [("", silence), ("", silence)])]
    stem_database(tmp_path / "db", clips)
    fit(tmp_path / "run", settings(tmp_path / "db", "contrastive", *vit("contrastive")))
    lines = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert lines == ["train: 2 clips left out, the first: Title 5 (005): has 1 stem(s) only"]
    assert math.isfinite(read_log(tmp_path / "run")[0]["train/loss"])
