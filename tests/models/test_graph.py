"""What a graph of items and the flow between groups make of vectors, against the formulas by hand."""

import numpy as np
import pytest
import torch

from landbridge.config.crossing import Graph
from landbridge.feed.interactions import Interactions
from landbridge.models.graph import Convolution, Edges
from landbridge.models.histories import Histories
from landbridge.models.interest import Flow, Interest
from landbridge.models.networks import Networks
from landbridge.models.sizes import Graphing, Sizes
from landbridge.train.edges import edges

TAKEN = [(0, 1), (0, 2), (1, 2), (1, 3), (1, 4), (2, 4), (3, 5)]
"""User and item; item 6 is nobody's."""
ITEMS = 7


class Words:
    """As much of a vocabulary as the edges ask for."""

    def size(self, field):
        return {"item_id": ITEMS}[field]


def log_of(pairs):
    user, item = np.array(pairs, np.int32).T
    blank = np.zeros(len(pairs), np.int64)
    users = 1 + max(user)
    return Interactions(user, item, blank, blank, blank, np.ones(len(pairs), np.bool_), np.arange(users), Words())


def by_hand(pairs):
    """R~' R~ with the roots of both degrees, dense; who nobody took is tied to himself."""
    taken = np.zeros((4, ITEMS))
    taken[tuple(np.array(pairs).T)] = 1.0
    users, items = taken.sum(1, keepdims=True), taken.sum(0, keepdims=True)
    root = taken / np.sqrt(users) / np.sqrt(np.maximum(items, 1.0))
    tied = root.T @ root
    tied[np.diag_indices(ITEMS)] += (items[0] == 0).astype(float)
    return tied


def dense(found):
    full = np.zeros((ITEMS, ITEMS))
    for row, (near, share) in enumerate(zip(found.near_IN.numpy(), found.share_IN.numpy(), strict=True)):
        np.add.at(full[row], near, share)
    return full


def test_edges_are_the_normalised_paths_over_users():
    found = edges(log_of(TAKEN), Graph(neighbours=ITEMS))
    tied = by_hand(TAKEN)
    np.testing.assert_allclose(dense(found), tied / tied.sum(1, keepdims=True), atol=1e-6)


def test_only_the_strongest_neighbours_are_kept_and_their_shares_sum_to_one():
    found, tied = dense(edges(log_of(TAKEN), Graph(neighbours=2))), by_hand(TAKEN)
    for row in range(ITEMS):
        strongest = np.argsort(-tied[row], kind="stable")[:2]
        wanted = np.where(np.isin(np.arange(ITEMS), strongest), tied[row], 0.0)
        np.testing.assert_allclose(found[row], wanted / wanted.sum(), atol=1e-6)


def test_of_a_user_the_last_items_count():
    """Times are equal, so that the smaller ids come first."""
    few = edges(log_of(TAKEN), Graph(neighbours=ITEMS, user_items=2))
    np.testing.assert_allclose(
        dense(few)[4], dense(edges(log_of([*TAKEN[:4], *TAKEN[5:]]), Graph(neighbours=ITEMS)))[4]
    )


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_vector_is_the_mean_of_the_layers(layers):
    found = edges(log_of(TAKEN), Graph(neighbours=4))
    convolution = Convolution(ITEMS, 4, layers)
    convolution.read(found)
    vector_ID = torch.randn(ITEMS, 5, generator=torch.Generator().manual_seed(0))
    step, wanted = torch.from_numpy(dense(found)).float(), torch.zeros(ITEMS, 5)
    for layer in range(layers + 1):
        wanted += torch.linalg.matrix_power(step, layer) @ vector_ID
    torch.testing.assert_close(convolution(vector_ID), wanted / (layers + 1))


def test_before_edges_are_read_every_item_has_its_own_vector():
    vector_ID = torch.randn(ITEMS, 5)
    torch.testing.assert_close(Convolution(ITEMS, 3, 2)(vector_ID), vector_ID)


SIZES = Sizes(
    items=ITEMS, scenarios=4, types=2, user_features=2, item_features=4, dim=4, layers=1, heads=2, dropout=0.0,
    rank_dim=4, rank_hidden=(4,), rank_recent=2, rank_dropout=0.0, graph=Graphing(2, 3, 10.0, 2, 2),
)  # fmt: skip


