"""ONNX files say what the Scorer says: any length, any batch, one file for each purpose."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.parts import ArrayPart, Query
from mashnet.errors import ConfigError
from mashnet.export import onnx_files as onnx_files_module
from mashnet.export.bundle import export_bundle
from mashnet.export.instruments import condition_of
from mashnet.models.loading import load_scorer
from mashnet.models.trained import TrainedScorer

MIXES, LOOPS, STEMS = ("premixnet", "postmixnet"), ("loop_cnn", "loop_siamese"), ("jepa", "cocola")
Bundles = Callable[[str], Path]


@cache
def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def noise(seed: int, batch: int, samples: int) -> np.ndarray:
    waves = np.random.default_rng(seed).standard_normal((batch, samples))
    return (0.1 * waves * (1 + np.sin(np.arange(samples) / 900))).astype(np.float32)


def by_onnx(
    bundle: Path, scorer: TrainedScorer, waves: dict[str, np.ndarray], instrument: str = ""
) -> np.ndarray:
    count = len(next(iter(waves.values())))
    told = condition_of(scorer.network, [instrument] * count)
    feed = waves if told is None else {**waves, "instrument": told}
    return session(bundle / "model.onnx").run(["score"], feed)[0]


def by_torch(
    scorer: TrainedScorer, waves: dict[str, np.ndarray], instrument: str = ""
) -> np.ndarray:
    """Every item by itself, as the Scorer is used."""
    rate, first = scorer.frontend.sample_rate, scorer.roles[0]
    scores = []
    for i in range(len(waves[first])):
        parts = {role: ArrayPart(wave[i], rate) for role, wave in waves.items()}
        query = Query({first: parts.pop(first)}, instrument=instrument)
        scores.append(float(scorer.score(query, [parts])[0]))
    return np.array(scores)


# Samples of each role, in windows: less than one, exactly one, several and a bit, all different.
LENGTHS = [(0.4, 0.4, 0.4), (1.0, 1.0, 1.0), (3.3, 3.3, 3.3), (2.0, 3.1, 0.71)]


# Of the stems view one that reads an instrument, and one that does not, in every run.
@pytest.mark.parametrize(
    "network",
    [
        pytest.param(n, marks=() if n in (*MIXES, "stem_jepa", "alignnet") else pytest.mark.long)
        for n in MIXES + STEMS
    ],
)
def test_scores_are_the_scorers_at_any_length_and_batch(bundle_of: Bundles, network: str) -> None:
    bundle = bundle_of(network)
    scorer = load_scorer(bundle)
    rate, window_s = scorer.frontend.sample_rate, scorer.frontend.settings["window_s"]
    found, expected = [], []
    for batch in (1, 3):
        for lengths in LENGTHS:
            samples = [round(length * window_s * rate) + 1 for length in lengths]
            waves = {
                role: noise(seed, batch, samples[seed]) for seed, role in enumerate(scorer.roles)
            }
            found += by_onnx(bundle, scorer, waves).tolist()
            expected += by_torch(scorer, waves).tolist()
    assert len(found) == 4 * (1 + 3)
    assert np.ptp(expected) > 1e-3  # of scores that are all alike nothing could be learned
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("network", LOOPS)
def test_scores_of_loops_are_the_scorers(bundle_of: Bundles, network: str) -> None:
    bundle = bundle_of(network)
    scorer = load_scorer(bundle)
    samples = 2 * scorer.frontend.sample_rate
    for batch in (1, 3):
        waves = {role: noise(seed, batch, samples) for seed, role in enumerate(scorer.roles)}
        found = by_onnx(bundle, scorer, waves)
        np.testing.assert_allclose(found, by_torch(scorer, waves), atol=1e-4, rtol=0)
    assert np.ptp(found) > 1e-3


def test_a_loop_of_another_length_is_refused(bundle_of: Bundles) -> None:
    waves = {role: noise(0, 1, 15000) for role in ("loop_a", "loop_b")}
    with pytest.raises(Exception, match=r"Got: 15000 Expected: 16000"):
        session(bundle_of("loop_cnn") / "model.onnx").run(None, waves)


@pytest.mark.parametrize("network", MIXES + LOOPS + STEMS)
def test_silence_and_what_is_nearly_silent(bundle_of: Bundles, network: str) -> None:
    bundle = bundle_of(network)
    scorer = load_scorer(bundle)
    loops = network in LOOPS
    samples = scorer.frontend.samples if loops else round(scorer.frontend.sample_rate * 4.2)
    waves = {role: noise(seed, 3, samples) for seed, role in enumerate(scorer.roles)}
    for role, wave in waves.items():
        wave[0] = 0  # all is silent
        wave[1] *= 1e-6
        if role == scorer.roles[-1]:
            wave[2] = 0  # one side is silent
    found = by_onnx(bundle, scorer, waves)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, by_torch(scorer, waves), atol=1e-4, rtol=0)
    if network in STEMS:
        assert found.tolist() == [0.0, 0.0, 0.0]  # says nothing


@pytest.mark.parametrize("network", MIXES + LOOPS + STEMS)
def test_an_item_of_a_batch_scores_as_if_alone(bundle_of: Bundles, network: str) -> None:
    bundle = bundle_of(network)
    scorer = load_scorer(bundle)
    samples = scorer.frontend.samples if network in LOOPS else scorer.frontend.sample_rate * 4
    waves = {role: noise(seed, 3, samples) for seed, role in enumerate(scorer.roles)}
    together = by_onnx(bundle, scorer, waves)
    for i in range(3):
        alone = by_onnx(bundle, scorer, {role: wave[i : i + 1] for role, wave in waves.items()})
        assert together[i] == pytest.approx(alone[0], abs=1e-5)


def test_jepa_is_told_what_is_looked_for(bundle_of: Bundles) -> None:
    bundle = bundle_of("jepa")
    scorer = load_scorer(bundle)
    waves = {role: noise(seed, 2, 60000) for seed, role in enumerate(scorer.roles)}
    bass = by_onnx(bundle, scorer, waves, "bass")
    np.testing.assert_allclose(bass, by_torch(scorer, waves, "bass"), atol=1e-4, rtol=0)
    assert np.abs(bass - by_onnx(bundle, scorer, waves, "violin")).max() > 1e-3
    table = json.loads((bundle / "instruments.json").read_text())
    vectors = np.array([table["bass"], table["bass"]], np.float32)
    by_table = session(bundle / "model.onnx").run(["score"], {**waves, "instrument": vectors})[0]
    np.testing.assert_allclose(by_table, bass, atol=1e-6)
    assert next(iter(table)) == "music"  # what "" means


def test_embeddings_of_sides_give_the_scores_of_pairs(bundle_of: Bundles) -> None:
    for network in STEMS:
        bundle = bundle_of(network)
        scorer = load_scorer(bundle)
        contexts, targets = noise(0, 2, 100_000), noise(1, 3, 130_000)
        told = condition_of(scorer.network, ["", ""])
        feed = {"context": contexts} | ({} if told is None else {"instrument": told})
        one = session(bundle / "context.onnx").run(None, feed)
        other = session(bundle / "target.onnx").run(None, {"target": targets})
        asked = [{"context": ArrayPart(wave, 16000)} for wave in contexts]
        candidates = [{"target": ArrayPart(wave, 16000)} for wave in targets]
        queries, found = scorer.embed_query(asked), scorer.embed_candidate(candidates)
        if network == "jepa":  # one vector of unit length a side
            np.testing.assert_allclose(one[0], queries[:, 0, 1:], atol=1e-5)
            scores = one[0] @ other[0].T
        else:  # one a window, and how much the window counts
            np.testing.assert_allclose(one[0], queries[..., 1:], atol=1e-5)
            np.testing.assert_allclose(one[1], queries[..., 0], atol=1e-6)
            assert one[0].shape[1] == 3 and other[0].shape[1] == 3
            shares = np.sqrt(one[1])[:, None] * np.sqrt(other[1])
            products = np.einsum("nwd,mwd->nmw", one[0], other[0])
            scores = (products * shares).sum(-1) / shares.sum(-1)
        np.testing.assert_allclose(scores, scorer.similarity(queries, found), atol=1e-4)


def test_a_loop_has_a_vector_of_its_own(bundle_of: Bundles) -> None:
    bundle = bundle_of("loop_siamese")
    scorer = load_scorer(bundle)
    loops = noise(0, 3, scorer.frontend.samples)
    groups = [{"loop": ArrayPart(loop, scorer.frontend.sample_rate)} for loop in loops]
    found = session(bundle / "loop.onnx").run(None, {"loop": loops})[0]
    np.testing.assert_allclose(found, scorer.embed_query(groups), atol=1e-5)
    assert not (bundle_of("loop_cnn") / "loop.onnx").exists()  # which has no such thing


@pytest.mark.parametrize("network", MIXES + LOOPS + STEMS)
def test_a_file_says_what_it_is_and_nothing_of_where_it_was_made(
    bundle_of: Bundles, network: str
) -> None:
    bundle = bundle_of(network)
    scorer = load_scorer(bundle)
    digests = json.loads((bundle / "selfcheck.json").read_text())["sha256"]
    for path in bundle.glob("*.onnx"):
        content = path.read_bytes()
        assert digests[path.name] == hashlib.sha256(content).hexdigest()
        assert b"/mashnet/" not in content and b"stack_trace" not in content
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model, full_check=True)
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
        assert not model.functions
        facts = {entry.key: entry.value for entry in model.metadata_props}
        assert facts["network"] == network and facts["name"] == f"tiny_{network}"
        assert facts["sample_rate"] == str(scorer.frontend.sample_rate)
        assert facts["roles"] == ", ".join(scorer.roles)
        assert facts["weights_sha256"] == digests["model.safetensors"]
        assert "MIT" in facts["license"] and facts["opset"] == "18" and float(facts["window_s"])
        inputs = {value.name for value in model.graph.input} - {"instrument"}
        assert inputs <= {*scorer.roles, "loop"}
    whole = onnx.load(bundle / "model.onnx").graph
    assert [value.name for value in whole.output] == ["score"]
    batches = {value.type.tensor_type.shape.dim[0].dim_param for value in whole.input}
    assert batches == {"batch"}


def test_weights_are_in_a_file_once(bundle_of: Bundles) -> None:
    bundle = bundle_of("cocola")  # one encoder for both sides
    weights = (bundle / "model.safetensors").stat().st_size
    assert (bundle / "model.onnx").stat().st_size < 1.5 * weights + 300_000


def test_the_command_line_writes_the_same_bytes_and_takes_a_bundle(
    bundle_of: Bundles, tmp_path: Path
) -> None:
    bundle = bundle_of("loop_cnn")
    program = [sys.executable, "-m", "mashnet.export", f"checkpoint={bundle}", "format=onnx"]
    result = subprocess.run(
        [*program, f"out={tmp_path / 'copy'}"],
        capture_output=True, text=True, check=False, cwd=CONFIGS.parent,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "onnx:" in result.stdout and "model.onnx" in result.stdout
    assert result.stderr.strip() == ""
    names = {path.name for path in bundle.iterdir()}
    assert {path.name for path in (tmp_path / "copy").iterdir()} == names
    for name in names:
        assert (tmp_path / "copy" / name).read_bytes() == (bundle / name).read_bytes(), name


def test_a_format_that_is_none(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"format 'onx' is not available. Did you mean 'onnx'"):
        export_bundle(run_of("loop_cnn"), tmp_path / "out", format="onx")
    assert not (tmp_path / "out").exists()


def test_a_network_without_a_graph(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"AlignNet cannot .* these can: cocola, contrastive,"):
        export_bundle(run_of("alignnet"), tmp_path / "out", format="onnx")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named_with_its_command(
    run_of: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"package {package}; get it: .*mashnet.onnx."):
        export_bundle(run_of("loop_cnn"), tmp_path / "out", format="onnx")
    assert not (tmp_path / "out").exists()
    export_bundle(run_of("loop_cnn"), tmp_path / "out")  # a bundle needs none of them


def test_a_file_that_says_something_else_is_not_written_and_the_bundle_is_whole(
    run_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = onnx_files_module._graphs_of

    def with_other_weights(scorer: TrainedScorer) -> object:
        graphs = kind(scorer)
        with torch.no_grad():
            for parameter in scorer.network.parameters():
                parameter.add_(0.5)
        return graphs

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(onnx_files_module, "_graphs_of", with_other_weights)
        with pytest.raises(ConfigError, match="a longer sound scores .* beside torch"):
            export_bundle(run_of("loop_cnn"), out, format="onnx")
    complete = {"model.safetensors", "config.yaml", "README.md", "selfcheck.json"}
    assert {path.name for path in out.iterdir()} == complete
    load_scorer(out)  # passes its self-check, or raises


def test_what_a_killed_export_left_is_gone_after_the_next(
    run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    run, out = run_of("loop_cnn"), tmp_path / "out"
    out.mkdir()
    (out / ".model.x1y2.partial.safetensors").write_bytes(b"half")
    export_bundle(run, out)
    complete = {"model.safetensors", "config.yaml", "README.md", "selfcheck.json"}
    assert {path.name for path in out.iterdir()} == complete
    for name in ("config.yaml", "README.md", "selfcheck.json"):
        (out / name).unlink()  # killed after the weights
    (out / ".config.x1y2.partial.yaml").write_bytes(b"half")
    with pytest.raises(ConfigError, match="not a bundle"):
        (out / "thesis.txt").write_text("two years of work")
        export_bundle(run, out)
    (out / "thesis.txt").unlink()
    export_bundle(run, out)
    assert {path.name for path in out.iterdir()} == complete


def test_onnx_files_of_other_weights_do_not_stay(
    run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    out = export_bundle(run_of("loop_cnn"), tmp_path / "out")
    (out / "model.onnx").write_bytes(b"of an export before")
    export_bundle(run_of("loop_cnn"), out)
    assert not (out / "model.onnx").exists()
