"""CLAP as a Scorer: the whole input, the same number every time, one line without weights."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from mashnet.data.parts import ArrayPart
from mashnet.errors import ConfigError
from mashnet.models.published.clap import ClapScorer

RATE = 48_000


def group(seed: int, duration_s: float = 3.0, level: float = 0.1) -> dict[str, ArrayPart]:
    random = np.random.default_rng(seed)
    samples = random.standard_normal(round(duration_s * RATE)).astype(np.float32)
    tone = np.sin(2 * np.pi * 200 * (seed + 1) * np.arange(len(samples)) / RATE)
    return {"harmonic": ArrayPart((level * (samples + 5 * tone)).astype(np.float32), RATE)}


def test_the_cosine_of_the_whole_model_s_embeddings(clap_folder):
    from transformers import ClapFeatureExtractor, ClapModel

    model = ClapModel.from_pretrained(clap_folder).eval()
    prepare = ClapFeatureExtractor.from_pretrained(clap_folder)
    vectors = []
    for seed in (0, 1):
        wave = group(seed)["harmonic"].samples
        inputs = prepare(wave, sampling_rate=RATE, return_tensors="pt")
        with torch.inference_mode():
            found = model.get_audio_features(**inputs)
        vectors.append(getattr(found, "pooler_output", found)[0])
    expected = torch.nn.functional.cosine_similarity(*vectors, dim=0)
    score = ClapScorer(weights=str(clap_folder)).score(group(0), [group(1)])[0]
    torch.testing.assert_close(score, expected, atol=1e-5, rtol=0)


def test_all_windows_count_and_nothing_is_drawn(clap_folder):
    scorer = ClapScorer(weights=str(clap_folder))
    long = group(2, 23.0)
    samples = long["harmonic"].samples
    pieces = [
        {"harmonic": ArrayPart(samples[start : start + 10 * RATE], RATE)}
        for start in range(0, len(samples), 10 * RATE)
    ]
    vectors = scorer.embed_query(pieces) * torch.tensor([1.0, 1.0, 0.3])[:, None]
    expected = torch.nn.functional.normalize(vectors.sum(0), dim=0)
    torch.testing.assert_close(scorer.embed_query([long])[0], expected, atol=1e-5, rtol=0)
    again = ClapScorer(weights=str(clap_folder)).embed_query([long])[0]
    assert torch.equal(again, scorer.embed_query([long])[0])


def test_alone_and_among_others(clap_folder):
    scorer = ClapScorer(weights=str(clap_folder))
    candidates = [group(seed, 1.0 + seed) for seed in range(4)]
    together = scorer.score(group(0), candidates)
    fresh = ClapScorer(weights=str(clap_folder))
    torch.testing.assert_close(fresh.score(group(0), candidates[3:])[0], together[3])
    assert scorer.score(group(0), [group(1, level=0.0)]).tolist() == [0.0]
    assert scorer.score(group(0), []).shape == (0,)


def test_weights_that_cannot_be_had_are_one_line(tmp_path):
    with pytest.raises(
        ConfigError, match=r"scorer.weights=.*nowhere cannot be loaded as CLAP"
    ) as e:
        ClapScorer(weights=str(tmp_path / "nowhere"))
    assert "\n" not in str(e.value)


def test_windows_are_as_long_as_the_extractor_allows(clap_folder, tmp_path):
    """Longer ones it would crop at random."""
    folder = tmp_path / "short"
    shutil.copytree(clap_folder, folder)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_length_s": 3}))
    found = [ClapScorer(weights=str(folder)).embed_query([group(3, 7.0)])[0] for _ in range(2)]
    assert torch.equal(*found)
    assert ClapScorer(weights=str(folder)).frontend.window_samples == 3 * RATE
