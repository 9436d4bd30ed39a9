"""The loop networks: sizes counted by hand, losses, and how they score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.loops.loops import SAMPLE_RATE
from mashnet.data.parts import ArrayPart
from mashnet.errors import AudioError, ConfigError
from mashnet.models.loops.layers import Dropout
from mashnet.models.loops.loop_cnn import LoopCnn, LoopCnnScorer
from mashnet.models.loops.loop_siamese import LoopSiamese, LoopSiameseScorer
from mashnet.models.scorer import EmbeddingScorer, Scorer
from tests.loops import beats

SMALL = {"frames": 44, "n_mels": 16, "filters": (4, 2), "dense": (8, 8, 4)}
FRONTEND = {
    "sample_rate": 22050, "n_fft": 1024, "hop_length": 1024, "n_mels": 16, "window": "hamming",
}  # fmt: skip


def randomised(make):
    """Give random weights, and batch normalisation statistics, as training would."""
    torch.manual_seed(0)
    network = make(**SMALL)
    for _ in range(3):
        network({name: torch.rand(6, 44, 16) for name in network.inputs})
    return network


def cnn():
    return LoopCnnScorer(randomised(LoopCnn), LoopFrontend(**FRONTEND), name="cnn")


def siamese():
    network = randomised(LoopSiamese)
    return LoopSiameseScorer(network, LoopFrontend(**FRONTEND), name="siamese")


def loop(seed):
    return ArrayPart(beats(seed), SAMPLE_RATE)


def test_published_sizes_by_hand():
    # Two 3 × 3 convolutions with bias, batch normalisation (scale, shift) and one PReLU slope.
    convolutions = (9 * 1 + 1) * 16 + 2 * 16 + 1 + (9 * 16 + 1) * 4 + 2 * 4 + 1
    # 4 maps of 173 × 128 into 256, 128 and 16.
    first = (4 * 173 * 128 + 1) * 256
    dense = first + 2 * 256 + 1 + (256 + 1) * 128 + 2 * 128 + 1 + (128 + 1) * 16
    skeleton = convolutions + dense
    assert first == 22_675_712
    assert skeleton == 22_712_224
    count = sum(p.numel() for p in LoopSiamese().parameters())
    assert count == skeleton
    # The CNN adds batch normalisation, PReLU and one output.
    assert sum(p.numel() for p in LoopCnn().parameters()) == skeleton + 2 * 16 + 1 + 16 + 1


def test_the_published_frontend_gives_173_frames():
    frontend = LoopFrontend(sample_rate=44100, n_fft=2048, hop_length=512, n_mels=128)
    assert frontend.log_mel_of([loop(0)]).shape == (173, 128) == (frontend.frames, 128)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_a_tenth_and_keeps_the_mean(memory, dtype):
    x = torch.ones(8, 5, 100, 101, dtype=dtype).to(memory_format=memory).requires_grad_()
    dropout = Dropout()
    torch.manual_seed(0)
    out = dropout(x)
    dropped = (out == 0).float()
    # 404,000 draws: five standard deviations of their share are 0.0024.
    assert dropped.mean().item() == pytest.approx(0.1, abs=0.0024)
    assert out.max().item() == pytest.approx(1 / 0.9, rel=0.01)
    for axis in range(4):  # no pattern along any axis
        others = [other for other in range(4) if other != axis]
        assert dropped.mean(dim=others).max() < 0.13
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())
    torch.manual_seed(0)
    assert torch.equal(dropout(x), out)
    assert not torch.equal(dropout(x), out)
    assert dropout.eval()(x) is x


@pytest.mark.parametrize("network", [LoopCnn, LoopSiamese])
def test_another_length_is_refused(network):
    small = network(**SMALL).eval()
    with pytest.raises(ValueError, match="hears 44 frames × 16 mels, got 45 × 16"):
        small({name: torch.rand(2, 45, 16) for name in small.inputs})
    with pytest.raises(ConfigError, match="must be two"):
        network(**{**SMALL, "filters": (4,)})


@pytest.mark.parametrize("scorer", [cnn, siamese])
def test_a_loop_of_another_length_is_refused(scorer):
    short = ArrayPart(beats(0)[:SAMPLE_RATE], SAMPLE_RATE)
    with pytest.raises(AudioError, match=r"lasts 1\.00 s; a loop is one bar"):
        scorer().score({"loop_a": loop(0)}, [{"loop_b": short}])
    almost = ArrayPart(beats(0)[:-100], SAMPLE_RATE)
    assert scorer().score({"loop_a": almost}, [{"loop_b": loop(1)}]).isfinite().all()


def test_the_mix_is_the_mean_of_both_at_a_common_level():
    frontend = LoopFrontend(**FRONTEND)
    quiet = ArrayPart(beats(1) * 0.05, SAMPLE_RATE)
    mixed = frontend.log_mel_of([loop(0), loop(1)])
    torch.testing.assert_close(frontend.log_mel_of([loop(0), quiet]), mixed, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        frontend.log_mel_of([loop(0), loop(0)]), frontend.log_mel_of([loop(0)]), atol=1e-5, rtol=0
    )


def test_contrastive_loss_by_hand():
    distances = torch.tensor([0.5, 3.0, 0.5, 3.0])
    labels = torch.tensor([1, 1, 0, 0])
    # fits: d² = 0.25 and 9; does not: (2 - 0.5)² = 2.25, and 0 beyond the margin. Halved, averaged.
    expected = 0.5 * (0.25 + 9 + 2.25 + 0) / 4
    assert LoopSiamese.loss(distances, labels).item() == pytest.approx(expected)
    assert LoopSiamese.scores(distances).tolist() == [0.5, -2.0, 0.5, -2.0]


def test_binary_cross_entropy_by_hand():
    logits, labels = torch.tensor([0.0, np.log(3)]), torch.tensor([1, 0])
    # posteriors 1/2 and 3/4: -(ln 1/2 + ln 1/4) / 2
    assert LoopCnn.loss(logits, labels).item() == pytest.approx(1.5 * np.log(2))
    assert LoopCnn.scores(logits).tolist() == logits.tolist()


@pytest.mark.parametrize("make", [cnn, siamese])
def test_scores_do_not_depend_on_the_batch(make):
    scorer = make()
    assert isinstance(scorer, Scorer)
    candidates = [{"harmonic": loop(seed)} for seed in range(1, 5)]
    together = scorer.score({"percussion": loop(0)}, candidates)
    assert together.shape == (4,)
    alone = [make().score({"percussion": loop(0)}, [candidate])[0] for candidate in candidates]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-6, rtol=0)
    assert len(set(together.tolist())) == 4


def test_the_cnn_gives_posteriors_that_are_symmetric():
    one, other = {"a": loop(0)}, {"b": loop(1)}
    score = cnn().score(one, [other])
    assert 0 < score.item() < 1
    torch.testing.assert_close(score, cnn().score(other, [one]), atol=1e-6, rtol=0)


def test_siamese_scores_are_distances_of_embeddings():
    scorer = siamese()
    assert isinstance(scorer, EmbeddingScorer)
    groups = [{"loop": loop(seed)} for seed in range(4)]
    table = scorer.similarity(scorer.embed_query(groups), scorer.embed_candidate(groups))
    torch.testing.assert_close(table.diagonal(), torch.ones(4))
    mels = [scorer.frontend.log_mel_of([group["loop"]]) for group in groups]
    for i, j in itertools.product(range(4), range(4)):
        distance = scorer.network({"a": mels[i][None], "b": mels[j][None]})
        assert table[i, j].item() == pytest.approx(1 - distance.item() / 2, abs=1e-4)


def test_one_loop_per_side():
    with pytest.raises(ValueError, match="one other loop"):
        cnn().score({"a": loop(0), "b": loop(1)}, [{"c": loop(2)}])
