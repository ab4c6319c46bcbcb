"""What every strategy keeps: one suite, for networks that read ids alone, texts, images beside them, associations."""

import numpy as np
import pytest
import torch

from landbridge.config.crossing import Crossings
from landbridge.errors import TrainError
from landbridge.feed.whitening import Whitening
from landbridge.models.generative import RetrieverGenerative
from landbridge.models.graph import Edges
from landbridge.models.histories import Histories
from landbridge.models.interest import Flow
from landbridge.models.likeness import Users
from landbridge.models.networks import NAMES, Networks
from landbridge.models.sizes import Adapting, Graphing, Sizes
from landbridge.models.together import Alone
from landbridge.models.whitened import Whitened
from landbridge.transfer import BEGINNINGS, STRATEGIES, Crossing, strategy_of

IDS = Sizes(
    items=30, scenarios=5, types=2, user_features=2, item_features=6, dim=8, layers=1, heads=2, dropout=0.0,
    rank_dim=8, rank_hidden=(8,), rank_recent=3, rank_dropout=0.0,
)  # fmt: skip
TEXTS = Sizes(**{**vars(IDS), "vectors": Adapting(4, 2, 0.0), "rank_vectors": Adapting(3, 2, 0.0)})
BOTH = Sizes(
    **{
        **vars(IDS),
        "vectors": Adapting(4, 2, 0.0, (("image", 3),), 0.1),
        "rank_vectors": Adapting(3, 2, 0.0, (("image", 3),), 0.1),
    }
)
GROUPS = Sizes(**{**vars(TEXTS), "graph": Graphing(2, 3, 10.0, 2, 3)})
KINDS = Sizes(**{**vars(TEXTS), "kinds": ("taken", "text")})


def whitened(seed, lacking=()):
    white_IW = torch.randn(30, 4, generator=torch.Generator().manual_seed(seed))
    white_IW[[0, *lacking]] = 0.0
    return Whitened(Whitening(np.zeros(6, np.float32), np.eye(6, 4, dtype=np.float32)), white_IW.half())


VECTORS = {"text": whitened(4, [5]), "image": whitened(5, [2, 6])}
CROSSING = Crossing(source=1, target=3)


@pytest.fixture(params=[*STRATEGIES, *BEGINNINGS])
def strategy(request):
    return strategy_of(request.param)


@pytest.fixture(
    params=[IDS, TEXTS, BOTH, KINDS, GROUPS], ids=["ids", "texts", "texts and images", "associations", "groups"]
)
def sizes(request):
    return request.param


def reading(networks):
    """As the training job hands them on: with vectors where they read some, and ids that have been trained."""
    networks.read(VECTORS)
    networks.mark(torch.arange(networks.sizes.items) % 3 > 0)
    if networks.form == "graph":
        networks.connect(*connected(networks.sizes))
    return networks


def connected(sizes):
    """Every item's neighbours are the next ones; all three numbers of an item and two groups are told apart."""
    ids, neighbours = torch.arange(sizes.items), sizes.graph.neighbours
    near_IN = (1 + (ids[:, None] + torch.arange(neighbours)) % (sizes.items - 1)).int()
    edges = Edges(near_IN, torch.full((sizes.items, neighbours), 1.0 / neighbours))
    factor_IF = torch.randn(sizes.items, sizes.graph.factors, generator=torch.Generator().manual_seed(6))
    there_G, flow_GT = torch.ones(sizes.graph.groups, dtype=torch.bool), torch.eye(sizes.graph.groups)
    centre_GF = torch.eye(sizes.graph.groups, sizes.graph.factors)
    return edges, Flow(CROSSING.source, CROSSING.target, factor_IF, centre_GF, there_G, flow_GT)


@pytest.fixture
def source(sizes):
    networks = reading(Networks.new(sizes, seed=1))
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


def test_the_start_is_the_same_every_time(strategy, source, sizes):
    first, second = (strategy.start(source, sizes, 7, CROSSING) for _ in range(2))
    assert same(weights(first), weights(second))


def test_the_source_stays_as_it_is(strategy, source, sizes):
    before = weights(source)
    started = strategy.start(source, sizes, 7, CROSSING)
    with torch.no_grad():
        for name in NAMES:
            for value in started.network(name).parameters():
                value.zero_()
    assert same(before, weights(source))


def test_every_parameter_stands_in_exactly_one_group(strategy, source, sizes):
    started = strategy.start(source, sizes, 7, CROSSING)
    for name in NAMES:
        network = started.network(name)
        listed = [id(value) for group in strategy.groups(network, 0.01) for value in group["params"]]
        assert len(listed) == len(set(listed))
        assert set(listed) == {id(value) for value in network.parameters() if value.requires_grad}
        assert all(0 < group["lr"] <= 0.01 for group in strategy.groups(network, 0.01))


