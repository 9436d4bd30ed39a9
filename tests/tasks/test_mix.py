import pytest
import torch

from mashnet.data.mixes.frontend import MixFrontend
from mashnet.errors import ConfigError
from mashnet.models.mixes.premixnet import ROLES, PreMixNet, PreMixScorer
from mashnet.tasks.mix import MixTask, balancing_weights, targets_of, validation_figures

LABELS = torch.tensor([1, 0, -1])
LOGITS = torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.0, 1.0]])


def test_lsro_leaves_labels_alone_and_halves_the_unlabelled() -> None:
    targets = targets_of(LABELS, "lsro", LOGITS)
    assert targets.tolist() == [[0, 1], [1, 0], [0.5, 0.5]]


def test_pseudo_labels_are_the_networks_own_preference() -> None:
    assert targets_of(LABELS, "pseudo", LOGITS)[2].tolist() == [1, 0]
    assert targets_of(LABELS, "pseudo", -LOGITS)[2].tolist() == [0, 1]


def test_pseudo_labels_are_not_differentiated() -> None:
    logits = LOGITS.clone().requires_grad_()
    assert not targets_of(LABELS, "pseudo", logits).requires_grad


def test_without_unlabelled_examples_there_must_be_none() -> None:
    assert targets_of(LABELS[:2], "none", LOGITS[:2]).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match="unlabelled"):
        targets_of(LABELS, "none", LOGITS)


def test_every_label_counts_the_same() -> None:
    weights = balancing_weights(torch.tensor([0, 0, 0, 1, -1, -1]))
    assert weights.tolist() == pytest.approx([1 / 9] * 3 + [1 / 3] + [1 / 6] * 2)


def test_validation_figures_by_hand() -> None:
    # Windows of mix 0 average to 0.75, mix 1 scores 0.375; matched mixes score 0.625, 0.75 and
    # 0.125; unmatched ones 0.4375 and 0.875.
    mixes = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6])
    labels = torch.tensor([1, 1, 1, -1, -1, -1, 0, 0])
    posteriors = torch.tensor([0.5, 1.0, 0.375, 0.625, 0.75, 0.125, 0.4375, 0.875])
    figures = validation_figures(mixes, labels, posteriors)
    # Among matched: 0.75 ties with one of three, (1 + 2) / 2; 0.375 stands behind two, 3.
    assert float(figures["matched_rank_share"]) == pytest.approx(((1.5 + 3) / 2 - 1) / 3)
    # Among all five others: 0.75 behind 0.875 and level with one, (2 + 3) / 2; 0.375 behind four.
    assert float(figures["average_rank"]) == pytest.approx((2.5 + 5) / 2)
    assert float(figures["average_rank_share"]) == pytest.approx((3.75 - 1) / 5)
    assert float(figures["accuracy"]) == pytest.approx(2 / 4)
    expected = -torch.log(torch.tensor([0.75, 0.375, 1 - 0.4375, 1 - 0.875])).mean()
    assert float(figures["loss"]) == pytest.approx(float(expected))


def test_a_constant_network_ranks_in_the_middle() -> None:
    labels = torch.tensor([1] * 5 + [-1] * 9 + [0] * 3)
    figures = validation_figures(torch.arange(17), labels, torch.full((17,), 0.5))
    assert float(figures["average_rank_share"]) == pytest.approx(0.5)


def test_an_unknown_choice_names_the_near_miss() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'lsro'"):
        MixTask(small_scorer(), unlabelled="lsr0", learning_rate=1e-3)


def small_scorer() -> PreMixScorer:
    torch.manual_seed(0)
    network = PreMixNet(n_mels=16, source_filters=(4, 8), joint_filters=8, dense=8)
    return PreMixScorer(network, MixFrontend(window_s=1.0, n_mels=16), name="x")


def test_a_handful_of_examples_can_be_overfitted() -> None:
    """What fits and what does not differ in whether two stems carry the same pattern."""
    task = MixTask(small_scorer(), unlabelled="none", learning_rate=1e-2)
    generator = torch.Generator().manual_seed(1)
    pattern = torch.rand(8, 32, 16, generator=generator)
    other = torch.rand(8, 32, 16, generator=generator)
    batch = {role: torch.cat([pattern, pattern]) for role in ROLES}
    batch["harmonic"] = torch.cat([pattern, other])
    batch["label"] = torch.tensor([1] * 8 + [0] * 8)
    optimizer = torch.optim.Adam(task.network.parameters(), lr=1e-2)
    task.network.train()
    for _ in range(60):
        logits = task(batch)
        loss = torch.nn.functional.cross_entropy(logits, targets_of(batch["label"], "none", logits))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1
