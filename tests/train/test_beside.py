"""Source and target in one fit, and scenarios as tasks: ranks agree, and a resumed fit is the same fit."""

import datetime as dt
from dataclasses import replace

import pytest
import torch
from tests.lakes import SMALL, SOURCE, TINY, tiny_lake
from tests.train.test_loop import Kit
from tests.train.together import together

from landbridge.config.crossing import Crossings, Meta
from landbridge.train.beside import Beside, beside
from landbridge.train.checkpoints import optimizer_state, set_optimizer_state
from landbridge.train.ranks import Alone
from landbridge.train.streams import Epochs
from landbridge.train.tasks import Tasks
from landbridge.transfer import Crossing, strategy_of

PAIRED = [("adversarial", "mmd"), ("align", "mmd"), ("align", "coral")]
EPOCHS = 3


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    root = tmp_path_factory.mktemp("beside")
    lake = tiny_lake(root)
    return Kit(root, lake, lake.days("examples")[-1])


def started(kit, name):
    source = kit.networks()
    code = kit.assembler.vocabulary.id
    crossing = Crossing(code("scenario", SOURCE), code("scenario", SMALL))
    return strategy_of(name).start(source, source.sizes, 1, crossing)


def paired(kit, networks, name, by, network="retriever", ranks=None):
    ranks = ranks or Alone()
    given = Crossings.model_validate({"align": {"by": by}})
    likeness = strategy_of(name).likeness(given, ranks)
    target, source = (
        kit.objective(networks, network, scenario, ranks.rank, ranks.size, batch=16) for scenario in (SMALL, SOURCE)
    )
    return Beside(networks.network(network), target, source, likeness, 3, EPOCHS)


def tasks(kit, networks, network="retriever", ranks=None, rate=0.1, turns=2):
    ranks = ranks or Alone()
    parts = [
        kit.objective(networks, network, scenario, ranks.rank, ranks.size, batch=16)
        for scenario in (SOURCE, SMALL, TINY)
    ]
    return Tasks(networks.network(network), parts, Meta(rate=rate, turns=turns), 3, ranks)


def gradient(objective, epoch=1):
    """The first step of an epoch: loss, weight, gradient."""
    objective.network.zero_grad()
    loss, weight = objective.loss(next(iter(objective.batches(epoch))), epoch)
    loss.backward()
    gradients = [
        (torch.zeros_like(value) if value.grad is None else value.grad).reshape(-1)
        for value in objective.network.parameters()
    ]
    return loss.item(), weight, torch.cat(gradients)


