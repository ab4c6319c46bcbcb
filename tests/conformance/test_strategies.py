"""What every strategy keeps: one suite."""

import pytest
import torch

from landbridge.errors import TrainError
from landbridge.models.networks import NAMES, Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer import STRATEGIES, Crossing, strategy_of

SIZES = Sizes(
    items=30, scenarios=5, types=2, user_features=2, item_features=6, dim=8, layers=1, heads=2, dropout=0.0,
    rank_dim=8, rank_hidden=(8,), rank_recent=3, rank_dropout=0.0,
)  # fmt: skip
CROSSING = Crossing(source=1, target=3)


@pytest.fixture(params=STRATEGIES)
def strategy(request):
    return strategy_of(request.param)


@pytest.fixture
def source():
    networks = Networks.new(SIZES, seed=1)
    with torch.no_grad():
        for name in NAMES:
            for value in networks.network(name).parameters():
                value += 0.01
    return networks


def weights(networks):
    return {
        f"{name}.{key}": value.clone() for name in NAMES for key, value in networks.network(name).state_dict().items()
    }


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def test_the_name_is_the_published_one(strategy):
    assert strategy_of(strategy.name).name == strategy.name


def test_the_start_is_the_same_every_time(strategy, source):
    first, second = (strategy.start(source, SIZES, 7, CROSSING) for _ in range(2))
    assert same(weights(first), weights(second))


def test_the_source_stays_as_it_is(strategy, source):
    before = weights(source)
    started = strategy.start(source, SIZES, 7, CROSSING)
    with torch.no_grad():
        for name in NAMES:
            for value in started.network(name).parameters():
                value.zero_()
    assert same(before, weights(source))


def test_every_parameter_stands_in_exactly_one_group(strategy, source):
    started = strategy.start(source, SIZES, 7, CROSSING)
    for name in NAMES:
        network = started.network(name)
        listed = [id(value) for group in strategy.groups(network, 0.01) for value in group["params"]]
        assert len(listed) == len(set(listed))
        assert set(listed) == {id(value) for value in network.parameters() if value.requires_grad}
        assert all(0 < group["lr"] <= 0.01 for group in strategy.groups(network, 0.01))


def test_the_vocabulary_may_have_grown(strategy, source):
    larger = Sizes(**{**vars(SIZES), "items": 44})
    assert strategy.start(source, larger, 7, CROSSING).sizes == larger


def test_only_what_crosses_depends_on_the_source(strategy, source):
    other = Networks.new(SIZES, seed=2)
    first, second = (strategy.start(networks, SIZES, 7, CROSSING) for networks in (source, other))
    assert same(weights(first), weights(second)) is not strategy.crosses


def test_what_crosses_needs_a_source(strategy):
    if strategy.crosses:
        with pytest.raises(TrainError, match="pretrain"):
            strategy.start(None, SIZES, 7, CROSSING)
    else:
        assert strategy.start(None, SIZES, 7, CROSSING).sizes == SIZES


def test_fine_tuning_takes_the_target_for_the_source(source):
    started = strategy_of("fine_tune").start(source, SIZES, 7, CROSSING)
    asked = started.retriever.encoder.asked.table.weight
    assert torch.equal(asked[3], source.retriever.encoder.asked.table.weight[1])
    assert torch.equal(started.retriever.item.table.weight, source.retriever.item.table.weight)