def test_the_vocabulary_may_have_grown(strategy, source, sizes):
    larger = Sizes(**{**vars(sizes), "items": 44})
    assert strategy.start(source, larger, 7, CROSSING).sizes == larger


def test_only_what_begins_from_the_source_depends_on_it(strategy, source, sizes):
    other = Networks.new(sizes, seed=2)
    first, second = (strategy.start(networks, sizes, 7, CROSSING) for networks in (source, other))
    assert same(weights(first), weights(second)) is not strategy.from_source


def test_what_begins_from_the_source_needs_it(strategy, sizes):
    if strategy.from_source:
        with pytest.raises(TrainError, match="pretrain"):
            strategy.start(None, sizes, 7, CROSSING)
    else:
        assert strategy.start(None, sizes, 7, CROSSING).sizes == sizes


def test_saved_and_loaded_is_the_same(strategy, source, tmp_path, sizes):
    started = strategy.start(source, sizes, 7, CROSSING)
    started.save(tmp_path)
    loaded = Networks.load(tmp_path)
    assert loaded.form == started.form
    assert same(weights(started), weights(loaded))


def test_a_copy_of_grown_vocabularies_keeps_what_was_learned(strategy, source, sizes):
    started = strategy.start(source, sizes, 7, CROSSING)
    grown = started.copy(Sizes(**{**vars(sizes), "items": 44, "scenarios": 7}), 7)
    for name, value in weights(started).items():
        assert torch.equal(weights(grown)[name][: len(value)] if value.dim() else weights(grown)[name], value)


def test_continued_networks_read_the_newest_source(strategy, source, sizes):
    newest = Networks.new(sizes, seed=3)
    started = strategy.start(source, sizes, 7, CROSSING)
    renewed = strategy.renewed(started, newest, sizes, 7, CROSSING)
    before, after = logits(strategy.start(source, sizes, 7, CROSSING)), logits(renewed)
    # side begins by adding nothing of the source
    assert bool((before != after).any()) is (strategy.name in ("zero_shot", "fusion"))


def width(networks):
    """What the ranker reads of a candidate: features, and associations where it has some."""
    return networks.sizes.item_features + 2 * len(networks.sizes.kinds)


def logits(networks):
    histories = Histories.of(
        np.array([[0, 3, 4], [0, 0, 0]], np.int32), np.array([[0, 1, 3], [0, 0, 0]], np.int32),
        np.array([[0, 1, 1], [0, 0, 0]], np.int32), np.ones((2, 3), np.float32), np.ones((2, 3), np.float32),
        np.zeros((2, 2), np.float32), np.array([3, 3], np.int32),
    )  # fmt: skip
    items = torch.tensor([[1, 2, 9], [5, 6, 7]])
    with torch.no_grad():
        return (
            reading(networks)
            .ranker.eval()(histories, torch.arange(2), items, torch.ones(2, 3, width(networks)))
            .numpy()
        )


def test_every_learned_parameter_gets_gradient_and_no_other(strategy, source, sizes):
    started = reading(strategy.start(source, sizes, 7, CROSSING))
    with torch.no_grad():
        for name in NAMES:
            for key, value in started.network(name).named_parameters():
                if key.endswith((".high", "glu.weight")):
                    value += 0.1  # at zero, what stands before it learns nothing in the first step
    one = np.array([[2, 3, 4]], np.int32), np.array([[1, 1, 3]], np.int32), np.array([[1, 1, 1]], np.int32)
    numbers = np.ones((4, 3), np.float32), np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    histories = Histories.of(*(np.repeat(each, 4, axis=0) for each in one), *numbers, np.array([3, 1, 2, 4], np.int32))
    items, features = (
        torch.arange(1, 30)[None].expand(4, -1),
        torch.randn(4, 29, width(started), generator=torch.Generator().manual_seed(0)),
    )
    retriever = started.retriever
    user_HW = retriever.users(histories)
    ((user_HW @ retriever.items(items[0], features[0, :, :6]).T) ** 2).sum().backward()
    (started.ranker(histories, torch.arange(4), items, features) ** 2).sum().backward()
    if isinstance(retriever, RetrieverGenerative):
        retriever.drawn(histories, None)[1].sum().backward()
    likeness = strategy.likeness(Crossings(), Alone())
    assert (likeness is not None) is strategy.beside
    if likeness is not None:
        for name in NAMES:
            users = Users(started.network(name).encoded(histories), torch.ones(4))
            likeness.loss(started.network(name), users, users, 0.5).backward()
    for name in NAMES:
        for key, value in started.network(name).named_parameters():
            if value.requires_grad:
                assert value.grad is not None, key
            else:
                assert value.grad is None, key


