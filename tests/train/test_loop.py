"""The training loop, in this process, on problems whose answer is known."""

import datetime as dt
import math

import numpy as np
import pytest
import torch
from tests.lakes import SMALL, SOURCE, lake_of, tiny_config, tiny_lake

from landbridge.contenders.network import NetworkFitted
from landbridge.errors import TrainError
from landbridge.feed.assemble import Assembler
from landbridge.feed.batches import Loader
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Store
from landbridge.lake.lake import Lake
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.train.checkpoints import optimizer_state, set_optimizer_state
from landbridge.train.loop import Loop, Place
from landbridge.train.objectives import Ranking, Retrieving
from landbridge.train.progress import Progress
from landbridge.train.ranks import Alone, Ranks
from landbridge.train.watch import Watch

PLACE = Place("retriever", "target_only", SOURCE, "A")
CYCLE, CYCLE_USERS, CYCLE_DAYS = 12, 150, 6
EPOCHS = {"retriever": 8, "ranker": 20}


class Part(Ranks):
    """One of two ranks, whose sum the test does by hand."""

    def __init__(self, rank):
        self.rank, self.size, self.sent = rank, 2, []

    def sum_(self, values):
        self.sent.append(values.clone())
        return values

    def first_(self, values):
        return values

    def barrier(self):
        pass


class Kit:
    """What a loop is made of, for one lake."""

    def __init__(self, root, lake, until):
        self.root, self.lake, self.config, self.until = root, lake, lake.config, until
        self.assembler = Assembler.fit(lake, self.config, until)
        self.watch = Watch(math.inf, {})

    def networks(self, seed=1):
        size = self.assembler.vocabulary.size
        features = self.assembler.n_user_features, self.assembler.n_item_features
        sizes = Sizes.of(self.config, size("item_id"), size("scenario"), size("event_type"), *features)
        return Networks.new(sizes, seed)

    def objective(self, networks, network="retriever", scenario=SOURCE, rank=0, world=1, batch=64, own_only=False):
        shards = Store.open(self.lake, self.assembler, None, self.until, rank, world).shards(scenario)
        code = self.assembler.vocabulary.id("scenario", scenario)
        drawn = Distribution.fit(self.assembler.items, self.config.negatives, code, self.until)
        loader = Loader(shards, self.assembler, drawn, batch, 3, 4 if network == "ranker" else 0, own_only)
        if network == "ranker":
            return Ranking(networks.ranker, loader, 3)
        return Retrieving(networks.retriever, loader, 3, 64, code)

    def loop(self, objective, epochs=1, rate=0.01, ranks=None, place=PLACE, averaged=0.0):
        groups = [{"params": list(objective.network.parameters()), "lr": rate}]
        progress = Progress(self.root / "progress.jsonl", 0)
        return Loop(place, objective, groups, epochs, ranks or Alone(), self.watch, progress, averaged)


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    root = tmp_path_factory.mktemp("loop")
    lake = tiny_lake(root)
    return Kit(root, lake, lake.days("examples")[-1])


@pytest.fixture(scope="module")
def cycle(tmp_path_factory):
    """Users who buy item i today buy item i + 1 tomorrow, around a cycle, one a day."""
    root = tmp_path_factory.mktemp("cycle")
    config = tiny_config(root, "retriever.dim=16", "retriever.dropout=0", "ranker.dropout=0", "ranker.dim=16")
    events = []
    for user in range(CYCLE_USERS):
        for day in range(CYCLE_DAYS):
            date = config.data.reader.first_day + dt.timedelta(days=day)
            events.append(
                {
                    "example_id": f"e{user:03d}{day:02d}",
                    "ts": dt.datetime.combine(date, dt.time(12), dt.UTC),
                    "ds": date,
                    "user_id": f"u{user:03d}",
                    "item_id": f"i{(user + day) % CYCLE:02d}",
                    "scenario": SOURCE,
                    "event_type": "purchase",
                    "outcome": 1.0,
                    "price": 1.0,
                }
            )
    last = config.data.reader.first_day + dt.timedelta(days=CYCLE_DAYS - 1)
    return Kit(root, lake_of(config, events, last), last)


def next_of_cycle(kit):
    """States at the end of the last day, the catalogue, and the index of each user's next item."""
    rows = kit.lake.read("user_state").sort_by("user_id")
    states = kit.assembler.states(rows, SOURCE)
    tomorrow = kit.until + dt.timedelta(days=1)
    items = np.arange(1, kit.assembler.vocabulary.size("item_id"), dtype=np.int32)
    catalogue = kit.assembler.catalogue(SOURCE, items, tomorrow)
    names = [f"i{(user + CYCLE_DAYS) % CYCLE:02d}" for user in range(CYCLE_USERS)]
    ids = [kit.assembler.vocabulary.id("item_id", name) for name in names]
    return states, catalogue, np.searchsorted(catalogue.items, ids)


