"""The published COCOLA, against numbers that its own code gave.

cocola_golden.json was made by running the code of https://github.com/gladia-research-group/cocola
(commit e73a2d0: CoColaFeatureExtractor, CoCola.forward with each embedding mode, CoCola.score; CPU,
32 bits, one thread) on the sounds and with the weights that `sound` and `published_weights` below
make by arithmetic. It holds

* features_db: some numbers of the features of the 5 s sounds 0 … 3, by "sound,channel,mel,frame";
  feature_means_db, their means by sound and channel. (librosa 0.10.1 with numpy 1.26.4, which the
  authors name, gives the same features to 2e-5 dB.)
* scores: by mode, the matrix of forward's similarities of these sounds with each other. (The
  published score() gives the same numbers for mode both, and the same whatever the mode.)
* long: score() of sounds 1 and 3 of 12 s, chunk by chunk (0–5 s, 5–10 s, and 10–12 s filled up
  with silence) and in one piece.
* short: score() of sounds 0 and 2 of 2.3 s.
* silence_against_0, silence_against_silence: score() of 5 s of zeros with sound 0, with itself.
"""

from __future__ import annotations

import enum
import json
import os
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mashnet.audio.hpss import HarmonicPercussiveMel
from mashnet.data.parts import ArrayPart
from mashnet.errors import CheckpointError, ConfigError
from mashnet.models.published.cocola_official import RENAMED, CocolaOfficialScorer, PublishedCocola
from mashnet.models.scorer import EmbeddingScorer

RATE = 16_000
GOLDEN = json.loads((Path(__file__).parent / "cocola_golden.json").read_text())


def sound(number: int, duration_s: float) -> np.ndarray:
    """Return plucked tones with noisy clicks; pitch and pulse depend on the number."""
    t = np.arange(round(duration_s * RATE)) / RATE
    pitch_hz = 110 * 2 ** (number * 5 / 12)
    tones = sum(np.sin(2 * np.pi * pitch_hz * k * t) / k for k in (1, 2, 3))
    plucks = np.exp(-6 * (t * (1.5 + 0.25 * number) % 1))
    noise = 2 * (1e4 * (1 + np.sin(12.9898 * np.arange(1, len(t) + 1) * (1 + number))) % 1) - 1
    clicks = np.exp(-20 * (t * (2 + number % 2) % 1)) + 0.01
    slowly = 0.6 + 0.4 * np.sin(2 * np.pi * t / 7)
    return (0.2 * slowly * (tones * plucks + noise * clicks)).astype(np.float32)