def test_an_adapter_changes_nothing_at_the_start(source, sizes):
    plain = strategy_of("fine_tune").start(source, sizes, 7, CROSSING)
    assert (logits(strategy_of("low_rank").start(source, sizes, 7, CROSSING)) == logits(plain)).all()


def test_side_adds_nothing_at_the_start(source, sizes):
    assert (logits(strategy_of("side").start(source, sizes, 7, CROSSING)) == logits(Networks.new(sizes, 7))).all()


def test_fine_tuning_takes_the_target_for_the_source(source, sizes):
    started = strategy_of("fine_tune").start(source, sizes, 7, CROSSING)
    asked = started.retriever.encoder.asked.table.weight
    assert torch.equal(asked[3], source.retriever.encoder.asked.table.weight[1])
    assert torch.equal(started.retriever.item.table.weight, source.retriever.item.table.weight)


def stepped(strategy, started, items):
    """The networks after a step of both on some items."""
    reading(started)
    rows = torch.arange(1)
    histories = Histories.of(
        np.array([[2, 3, 4]], np.int32), np.array([[1, 1, 3]], np.int32), np.array([[1, 1, 1]], np.int32),
        np.ones((1, 3), np.float32), np.ones((1, 3), np.float32), np.ones((1, 2), np.float32), np.array([3], np.int32),
    )  # fmt: skip
    feature = torch.ones(1, items.shape[1], width(started))
    groups = [group for name in NAMES for group in strategy.groups(started.network(name), 0.01)]
    optimizer = torch.optim.Adam(groups)
    loss = ((started.retriever.users(histories) @ started.retriever.items(items[0], feature[0, :, :6]).T) ** 2).sum()
    (loss + (started.ranker(histories, rows, items, feature) ** 2).sum()).backward()
    optimizer.step()
    return weights(started)


@pytest.mark.parametrize("name", ["freeze", "prompt"])
def test_a_body_that_stays_knows_new_items_all_the_same(name, source, sizes):
    """Item 30 and those behind it were in no vocabulary when the source was fitted; all others it has moved."""
    strategy, larger = strategy_of(name), Sizes(**{**vars(sizes), "items": 44})
    started = strategy.start(source, larger, 7, CROSSING)
    before = weights(started)
    after = stepped(strategy, started, torch.tensor([[2, 9, 40]]))
    for network in NAMES:
        table = f"{network}.item.table.weight"
        assert torch.equal(before[table][:40], after[table][:40])
        assert not torch.equal(before[table][40], after[table][40])
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    body = {key for key in moved if "query_key_value.weight" in key or "hidden.0.weight" in key or "adaptor.exp" in key}
    assert body == set()
    heads = {"freeze": "retriever.encoder.user.2.weight", "prompt": "retriever.encoder.layers.scenario"}
    assert heads[name] in moved


def test_what_is_held_is_saved_and_grows(source, sizes, tmp_path):
    started = strategy_of("freeze").start(source, Sizes(**{**vars(sizes), "items": 33}), 7, CROSSING)
    started.save(tmp_path)
    grown = Networks.load(tmp_path).copy(Sizes(**{**vars(sizes), "items": 35}), 7)
    held = grown.ranker.item.held
    assert held[1:30].all()
    assert not held[30:].any()
    assert not grown.ranker.hidden[0].weight.requires_grad


def test_an_untouched_source_holds_nothing(sizes):
    source = reading(Networks.new(sizes, seed=7))
    assert not strategy_of("freeze").start(source, sizes, 7, CROSSING).retriever.item.held.any()


def test_the_initialisation_takes_every_scenario_for_the_source(source, sizes):
    asked = strategy_of("_meta").start(source, sizes, 7, Crossing(1, 0)).retriever.encoder.asked.table.weight
    for scenario in range(1, sizes.scenarios):
        assert torch.equal(asked[scenario], source.retriever.encoder.asked.table.weight[1])
    assert torch.equal(asked[0], source.retriever.encoder.asked.table.weight[0])


def test_meta_begins_from_what_the_initialisation_learned_of_the_target(source, sizes):
    started = strategy_of("meta").start(source, sizes, 7, CROSSING)
    assert same(weights(started), weights(source))


@pytest.mark.parametrize("sizes", [KINDS], ids=["associations"])
def test_what_goes_with_events_elsewhere_counts_at_first_as_what_goes_with_own_ones(source, sizes):
    """The source read its own scenario's events only, so nothing else of it has been learned."""
    ranker = strategy_of("fine_tune").start(source, sizes, 7, CROSSING).ranker
    for weight, learned in (
        (ranker.associations.weight, source.ranker.associations.weight),
        (ranker.plain_associations, source.ranker.plain_associations),
    ):
        assert torch.equal(weight[..., :2], learned[..., :2])
        assert torch.equal(weight[..., 2:], learned[..., :2])
        assert learned[..., :2].any()