def histories(items, scenarios):
    """One history that ends with these events, asked about scenario 2."""
    item_HL, scenario_HL = np.zeros((1, 5), np.int32), np.zeros((1, 5), np.int32)
    if items:
        item_HL[0, -len(items) :], scenario_HL[0, -len(items) :] = items, scenarios
    ones = np.ones((1, 5), np.float32)
    return Histories.of(
        item_HL, scenario_HL, (item_HL > 0).astype(np.int32), ones, ones, np.zeros((1, 2), np.float32),
        np.array([2], np.int32),
    )  # fmt: skip


FACTORS = torch.tensor([[0, 0], [1, 0], [2, 0], [0, 1], [0, 0], [1, 1], [0, 0]], dtype=torch.float32)
FLOW = Flow(
    source=1, target=2, factor_IF=FACTORS, centre_GF=torch.tensor([[1.0, 0.1], [0.1, 1.0]]),
    there_G=torch.ones(2, dtype=torch.bool), flow_GT=torch.tensor([[0.9, 0.1], [0.2, 0.8]]),
)  # fmt: skip


@pytest.fixture
def interest():
    made = Interest(ITEMS, 3, 2, 2, strength=10.0)
    made.read(FLOW)
    with torch.no_grad():
        made.vector.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    return made


USER = torch.tensor([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    ("items", "scenarios", "group", "own"),
    [([1, 2], [1, 1], 0, 0), ([3, 3, 1], [1, 1, 1], 1, 0), ([1, 3, 3], [1, 2, 2], 0, 2), ([3, 1], [1, 3], 1, 0)],
)
def test_what_the_group_takes_stands_in_by_the_number_of_own_events(interest, items, scenarios, group, own):
    stand_in = FLOW.flow_GT[group] @ interest.vector
    wanted = (own * USER + 10.0 * stand_in) / (own + 10.0)
    torch.testing.assert_close(interest(USER, histories(items, scenarios)), wanted)


@pytest.mark.parametrize(("items", "scenarios"), [([], []), ([1, 3], [2, 3]), ([4], [1]), ([6, 4], [1, 1])])
def test_who_has_nothing_in_the_source_stays_as_he_is(interest, items, scenarios):
    torch.testing.assert_close(interest(USER, histories(items, scenarios)), USER)


def test_a_group_that_is_not_there_has_nobody(interest):
    interest.there[0] = False
    assert interest.groups(histories([1, 2], [1, 1]))[0].item() == 1
    interest.there[1] = False
    torch.testing.assert_close(interest(USER, histories([1, 2], [1, 1])), USER)


@pytest.fixture
def networks():
    plain = Networks.new(SIZES, seed=1).changed("graph", 1)
    plain.connect(edges(log_of(TAKEN), Graph(neighbours=3)), FLOW)
    return plain


def test_both_networks_read_edges_and_groups(networks):
    asked = histories([1, 2], [1, 1])
    users, rows = networks.retriever.users(asked), torch.arange(1)
    logits = networks.ranker(asked, rows, torch.tensor([[1, 5]]), torch.zeros(1, 2, 4))
    plain = Networks.new(SIZES, seed=1)
    assert (users - plain.retriever.users(asked)).abs().max() > 1e-3
    assert (logits - plain.ranker(asked, rows, torch.tensor([[1, 5]]), torch.zeros(1, 2, 4))).abs().max() > 1e-4


def test_scoring_says_what_training_says_and_a_new_night_is_read_at_once(networks):
    ids = torch.arange(ITEMS + 2)  # two are beyond the table
    trained = networks.retriever.item(ids).detach()
    networks.retriever.eval()
    with torch.inference_mode():
        torch.testing.assert_close(networks.retriever.item(ids), trained)
        assert (networks.retriever.item(ids)[ITEMS:] == 0).all()
        networks.connect(Edges(torch.zeros(ITEMS, 3, dtype=torch.int32), torch.zeros(ITEMS, 3)), None)
        torch.testing.assert_close(networks.retriever.item(ids[:ITEMS]), networks.retriever.item.table.weight / 3)


def test_a_graph_is_saved_with_its_networks(networks, tmp_path):
    networks.save(tmp_path)
    loaded = Networks.load(tmp_path)
    assert loaded.sizes.graph == SIZES.graph
    asked = histories([1, 2], [1, 1])
    torch.testing.assert_close(loaded.retriever.users(asked), networks.retriever.users(asked))
    torch.testing.assert_close(loaded.ranker.encoded(asked), networks.ranker.encoded(asked))


def test_sizes_without_a_graph_are_written_as_before_there_was_any():
    plain = Sizes(**{**vars(SIZES), "graph": Graphing()})
    assert "graph" not in plain.to_json()
    assert Sizes.from_json(plain.to_json()) == plain