@pytest.mark.parametrize("network", ["retriever", "ranker"])
@pytest.mark.parametrize(("name", "by"), PAIRED)
def test_ranks_sum_to_the_gradient_of_one(kit, name, by, network):
    whole = gradient(paired(kit, started(kit, name), name, by, network))
    halves = together(2, lambda ranks: gradient(paired(kit, started(kit, name), name, by, network, ranks)))
    assert sum(half[0] for half in halves) == pytest.approx(whole[0], rel=1e-4)
    assert sum(half[1] for half in halves) == pytest.approx(whole[1])
    torch.testing.assert_close(halves[0][2] + halves[1][2], whole[2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("network", ["retriever", "ranker"])
def test_ranks_sum_to_the_gradient_of_one_where_scenarios_are_tasks(kit, network):
    whole = gradient(tasks(kit, started(kit, "_meta"), network))
    halves = together(2, lambda ranks: gradient(tasks(kit, started(kit, "_meta"), network, ranks)))
    assert sum(half[0] for half in halves) == pytest.approx(whole[0], rel=1e-4)
    torch.testing.assert_close(halves[0][2] + halves[1][2], whole[2], rtol=1e-3, atol=1e-4)


def test_the_source_weighs_as_much_as_the_target(kit):
    objective = paired(kit, started(kit, "align"), "align", "mmd")
    for pair in objective.batches(0):
        loss, weight = objective.target.loss(pair.target, 0)
        other, beside = objective.source.loss(pair.source, pair.source_epoch)
        share = pair.target.total / pair.source.total
        both, total = objective.loss(pair, 0)
        assert total == pytest.approx(weight + share * beside)
        assert both.item() > (loss + share * other).item()  # a distance is added


def test_an_epoch_is_the_targets_and_the_source_passes_by(kit):
    objective = paired(kit, started(kit, "align"), "align", "mmd")
    assert objective.source.steps > objective.steps == objective.target.steps > 0
    met = [[pair.source.example_B.tolist() for pair in objective.batches(epoch)] for epoch in range(2)]
    assert met[0] != met[1]
    assert met[0] == [pair.source.example_B.tolist() for pair in objective.batches(0)]


def test_a_target_learns_alone_where_the_source_has_nothing_new(kit):
    networks = started(kit, "align")
    likeness = strategy_of("align").likeness(Crossings(), Alone())
    target, source = (kit.objective(networks, "retriever", scenario) for scenario in (SMALL, SOURCE))
    nobody = replace(source, loader=replace(source.loader, shards=nothing(source.loader.shards)))
    assert nobody.steps == 0
    assert beside(networks.retriever, target, nobody, likeness, 3, EPOCHS) is target
    assert isinstance(beside(networks.retriever, target, source, likeness, 3, EPOCHS), Beside)


def nothing(shards):
    """The shards of the same scenario before its first day."""
    early = dt.date(2000, 1, 1)
    return shards.store.shards(SOURCE, None, early)


def test_a_short_source_comes_round_again(kit):
    part = kit.objective(kit.networks(), "retriever", SMALL, batch=16)
    count = 2 * part.steps + 1
    first, second = (list(Epochs(part).batches(epoch, count)) for epoch in range(2))
    assert [own for own, _ in first] == [0] * part.steps + [1] * part.steps + [2]
    assert second[0][0] == 3


def test_a_step_that_does_not_adapt_has_the_plain_gradient(kit):
    objective = tasks(kit, started(kit, "_meta"), rate=1e-12)
    turn = next(iter(objective.batches(0)))
    found = gradient(objective, 0)
    part, (own, query) = objective.parts[turn.place], turn.query
    objective.network.zero_grad()
    loss, weight = part.loss(query, own)
    loss.backward()
    plain = torch.cat(
        [
            (torch.zeros_like(value) if value.grad is None else value.grad).reshape(-1)
            for value in objective.network.parameters()
        ]
    )
    assert found[1] == weight
    torch.testing.assert_close(found[2], plain, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_the_adapted_weights(kit):
    """By hand: move the weights by a step on the first batch, and take the gradient of the second there."""
    objective = tasks(kit, started(kit, "_meta"), rate=0.5)
    turn = next(iter(objective.batches(0)))
    found = gradient(objective, 0)
    part, weights = objective.parts[turn.place], list(objective.network.parameters())
    objective.network.zero_grad()
    loss, weight = part.loss(turn.support[1], turn.support[0])
    (loss / weight).backward()
    with torch.no_grad():
        for value in weights:
            if value.grad is not None:
                value -= 0.5 * value.grad
    objective.network.zero_grad()
    part.loss(turn.query[1], turn.query[0])[0].backward()
    moved = torch.cat([(torch.zeros_like(v) if v.grad is None else v.grad).reshape(-1) for v in weights])
    torch.testing.assert_close(found[2], moved, rtol=1e-3, atol=1e-4)


def test_every_scenario_has_as_many_turns_as_any_other(kit):
    objective = tasks(kit, started(kit, "_meta"), turns=4)
    turns = list(objective.batches(0))
    assert [turn.step for turn in turns] == list(range(objective.steps))
    assert sorted(turn.place for turn in turns) == [0] * 4 + [1] * 4 + [2] * 4


def stopped_and_resumed(loop, networks):
    """Stop a fit after its second epoch, and go on with the optimizer's state that a checkpoint would hold."""
    kept = {}

    def stop(epoch):
        if epoch == 1:
            kept.update(optimizer_state(first))
            raise KeyboardInterrupt

    first = loop(networks)
    with pytest.raises(KeyboardInterrupt):
        first.run(0, stop)
    second = loop(networks)
    set_optimizer_state(second, kept)
    second.run(2, lambda epoch: None)


@pytest.mark.parametrize("name", ["adversarial", "align", "_meta"])
def test_a_resumed_fit_is_the_same_fit(kit, name):
    def loop(networks):
        objective = tasks(kit, networks) if name == "_meta" else paired(kit, networks, name, "mmd")
        return kit.loop(objective, epochs=EPOCHS)

    whole, interrupted = started(kit, name), started(kit, name)
    loop(whole).run(0, lambda epoch: None)
    stopped_and_resumed(loop, interrupted)
    for key, value in whole.retriever.state_dict().items():
        assert torch.equal(interrupted.retriever.state_dict()[key], value)