def published_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Return weights by published name: normal numbers seeded by the name, scaled by its kind.

    The scales keep a network without training sensitive to what it hears.
    """
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(1000)
            continue
        numbers = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
        if name == "similarity.w":
            numbers = 0.05 * numbers
        elif len(shape) > 1:
            numbers = numbers / np.sqrt(numbers[0].size)
        elif name.endswith("running_var"):
            level = 400.0 if name.endswith("model.0._bn0.running_var") else 0.1
            numbers = level * (1 + 0.3 * np.tanh(numbers))
        elif name.endswith("weight"):
            numbers = 1 + 0.1 * numbers
        else:
            numbers = 0.3 * numbers
        state[name] = torch.from_numpy(np.asarray(numbers, dtype=np.float32))
    return state


def published_name(ours: str) -> str:
    prefix = next(prefix for prefix in RENAMED if ours.startswith(prefix))
    return RENAMED[prefix] + ours.removeprefix(prefix)


@pytest.fixture(scope="module")
def state():
    network = PublishedCocola().state_dict()
    return published_weights({published_name(n): tuple(w.shape) for n, w in network.items()})


def save_as_lightning(state: dict, path: Path) -> None:
    """Save a checkpoint as the published program did, with its own enumerations in the settings."""
    constants = types.ModuleType("contrastive_model.constants")
    for name, member in (
        ("EmbeddingMode", "RANDOM"),
        ("ModelInputType", "DOUBLE_CHANNEL_HARMONIC_PERCUSSIVE"),
        ("FeatureExtractionTime", "OFFLINE"),
    ):
        kind = enum.Enum(name, {member: member.lower()}, module=constants.__name__)
        setattr(constants, name, kind)
    checkpoint = {
        "epoch": 87,
        "pytorch-lightning_version": "2.2.1",
        "state_dict": state,
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "learning_rate": 1e-3,
            "embedding_dim": 512,
            "embedding_mode": constants.EmbeddingMode.RANDOM,
            "input_type": constants.ModelInputType.DOUBLE_CHANNEL_HARMONIC_PERCUSSIVE,
        },
        "datamodule_hyper_parameters": {
            "root_dir": Path("/home/somebody"),
            "feature_extraction_time": constants.FeatureExtractionTime.OFFLINE,
        },
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.1)}},
    }
    modules = {"contrastive_model": types.ModuleType("contrastive_model")}
    modules["contrastive_model.constants"] = constants
    sys.modules.update(modules)
    try:
        torch.save(checkpoint, path)
    finally:
        for name in modules:
            del sys.modules[name]


@pytest.fixture(scope="module")
def checkpoint(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("cocola") / "COCOLA_HP_v1.ckpt"
    save_as_lightning(state, path)
    return str(path)


@pytest.fixture(scope="module")
def scorer(checkpoint):
    return CocolaOfficialScorer(weights=checkpoint)


def part(samples):
    return {"stem": ArrayPart(samples, RATE)}


def test_the_network_is_as_large_as_the_published_one(state, scorer):
    assert len(state) == GOLDEN["names"]
    assert sum(p.numel() for p in scorer.network.parameters()) == GOLDEN["parameters"]


def test_features_are_the_published_ones():
    sounds = torch.from_numpy(np.stack([sound(i, 5.0) for i in range(4)]))
    features = HarmonicPercussiveMel()(sounds)
    np.testing.assert_allclose(features.mean((2, 3)), GOLDEN["feature_means_db"], atol=1e-4)
    for place, expected_db in GOLDEN["features_db"].items():
        assert features[tuple(map(int, place.split(",")))].item() == pytest.approx(
            expected_db, abs=1e-3
        ), place


@pytest.mark.parametrize("mode", ["both", "harmonic", "percussive"])
def test_scores_are_the_published_ones(checkpoint, mode):
    scorer = CocolaOfficialScorer(weights=checkpoint, mode=mode)
    assert isinstance(scorer, EmbeddingScorer) and scorer.name == "cocola_official"
    groups = [part(sound(i, 5.0)) for i in range(4)]
    scores = scorer.similarity(scorer.embed_query(groups), scorer.embed_candidate(groups))
    np.testing.assert_allclose(scores, GOLDEN["scores"][mode], atol=1e-4)
    alone = [scorer.score(groups[1], [group]).item() for group in groups]
    np.testing.assert_allclose(alone, GOLDEN["scores"][mode][1], atol=1e-4)


def test_the_golden_numbers_can_tell_modes_and_sounds_apart():
    scores = np.array([GOLDEN["scores"][mode] for mode in ("both", "harmonic", "percussive")])
    assert scores.std(axis=0).min() > 0.1
    assert scores.std(axis=(1, 2)).min() > 1
    assert np.abs(scores[0] - scores[0].T).max() > 1


def test_longer_sounds_are_heard_chunk_by_chunk(scorer):
    score = scorer.score(part(sound(1, 12.0)), [part(sound(3, 12.0))]).item()
    expected = np.average(GOLDEN["long"]["chunks"], weights=[5, 5, 2])
    assert score == pytest.approx(expected, abs=1e-4)
    first = scorer.score(part(sound(1, 5.0)), [part(sound(3, 5.0))]).item()
    assert first == pytest.approx(GOLDEN["long"]["chunks"][0], abs=1e-4)


def test_or_in_one_piece(checkpoint):
    scorer = CocolaOfficialScorer(weights=checkpoint, window_s=None)
    score = scorer.score(part(sound(1, 12.0)), [part(sound(3, 12.0))]).item()
    assert score == pytest.approx(GOLDEN["long"]["whole"], abs=1e-4)


def test_shorter_sounds_are_heard_as_they_are(scorer):
    score = scorer.score(part(sound(0, 2.3)), [part(sound(2, 2.3))]).item()
    assert score == pytest.approx(GOLDEN["short"], abs=1e-4)


@pytest.mark.parametrize("samples", [1, 159, 160, 4000])
def test_very_short_sounds_have_scores_too(scorer, samples):
    """The published code fails below about a quarter of a second."""
    snippet = part(sound(0, 1.0)[1000 : 1000 + samples])
    assert scorer.score(snippet, [snippet, part(sound(1, 5.0))]).isfinite().all()


def test_silence_scores_as_published(scorer):
    silence = part(np.zeros(5 * RATE, np.float32))
    scores = scorer.score(silence, [part(sound(0, 5.0)), silence])
    expected = [GOLDEN["silence_against_0"], GOLDEN["silence_against_silence"]]
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_silent_chunks_count_only_where_there_is_nothing_else(scorer):
    """6 s of music, then silence until 15 s: only what sounds is judged."""
    gap = np.zeros(9 * RATE, np.float32)
    one, other = sound(1, 6.0), sound(3, 15.0)
    score = scorer.score(part(np.concatenate([one, gap])), [part(other)]).item()
    ten = np.concatenate([one, gap[: 4 * RATE]])
    expected = scorer.score(part(ten), [part(other[: 10 * RATE])]).item()
    assert score == pytest.approx(expected, abs=1e-3)
    nothing = part(np.zeros(0, np.float32))
    assert scorer.score(nothing, [part(one)]).tolist() == [0.0]


def test_a_score_does_not_depend_on_its_candidates(scorer):
    query = part(sound(0, 7.0))
    candidates = [part(sound(i % 4, 2.0 + 0.5 * i)) for i in range(8)]
    together = scorer.score(query, candidates)
    alone = torch.cat([scorer.score(query, [candidate]) for candidate in candidates])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("weights", [None, "nowhere/cocola.ckpt"])
def test_missing_weights_say_where_to_get_them(weights):
    with pytest.raises(ConfigError, match=r"download COCOLA_HP_v1, https://drive\.google"):
        CocolaOfficialScorer(weights=weights)


def test_an_unknown_mode_is_refused(checkpoint):
    with pytest.raises(ConfigError, match="Did you mean 'percussive'"):
        CocolaOfficialScorer(weights=checkpoint, mode="percusive")


class Intruder:
    """Runs a command where a file that holds it is unpickled."""

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


def test_nothing_in_a_checkpoint_is_run(state, tmp_path):
    """What may be skipped is skipped, what cannot be is refused; neither is called."""
    traces = [tmp_path / "one", tmp_path / "other"]
    skipped = Intruder((exec, (f"open({str(traces[0])!r}, 'w')",)))
    refused = Intruder((os.mkdir, (str(traces[1]),)))
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": state, "hyper_parameters": {"a": skipped}}, path)
    CocolaOfficialScorer(weights=str(path))
    torch.save({"state_dict": state, "hyper_parameters": {"a": refused}}, path)
    with pytest.raises(CheckpointError, match="not a readable checkpoint.*blocked"):
        CocolaOfficialScorer(weights=str(path))
    assert not any(trace.exists() for trace in traces)


def without_head(state):
    return {name: weight for name, weight in state.items() if "projection" not in name}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda state: {"state_dict": without_head(state)}, "it lacks encoder.projection.bias"),
        (lambda state: {"state_dict": {**state, "more": torch.zeros(1)}}, "brings more too many"),
        (
            lambda state: {"state_dict": {**state, "similarity.w": torch.zeros(3, 3)}},
            "no weights for",
        ),
        (lambda state: {"state_dict": {**state, "similarity.w": "no"}}, "is not COCOLA's"),
        (lambda state: {"state_dict": {}}, "is not COCOLA's"),
        (lambda state: state, "no state_dict"),
        (lambda state: [1, 2], "no state_dict"),
    ],
)
def test_foreign_files_are_refused_in_one_line(state, tmp_path, content, message):
    path = tmp_path / "model.ckpt"
    torch.save(content(state), path)
    with pytest.raises(CheckpointError, match=message) as caught:
        CocolaOfficialScorer(weights=str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped"])
def test_damaged_files_are_refused_in_one_line(checkpoint, tmp_path, damage):
    content = Path(checkpoint).read_bytes()
    path = tmp_path / "model.ckpt"
    path.write_bytes(
        {
            "empty": b"",
            "cut": content[: len(content) // 2],
            "text": b"<html>Google Drive: too many downloads</html>",
            "flipped": content[:200]
            + bytes(255 - byte for byte in content[200:2000])
            + content[2000:],
        }[damage]
    )
    with pytest.raises(CheckpointError, match="not a readable checkpoint") as caught:
        CocolaOfficialScorer(weights=str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
