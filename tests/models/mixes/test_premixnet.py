import numpy as np
import pytest
import torch

from mashnet.audio.spectrogram import log_mel_of_sum
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.parts import ArrayPart
from mashnet.models.mixes.postmixnet import PostMixNet, PostMixScorer
from mashnet.models.mixes.premixnet import ROLES, PreMixNet, PreMixScorer

SMALL = {"n_mels": 32, "source_filters": (4, 8), "joint_filters": 8, "dense": 8}
FRONTEND = {"window_s": 1.0, "sample_rate": 8000, "n_fft": 512, "hop_length": 160, "n_mels": 32}
FRONTEND |= {"f_min_hz": 40.0, "f_max_hz": 4000.0}


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """Batch statistics as after training: with mean 0 and variance 1 folding errors would hide."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    return network.eval()


def part(seed: int, duration_s: float = 2.5, rate: int = 8000) -> ArrayPart:
    noise = np.random.default_rng(seed).standard_normal(round(duration_s * rate))
    return ArrayPart((noise * 0.1).astype(np.float32), rate)


# By hand, from the paper: SourceNet has convolutions 3×3 without bias, 1→64→64, 64→128→128, and
# two batch-norm parameters per filter; the head has (3, 128) over the concatenated filters to
# 256, (3, 1) 256→256, and dense layers 256→128→2 with bias.
SOURCE_NET = 9 * (1 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * (64 + 64 + 128 + 128)
HEAD_REST = 3 * 256 * 256 + 2 * (256 + 256) + (256 * 128 + 128) + (128 * 2 + 2)


def test_premixnet_has_the_papers_parameters() -> None:
    by_hand = 3 * SOURCE_NET + 3 * 128 * (3 * 128) * 256 + HEAD_REST
    assert by_hand == 38_757_698
    assert count(PreMixNet()) == by_hand


def test_postmixnet_has_the_papers_parameters() -> None:
    by_hand = SOURCE_NET + 3 * 128 * 128 * 256 + HEAD_REST
    assert by_hand == 13_073_090
    assert count(PostMixNet()) == by_hand


def test_shapes_of_the_papers_maps() -> None:
    network = PreMixNet().eval()
    with torch.inference_mode():
        mel = torch.rand(1, 40, 128)
        assert network.source_nets["vocal"](mel.unsqueeze(1)).shape == (1, 128, 10, 128)
        assert network.encode("vocal", mel).shape == (1, 256, 10)
        assert network({role: mel for role in ROLES}).shape == (1, 2)


@pytest.mark.parametrize("frames", [8, 37, 50])
def test_summed_shares_equal_the_forward_pass(frames: int) -> None:
    network = randomised(PreMixNet(**SMALL))
    mels = {role: torch.rand(3, frames, 32) for role in ROLES}
    with torch.inference_mode():
        plain = network(mels)
        shares = sum(network.encode(role, mels[role]) for role in ROLES)
        assert torch.allclose(network.head(shares), plain, atol=1e-5)


@pytest.mark.parametrize("network_class", [PreMixNet, PostMixNet])
def test_windows_judged_together_are_judged_as_mixes_one_by_one(network_class) -> None:
    network = randomised(network_class(**SMALL))
    windows = {role: torch.rand(4, 24, 32) for role in ROLES}
    mixes = torch.tensor([[0, 0, 0], [3, 1, 2], [2, 2, 0], [1, 1, 1], [0, 3, 3]])
    with torch.inference_mode():
        together = network.judge(windows, mixes)
        for mix, logits in zip(mixes.tolist(), together, strict=True):
            heard = {r: windows[r][row][None] for r, row in zip(ROLES, mix, strict=True)}
            if network_class is PostMixNet:
                heard = {"mix": log_mel_of_sum(list(heard.values()))}
            assert torch.allclose(network(heard)[0], logits, atol=1e-5)


def test_factorised_scores_equal_plain_scores_for_parts_of_any_length() -> None:
    scorer = PreMixScorer(randomised(PreMixNet(**SMALL)), MixFrontend(**FRONTEND), name="x")
    query = {"vocal": part(0, 3.3)}
    candidates = [
        {"harmonic": part(1, 2.1), "percussion": part(2, 2.6)},
        {"harmonic": part(3, 0.4), "percussion": part(4, 5.0)},
        {"harmonic": part(5, 3.3), "percussion": part(6, 3.3)},
    ]
    scores = scorer.score(query, candidates)
    assert scores.shape == (3,)
    assert torch.allclose(scores, scorer.score_plainly(query, candidates), atol=1e-5)
    assert len(set(scores.tolist())) == 3


@pytest.mark.parametrize(
    ("network", "scorer_class"), [(PreMixNet, PreMixScorer), (PostMixNet, PostMixScorer)]
)
class TestScorer:
    def scorer(self, network, scorer_class):
        torch.manual_seed(0)
        return scorer_class(randomised(network(**SMALL)), MixFrontend(**FRONTEND), name="x")

    def test_score_does_not_depend_on_what_else_is_scored(self, network, scorer_class) -> None:
        candidates = [
            {"harmonic": part(2 * i + 1, 1.0 + i), "percussion": part(2 * i + 2, 3.0)}
            for i in range(4)
        ]
        query = {"vocal": part(0)}
        together = self.scorer(network, scorer_class).score(query, candidates)
        for candidate, score in zip(candidates, together, strict=True):
            alone = self.scorer(network, scorer_class).score(query, [candidate])[0]
            assert abs(float(alone - score)) < 1e-6

    def test_same_input_same_score(self, network, scorer_class) -> None:
        group = {"harmonic": part(1), "percussion": part(2)}
        scores = [
            float(self.scorer(network, scorer_class).score({"vocal": part(0)}, [group])[0])
            for _ in range(2)
        ]
        assert scores[0] == scores[1]

    def test_silence_gives_a_finite_score(self, network, scorer_class) -> None:
        silence = ArrayPart(np.zeros(16000, np.float32), 8000)
        group = {"harmonic": silence, "percussion": silence}
        score = self.scorer(network, scorer_class).score({"vocal": silence}, [group])
        assert 0 <= float(score[0]) <= 1

    def test_a_role_that_is_missing_or_doubled_is_named(self, network, scorer_class) -> None:
        scorer = self.scorer(network, scorer_class)
        with pytest.raises(ValueError, match="missing .*'percussion'"):
            scorer.score({"vocal": part(0)}, [{"harmonic": part(1)}])
        with pytest.raises(ValueError, match="both sides .*'vocal'"):
            scorer.score(
                {"vocal": part(0)},
                [{"vocal": part(0), "harmonic": part(1), "percussion": part(2)}],
            )

    def test_gradient_reaches_every_parameter(self, network, scorer_class) -> None:
        net = network(**SMALL)
        names = net.inputs
        torch.manual_seed(0)
        net({name: torch.rand(4, 50, 32) for name in names})[:, 1].sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
        assert all((p.grad != 0).any() for p in net.parameters() if p.ndim > 1)


def test_roles_are_not_interchangeable() -> None:
    scorer = PreMixScorer(randomised(PreMixNet(**SMALL)), MixFrontend(**FRONTEND), name="x")
    a, b, c = part(0), part(1), part(2)
    straight = scorer.score({"vocal": a}, [{"harmonic": b, "percussion": c}])
    crossed = scorer.score({"vocal": b}, [{"harmonic": a, "percussion": c}])
    assert abs(float(straight - crossed)) > 1e-7
