"""What makes users of two scenarios alike: distances with known answers, a reversed gradient, ranks that agree."""

import math

import numpy as np
import pytest
import torch
from tests.train.together import together

from landbridge.models.adversary import Adversary, judge, reversed_gradient
from landbridge.models.alike import DISTANCES, Alike, coral, mmd
from landbridge.models.likeness import Users
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.models.together import Alone

DIM = 6
SIZES = Sizes(
    items=9, scenarios=3, types=2, user_features=2, item_features=4, dim=DIM, layers=1, heads=2, dropout=0.0,
    rank_dim=DIM, rank_hidden=(8,), rank_recent=4, rank_dropout=0.0,
)  # fmt: skip


def rows(count, seed, shift=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(count, DIM, generator=generator)


def even(count):
    return torch.full((count,), 1.0 / count)


@pytest.mark.parametrize("distance", DISTANCES.values())
def test_the_same_rows_have_no_distance_whatever_their_order_or_number(distance):
    some = rows(20, 1)
    twice = torch.cat([some.flip(0), some])
    assert distance(some, even(20), twice, even(40)).item() == pytest.approx(0.0, abs=1e-6)


def test_a_weight_of_two_is_a_row_that_stands_twice():
    some, other = rows(3, 1), rows(5, 2, shift=1.0)
    for distance in DISTANCES.values():
        weighted = distance(some, torch.tensor([0.5, 0.25, 0.25]), other, even(5))
        doubled = distance(torch.cat([some[:1], some]), even(4), other, even(5))
        assert weighted.item() == pytest.approx(doubled.item(), rel=1e-4)


def test_mmd_sees_means_and_coral_spreads():
    same, moved, wide = rows(400, 1), rows(400, 2, shift=1.0), rows(400, 3, scale=2.0)
    near = rows(400, 4)
    weight = even(400)
    assert mmd(same, weight, moved, weight) > 20 * mmd(same, weight, near, weight)
    assert coral(same, weight, wide, weight) > 20 * coral(same, weight, moved, weight)


def test_coral_is_that_of_the_paper():
    some, other = rows(30, 1), rows(20, 2, scale=1.5)
    covariance = [np.cov(part.numpy().T, bias=True) for part in (some, other)]
    wanted = ((covariance[0] - covariance[1]) ** 2).sum() / (4 * DIM**2)
    assert coral(some, even(30), other, even(20)).item() == pytest.approx(wanted, rel=1e-4)


def test_mmd_is_the_mean_of_the_kernels():
    some, other = rows(4, 1).double(), rows(3, 2).double()
    both = torch.cat([some, other]).numpy()
    square = ((both[:, None] - both[None]) ** 2).sum(-1)
    share = np.array([1 / 8] * 4 + [1 / 6] * 3)
    kernel = np.mean([np.exp(-square / (w * (share @ square @ share))) for w in (0.25, 0.5, 1, 2, 4)], axis=0)
    wanted = kernel[:4, :4].mean() + kernel[4:, 4:].mean() - 2 * kernel[:4, 4:].mean()
    assert mmd(some, even(4).double(), other, even(3).double()).item() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("by", DISTANCES)
def test_steps_along_the_gradient_draw_users_together(by):
    source, target = rows(40, 1), rows(40, 2, shift=1.0, scale=0.5).requires_grad_()
    alike, weight = Alike(by, 1.0, Alone()), torch.ones(40)
    optimizer = torch.optim.Adam([target], lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = alike.loss(torch.nn.Module(), Users(source, weight), Users(target, weight), 0.0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("by", DISTANCES)
def test_ranks_sum_to_the_distance_and_the_gradient_of_one(by):
    """However the users lie; a row of weight 0 is padding."""
    source, target = rows(12, 1), rows(8, 2, shift=1.0)
    weight_S, weight_T = torch.arange(1.0, 13.0), torch.arange(1.0, 9.0)
    parts = [(slice(0, 5), slice(0, 8)), (slice(5, 12), slice(0, 0))]

    def part(ranks):
        mine = [
            value[some].clone().requires_grad_() if len(value[some]) else torch.ones(1, DIM, requires_grad=True)
            for value, some in zip((source, target), parts[ranks.rank], strict=True)
        ]
        weights = [
            value[some] if len(value[some]) else torch.zeros(1)
            for value, some in zip((weight_S, weight_T), parts[ranks.rank], strict=True)
        ]
        users = [Users(*one) for one in zip(mine, weights, strict=True)]
        loss = Alike(by, 0.7, ranks).loss(torch.nn.Module(), *users, 0.0)
        loss.backward()
        return loss.item(), mine[0].grad

    whole = source.clone().requires_grad_()
    alone = Alike(by, 0.7, Alone()).loss(torch.nn.Module(), Users(whole, weight_S), Users(target, weight_T), 0.0)
    alone.backward()
    halves = together(2, part)
    assert sum(loss for loss, _ in halves) == pytest.approx(alone.item(), rel=1e-4)
    torch.testing.assert_close(torch.cat([grad for _, grad in halves]), whole.grad, rtol=1e-4, atol=1e-5)


def test_a_side_without_users_has_no_distance():
    users, nobody = Users(rows(3, 1), torch.ones(3)), Users(rows(1, 2), torch.zeros(1))
    assert Alike("mmd", 1.0, Alone()).loss(torch.nn.Module(), users, nobody, 0.0).item() == 0.0


def test_the_gradient_is_reversed_and_the_value_is_not():
    value = rows(3, 1).requires_grad_()
    result = reversed_gradient(value, 0.3)
    torch.testing.assert_close(result, value)
    result.sum().backward()
    torch.testing.assert_close(value.grad, torch.full_like(value, -0.3))


@pytest.mark.parametrize(("done", "share"), [(0.0, 0.0), (0.1, 2 / (1 + math.exp(-1.0)) - 1), (1.0, 0.99991)])
def test_the_reversal_grows_as_in_the_paper(done, share):
    network = Networks.new(SIZES, seed=1).retriever
    judge(network, 1)
    source, target = rows(5, 1).requires_grad_(), rows(4, 2).requires_grad_()

    def gradients(at):
        network.zero_grad()
        source.grad = None
        Adversary(1.0, 10.0).loss(network, Users(source, torch.ones(5)), Users(target, torch.ones(4)), at).backward()
        return source.grad, network.discriminator.hidden.weight.grad.clone()

    at_end, learned_at_end = gradients(1.0)
    now, learned = gradients(done)
    torch.testing.assert_close(now, at_end * share / 0.99991, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(learned, learned_at_end)


def test_a_discriminator_that_nothing_opposes_tells_users_apart():
    network = Networks.new(SIZES, seed=1).ranker
    judge(network, 1)
    source, target = Users(rows(50, 1), torch.ones(50)), Users(rows(50, 2, shift=2.0), torch.ones(50))
    optimizer = torch.optim.Adam(network.discriminator.parameters(), lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        loss = Adversary(1.0, 10.0).loss(network, source, target, 0.0)
        loss.backward()
        optimizer.step()
    assert loss.item() / 100 < 0.2
