"""The bridge: whose word counts how much, what the source is asked, and that each user's map is learned."""

from dataclasses import replace

import pytest
import torch
from tests.models.test_networks import SIZES, histories

from landbridge.models.bridge import Bridge, Bridging
from landbridge.models.networks import Networks
from landbridge.transfer import Crossing, strategy_of

SOURCE, TARGET, OTHER = 1, 2, 3
STRENGTH = 3.0


@pytest.fixture
def networks():
    """A target's networks that have gone a way of their own, with the source's beside them."""
    source = Networks.new(SIZES, seed=5)
    started = strategy_of("bridge").start(source, SIZES, 7, Crossing(SOURCE, TARGET))
    with torch.no_grad():
        for name, value in started.retriever.named_parameters():
            if not name.startswith(("source", "bridge", "log_temperature")):
                value += 0.02
    return started


def asked(*scenarios):
    """A history of events in these scenarios, of somebody who is asked about the target."""
    whole = histories(8)
    row = replace(whole, **{name: value[-1:] for name, value in vars(whole).items()})
    present = torch.arange(row.item_HL.shape[1])[None] >= row.item_HL.shape[1] - len(scenarios)
    told = torch.zeros_like(row.item_HL)
    if scenarios:
        told[0, -len(scenarios) :] = torch.tensor(scenarios)
    item = torch.where(present, row.item_HL, 0)
    return replace(row, item_HL=item, scenario_HL=told, scenario_H=torch.tensor([TARGET]))


def parts(networks, some):
    """What the mixture is made of: the target's own vector, and the source's."""
    retriever = networks.retriever
    plain = type(retriever).__mro__[1].encoded(retriever, some)
    there = some.kept(some.scenario_HL == SOURCE)
    return plain, retriever.source.encoded(replace(there, scenario_H=torch.tensor([SOURCE])))


@pytest.mark.parametrize("own", [0, 1, 3])
def test_own_events_outweigh_the_source_one_by_one(networks, own):
    some = asked(SOURCE, OTHER, SOURCE, *[TARGET] * own)
    with torch.no_grad():
        plain, source = parts(networks, some)
        wanted = (own * plain + STRENGTH * source) / (own + STRENGTH)
        torch.testing.assert_close(networks.retriever.encoded(some), wanted, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(plain, source, atol=1e-3)


@pytest.mark.parametrize("scenarios", [(), (TARGET,), (OTHER, TARGET)])
def test_whom_the_source_does_not_know_is_the_targets_alone(networks, scenarios):
    some = asked(*scenarios)
    with torch.no_grad():
        torch.testing.assert_close(networks.retriever.encoded(some), parts(networks, some)[0])


def test_the_source_is_asked_about_itself_alone(networks):
    """What it makes of a user does not change with his events elsewhere."""
    with torch.no_grad():
        alone, among = (parts(networks, some)[1] for some in (asked(SOURCE), asked(OTHER, SOURCE)))
        torch.testing.assert_close(alone, among)


def test_a_map_is_the_users_own_and_is_learned():
    """Users who took the first item are turned one way, those who took the second another."""
    bridge, generator = Bridge(4, 8), torch.Generator().manual_seed(0)
    bridge.begin(seed=1)
    items_2D = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    item_HLD = items_2D[torch.arange(40) % 2][:, None]
    present_HL, user_HD = torch.ones(40, 1, dtype=torch.bool), torch.randn(40, 4, generator=generator)
    torch.testing.assert_close(bridge(user_HD, item_HLD, present_HL), user_HD)
    wanted = torch.where(torch.arange(40)[:, None] % 2 == 0, user_HD.roll(1, dims=1), -user_HD)
    optimizer = torch.optim.Adam(bridge.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss = ((bridge(user_HD, item_HLD, present_HL) - wanted) ** 2).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01


def test_tonights_source_stands_beside(networks):
    newest = Networks.new(SIZES, seed=6)
    renewed = strategy_of("bridge").renewed(networks, newest, SIZES, 7, Crossing(SOURCE, TARGET))
    assert torch.equal(renewed.retriever.source.item.table.weight, newest.retriever.item.table.weight)
    assert renewed.bridging == Bridging(SOURCE, STRENGTH, 32)
