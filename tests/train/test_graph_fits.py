"""The strategy graph is fitted like any other: ranks sum to one gradient, and a checkpoint carries its graph along."""

import pytest
import torch
from tests.lakes import SMALL, SOURCE, tiny_config, tiny_lake
from tests.train.test_loop import Kit
from tests.train.together import together

from landbridge.feed.learned import FitRows
from landbridge.models.interest import Flow
from landbridge.train.checkpoints import Checkpoints, set_optimizer_state
from landbridge.train.edges import edges
from landbridge.train.ranks import Alone
from landbridge.transfer import Crossing, strategy_of

EPOCHS, GROUPS, FACTORS = 3, 3, 2


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    root = tmp_path_factory.mktemp("graph")
    config = tiny_config(root, "transfer.strategies=[graph]", f"groups={{count: {GROUPS}, factors: {FACTORS}}}")
    lake = tiny_lake(root, config)
    return Kit(root, lake, lake.days("examples")[-1])


def started(kit):
    """Networks that begin from an invented source and read the lake's edges, and groups drawn by lot."""
    source, vocabulary = kit.networks(), kit.assembler.vocabulary
    crossing = Crossing(vocabulary.id("scenario", SOURCE), vocabulary.id("scenario", SMALL))
    networks = strategy_of("graph").start(source, source.sizes, 1, crossing)
    draw = torch.Generator().manual_seed(0)
    networks.connect(
        edges(FitRows(kit.lake, vocabulary, kit.until).whole, kit.config.transfer.graph),
        Flow(
            crossing.source,
            crossing.target,
            torch.randn(source.sizes.items, FACTORS, generator=draw),
            torch.randn(GROUPS, FACTORS, generator=draw),
            torch.ones(GROUPS, dtype=torch.bool),
            torch.full((GROUPS, GROUPS), 1 / GROUPS),
        ),
    )
    return networks


def gradient(kit, networks, network, ranks):
    """The first step: loss, and the gradient of every parameter."""
    objective = kit.objective(networks, network, SMALL, ranks.rank, ranks.size, batch=16)
    loss, _ = objective.loss(next(iter(objective.batches(0))), 0)
    loss.backward()
    return loss.item(), {name: value.grad for name, value in networks.network(network).named_parameters()}


@pytest.mark.parametrize("network", ["retriever", "ranker"])
def test_ranks_sum_to_the_gradient_of_one(kit, network):
    whole, wanted = gradient(kit, started(kit), network, Alone())
    halves = together(2, lambda ranks: gradient(kit, started(kit), network, ranks))
    assert sum(loss for loss, _ in halves) == pytest.approx(whole, rel=1e-4)
    for name, value in wanted.items():
        torch.testing.assert_close(halves[0][1][name] + halves[1][1][name], value, rtol=1e-3, atol=1e-4)
    assert wanted["interest.vector"].abs().max() > 0


@pytest.mark.parametrize("network", ["retriever", "ranker"])
def test_a_fit_goes_on_from_its_checkpoint_to_the_same_weights(kit, network, tmp_path):
    def loop(networks):
        return kit.loop(kit.objective(networks, network, SMALL, batch=16), epochs=EPOCHS)

    whole, begun, kept = started(kit), started(kit), Checkpoints(tmp_path / "kept", "print")
    loop(whole).run(0, lambda epoch: None)

    def stop(epoch):
        if epoch == 1:
            kept.write(begun, first, [], epoch)
            raise KeyboardInterrupt

    first = loop(begun)
    with pytest.raises(KeyboardInterrupt):
        first.run(0, stop)
    saved = kept.read()
    resumed = saved["networks"]
    second = loop(resumed)
    set_optimizer_state(second, saved["optimizer"])
    second.run(2, lambda epoch: None)
    found = resumed.network(network).state_dict()
    for name, value in whole.network(network).state_dict().items():
        assert torch.equal(found[name], value), name
    assert found["interest.factor"].any()
    assert (found["item.graph.near"][:, 1] > 0).any()