@pytest.mark.parametrize("network", EPOCHS)
def test_a_network_learns_what_comes_next(cycle, network):
    networks = cycle.networks()
    cycle.loop(cycle.objective(networks, network), epochs=EPOCHS[network], rate=0.01).run(0, lambda epoch: None)
    states, catalogue, wanted = next_of_cycle(cycle)
    fitted = NetworkFitted(networks, own_only=False)
    everything = np.tile(np.arange(len(catalogue.items)), (len(states), 1))
    scores = (
        fitted.score(states, catalogue) if network == "retriever" else fitted.probability(states, catalogue, everything)
    )
    scores[states.had[:, catalogue.items].toarray() > 0] = -np.inf
    assert (scores.argmax(axis=1) == wanted).mean() > 0.95


def test_two_ranks_sum_to_the_gradient_of_one(kit):
    def gradient(rank, world, network):
        objective = kit.objective(kit.networks(), network, rank=rank, world=world)
        loop = kit.loop(objective, ranks=Part(rank))
        batch = next(iter(objective.loader.epoch(0)))
        loop._update(*objective.loss(batch, 0), 0, 0)
        return loop.ranks.sent[0]

    for network in ("retriever", "ranker"):
        whole = gradient(0, 1, network)
        halves = gradient(0, 2, network) + gradient(1, 2, network)
        torch.testing.assert_close(halves, whole, rtol=1e-4, atol=1e-4)


def test_ranks_take_the_same_number_of_steps(kit):
    steps = {kit.objective(kit.networks(), rank=rank, world=4).loader.steps for rank in range(4)}
    assert len(steps) == 1


def test_the_same_seed_gives_the_same_losses_to_the_last_digit(kit):
    def losses():
        loop = kit.loop(kit.objective(kit.networks()), epochs=2)
        loop.run(0, lambda epoch: None)
        return "".join(loss.row() for loss in loop.losses)

    first = losses()
    assert first == losses()
    assert len(first.splitlines()) == 2 * kit.objective(kit.networks()).loader.steps


@pytest.mark.parametrize("averaged", [0.0, 0.5])
def test_a_resumed_fit_is_the_same_fit(kit, averaged):
    whole = kit.networks()
    kit.loop(kit.objective(whole), epochs=3, averaged=averaged).run(0, lambda epoch: None)

    interrupted, states = kit.networks(), {}

    def stop(epoch):
        if epoch == 1:
            states.update(optimizer_state(first))
            raise KeyboardInterrupt

    first = kit.loop(kit.objective(interrupted), epochs=3, averaged=averaged)
    with pytest.raises(KeyboardInterrupt):
        first.run(0, stop)
    second = kit.loop(kit.objective(interrupted), epochs=3, averaged=averaged)
    set_optimizer_state(second, states)
    second.run(2, lambda epoch: None)
    for name, value in whole.retriever.state_dict().items():
        assert torch.equal(interrupted.retriever.state_dict()[name], value)


def test_it_ends_with_the_mean_of_the_last_weights(kit):
    networks = kit.networks()
    loop = kit.loop(kit.objective(networks), epochs=2, averaged=0.25)
    weights, step = [], loop.optimizer.step

    def noted():
        step()
        weights.append(networks.retriever.item.table.weight.detach().clone())

    loop.optimizer.step = noted
    loop.run(0, lambda epoch: None)
    last = weights[int(0.75 * len(weights)) :]
    assert len(last) > 1
    torch.testing.assert_close(networks.retriever.item.table.weight, torch.stack(last).mean(0))
    assert [group["lr"] for group in loop.optimizer.param_groups] == loop.top


def test_a_loss_that_is_not_finite_stops_before_the_update(kit):
    networks = kit.networks()
    loop = kit.loop(kit.objective(networks), epochs=1)
    with torch.no_grad():
        networks.retriever.item_features.weight[0, 0] = float("nan")
    before = networks.retriever.item.table.weight.clone()
    with pytest.raises(
        TrainError, match=r"nan in the retriever of target_only \(United Kingdom\), fit A, epoch 0, step 0"
    ):
        loop.run(0, lambda epoch: None)
    assert torch.equal(networks.retriever.item.table.weight, before)
    assert loop.losses == []


def test_a_control_does_not_see_other_scenarios(kit):
    """What happens in other scenarios moves no weight of a network that learns from its own alone."""
    for network in ("retriever", "ranker"):
        objective = kit.objective(kit.networks(), network, scenario=SMALL, own_only=True)
        code = kit.assembler.vocabulary.id("scenario", SMALL)
        for batch in objective.loader.epoch(0):
            assert set(np.unique(batch.states.scenario_BL)) <= {0, code}
            assert not batch.feature_BNG[..., batch.feature_BNG.shape[-1] // 2 :].any()


def test_a_scenario_without_examples_has_no_steps(tmp_path):
    root = tmp_path
    lake = tiny_lake(root, days=30)
    early = Kit(root, Lake(lake.config), lake.days("examples")[0])
    nobody = next(name for name in (SMALL, "France") if not _in_scenario(lake, name, early.until))
    loop = early.loop(early.objective(early.networks(), scenario=nobody))
    loop.run(0, lambda epoch: None)
    assert loop.losses == []


def _in_scenario(lake, scenario, until):
    return scenario in lake.read("examples", until=until, columns=["scenario"])["scenario"].to_pylist()
