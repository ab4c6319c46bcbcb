"""The contrastive loss: one process and two agree, and learning makes it small."""

import numpy as np
import pytest
import torch
from tests.lakes import SOURCE, tiny_lake
from tests.train.test_loop import Kit
from tests.train.together import together

from landbridge.config.histories import Augment
from landbridge.models.contrast import Contrast
from landbridge.models.histories import Histories
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.train.ranks import Alone

AUGMENT = Augment(crop=0.4, mask=0.3, reorder=0.5)
ROWS, LENGTH = 24, 8


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    root = tmp_path_factory.mktemp("contrast")
    lake = tiny_lake(root)
    return Kit(root, lake, lake.days("examples")[-1])


def networks(dropout=0.0):
    sizes = Sizes(
        items=40, scenarios=3, types=2, user_features=2, item_features=4, dim=16, layers=1, heads=2, dropout=dropout,
        rank_dim=8, rank_hidden=(8,), rank_recent=4, rank_dropout=0.0,
    )  # fmt: skip
    return Networks.new(sizes, seed=1)


def histories():
    rng = np.random.default_rng(0)
    item = rng.integers(1, 40, (ROWS, LENGTH))
    ones = np.ones_like(item)
    age = np.broadcast_to(np.arange(LENGTH, 0, -1, dtype=np.float32), item.shape)
    features = rng.standard_normal((ROWS, 2)).astype(np.float32)
    return Histories.of(item, ones, ones, ones.astype(np.float32), age, features, ones[:, 0])


def gradient(loss, network):
    network.zero_grad()
    loss.backward()
    return torch.cat([value.grad.reshape(-1) for value in network.parameters() if value.grad is not None])


def test_ranks_sum_to_the_loss_and_the_gradient_of_one():
    """However the histories lie: here seven, seventeen and none."""
    whole, weight = histories(), torch.arange(ROWS).float()
    parts = [slice(0, 7), slice(7, None), slice(0, 0)]
    contrast = Contrast(AUGMENT, 0.5)

    def part(ranks):
        network = networks(dropout=0.1).retriever
        own = Histories(**{name: value[parts[ranks.rank]] for name, value in vars(whole).items()})
        if len(own) == 0:  # as the loader has it: one row of weight 0
            own, weight_H = Histories(**{name: value[:1] for name, value in vars(whole).items()}), torch.zeros(1)
        else:
            weight_H = weight[parts[ranks.rank]]
        loss = Contrast(AUGMENT, 0.5, ranks).loss(network, own, weight_H, 3, 1, 2)
        return loss.item(), gradient(loss, network)

    network = networks(dropout=0.1).retriever
    alone = contrast.loss(network, whole, weight, 3, 1, 2)
    losses, gradients = zip(*together(3, part), strict=True)
    assert sum(losses) == pytest.approx(alone.item(), rel=1e-5)
    torch.testing.assert_close(sum(gradients), gradient(alone, network), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", ["retriever", "ranker"])
def test_ranks_sum_to_the_gradient_of_one_through_the_objective(kit, network):
    """From real shards, with the main loss beside it."""

    def part(ranks):
        objective = kit.objective(kit.networks(), network, rank=ranks.rank, world=ranks.size)
        objective.contrast = Contrast(AUGMENT, 0.3, ranks)
        loss, weight = objective.loss(next(iter(objective.loader.epoch(0))), 0)
        return loss.item(), weight, gradient(loss, objective.network)

    whole = part(Alone())
    halves = together(2, part)
    assert sum(half[0] for half in halves) == pytest.approx(whole[0], rel=1e-5)
    assert sum(half[1] for half in halves) == whole[1]
    torch.testing.assert_close(halves[0][2] + halves[1][2], whole[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("network", ["retriever", "ranker"])
def test_the_main_loss_is_what_it_was_without_views(kit, network):
    first, second = (kit.objective(kit.networks(), network) for _ in range(2))
    second.contrast = Contrast(Augment(), 0.0)
    batch = next(iter(first.loader.epoch(0)))
    assert torch.equal(first.loss(batch, 0)[0], second.loss(batch, 0)[0])


@pytest.mark.parametrize("network", ["retriever", "ranker"])
def test_a_share_of_views_changes_the_main_loss(kit, network):
    objective = kit.objective(kit.networks(), network, scenario=SOURCE)
    batch = next(iter(objective.loader.epoch(0)))
    plain = objective.loss(batch, 0)[0]
    objective.contrast = Contrast(Augment(crop=0.5, share=1.0))
    assert not torch.equal(objective.loss(batch, 0)[0], plain)


def test_learning_makes_it_small():
    network, whole = networks().retriever, histories()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for epoch in range(25):
        optimizer.zero_grad()
        loss = Contrast(AUGMENT, 1.0).loss(network, whole, torch.ones(ROWS), 3, epoch, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / ROWS)
    assert np.mean(losses[-3:]) < 0.7 * losses[0]
