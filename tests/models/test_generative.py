"""The generative retriever: what is drawn, what the divergence is, and what a scenario's own decoder does."""

import numpy as np
import pytest
import torch
from scipy import stats
from tests.models.test_networks import SIZES, histories, taken

from landbridge.models.generative import divergence
from landbridge.models.networks import Networks
from landbridge.models.noise import Noise
from landbridge.train.generating import Generating
from landbridge.transfer import Crossing, strategy_of


@pytest.fixture
def retriever():
    return strategy_of("generative").start(None, SIZES, 5, Crossing(1, 2)).retriever.eval()


def noise(whole, step=0):
    return Noise(whole.keys(), seed=3, epoch=0, step=step)


def test_normal_numbers_are_normal_and_of_the_row():
    keys = np.arange(2000, dtype=np.uint64)
    drawn = Noise(keys, 3, 0, 0).normal("drawn", 6)
    assert stats.kstest(drawn.numpy().ravel(), "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(drawn.numpy().T) - np.eye(6)).max() < 0.08
    assert torch.equal(Noise(keys[7:9], 3, 0, 0).normal("drawn", 6), drawn[7:9])
    assert not torch.equal(Noise(keys, 3, 0, 1).normal("drawn", 6), drawn)


def test_scoring_takes_the_mean_and_training_draws_around_it(retriever):
    whole = taken(histories(), [5] * 1)
    with torch.no_grad():
        mean = retriever.encoded(whole)
        retriever.encoder.rate = 0.0
        drawn = torch.cat([retriever.encoded(whole, noise(whole, step)) for step in range(400)])
        spread = torch.exp(0.5 * retriever.log_variance(mean))
    assert torch.equal(retriever.encoded(whole), mean)
    torch.testing.assert_close(drawn.mean(0), mean[0], rtol=0, atol=0.05)
    torch.testing.assert_close(drawn.std(0), spread[0], rtol=0.2, atol=0)


def test_a_draw_does_not_depend_on_the_others_of_the_step(retriever):
    whole = histories()
    few = taken(whole, [2, 9])
    with torch.no_grad():
        torch.testing.assert_close(retriever.encoded(few, noise(few)), retriever.encoded(whole, noise(whole))[[2, 9]])


def test_the_divergence_is_kullbacks():
    mean, log_variance = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.3, -0.7]])
    given = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    wanted = torch.distributions.kl_divergence(given, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), wanted)
    assert divergence(torch.zeros(1, 2), torch.zeros(1, 2)).item() == 0.0


def test_a_scenarios_own_decoder_begins_at_nothing_and_changes_no_other(retriever):
    whole = histories()
    plain = Networks.new(SIZES, 5).retriever.eval()
    with torch.no_grad():
        before = retriever.encoded(whole)
        torch.testing.assert_close(before, plain.encoded(whole))
        retriever.own.table.weight[2] += 0.1
        after = retriever.encoded(whole)
    moved = (before != after).any(1)
    assert torch.equal(moved, (whole.scenario_H == 2) & (before.abs().sum(1) > 0))
    assert 0 < moved.sum() < len(whole)


def test_it_is_that_of_items_read_by_a_map(retriever):
    """z (E + E M)' = (z + M z) E'."""
    whole, items = histories(), torch.arange(1, 20)
    with torch.no_grad():
        mean = retriever.encoded(whole)
        retriever.own.table.weight[1:] = torch.randn(3, 16 * 16, generator=torch.Generator().manual_seed(0))
        item = retriever.item(items)
        found = retriever.encoded(whole) @ item.T
        for row, scenario in enumerate(whole.scenario_H):
            own = retriever.own.table.weight[scenario].view(16, 16)
            torch.testing.assert_close(found[row], (item + item @ own) @ mean[row], rtol=1e-3, atol=1e-3)


def test_the_weight_of_the_divergence_rises_to_beta(retriever):
    class Short(Generating):
        steps = 4

    rising = Short(retriever, None, 1, 8, 1, beta=0.2, rise=1.5)
    weights = [rising.weight(epoch, step) for epoch in range(3) for step in range(4)]
    np.testing.assert_allclose(weights, np.minimum(0.2, 0.2 * np.arange(12) / 6))
    assert Short(retriever, None, 1, 8, 1, beta=0.2, rise=0.0).weight(0, 0) == 0.2
