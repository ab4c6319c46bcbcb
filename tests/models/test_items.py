"""What embeddings of items keep where vectors are read beside ids."""

import copy

import numpy as np
import pytest
import torch
from tests.models.test_networks import ROWS, SIZES, candidates, histories, losses, taken

from landbridge.feed.whitening import Whitening
from landbridge.models.networks import NAMES, Networks
from landbridge.models.noise import Noise
from landbridge.models.sizes import Adapting, Sizes
from landbridge.models.whitened import Whitened

READING = Sizes(**{**vars(SIZES), "vectors": Adapting(6, 3, 0.4), "rank_vectors": Adapting(4, 2, 0.4)})
SEEN, BARE, NEW, NOTHING = 3, 7, 30, 35
"""An item with both, one that has no vector, one that no fit has met, and one that has neither."""


def vectors(items=40, seed=0):
    white = torch.randn(items, 6, generator=torch.Generator().manual_seed(seed))
    white[[0, BARE, NOTHING]] = 0.0
    return {"text": Whitened(Whitening(np.zeros(9, np.float32), np.eye(9, 6, dtype=np.float32)), white.half())}


@pytest.fixture
def networks():
    made = Networks.new(READING, seed=5)
    made.read(vectors())
    made.mark((torch.arange(40) > 0) & (torch.arange(40) < NEW))
    return made


def scores(networks, whole):
    item, feature = candidates(len(whole))
    with torch.no_grad():
        users = networks.retriever.users(whole)
        logits = networks.ranker(whole, torch.arange(len(whole)), item, feature)
        return users, networks.retriever.items(item, feature), logits


def test_an_item_is_its_id_and_its_vector_and_a_new_one_its_vector_alone(networks):
    for items in (networks.retriever.item, networks.ranker.item):
        own = items.table.weight
        told = items.adaptor(vectors()["text"].white_IW[:, : items.given.width].float())
        found = items(torch.tensor([SEEN, BARE, NEW, NOTHING, 0, 99]))
        wanted = [own[SEEN] + told[SEEN], own[BARE], told[NEW], *[torch.zeros_like(own[0])] * 3]
        torch.testing.assert_close(found, torch.stack(wanted))
        assert found[2].abs().max() > 0.01


def test_a_new_item_has_no_bias(networks):
    feature = torch.zeros(2, 6)
    with torch.no_grad():
        networks.retriever.bias.table.weight[1:] = 2.0
        found = networks.retriever.items(torch.tensor([SEEN, NEW]), feature)
    assert found[:, -1].tolist() == [2.0, 0.0]


def test_a_new_item_counts_as_average_until_somebody_takes_it(networks):
    none_G, some_G, average_G = torch.full((6,), -2.0), torch.arange(6.0), torch.zeros(6)
    networks.read(networks.vectors, none_G)
    whole, row = histories(1), torch.zeros(4, dtype=torch.long)
    item, feature = torch.tensor([NEW, NEW, NEW, SEEN]), torch.stack([none_G, average_G, some_G, none_G])
    with torch.no_grad():
        vector = networks.retriever.items(item, feature)
        score = networks.retriever.scores(networks.retriever.users(whole), item, feature[None])[0]
        logit = networks.ranker(whole, row[:1], item[None], feature[None])[0]
        torch.testing.assert_close(score, (vector * networks.retriever.users(whole)).sum(1))
        average = networks.retriever.items(item[3:], average_G[None])[0]
    for found in (vector, score, logit):
        torch.testing.assert_close(found[0], found[1])
        assert not torch.allclose(found[1], found[2])
    assert not torch.allclose(vector[3], average)


def test_an_item_of_which_nothing_is_known_does_not_count_as_average(networks):
    none_G = torch.full((6,), -2.0)
    networks.read(networks.vectors, none_G)
    with torch.no_grad():
        items = networks.retriever.items(torch.tensor([NOTHING, NOTHING]), torch.stack([none_G, torch.zeros(6)]))
    assert not torch.allclose(*items)


def test_an_item_whose_id_is_hidden_counts_as_average(networks):
    ids, noise = torch.arange(1, NEW), Noise(np.arange(3, dtype=np.uint64), 1, 2, 3)
    hidden = noise.hides("ids", ids, 0.4) & (ids != BARE)
    with torch.no_grad():
        plain, other = (networks.retriever.items(ids, torch.full((len(ids), 6), value), noise) for value in (0.0, 5.0))
    assert torch.equal((plain == other).all(1), hidden)
    assert 0 < hidden.sum() < len(ids)


def test_what_is_kept_for_scoring_is_what_is_computed(networks):
    whole = histories()
    computed = scores(networks, whole)
    for name in NAMES:
        networks.network(name).eval()
    for _ in range(2):
        torch.testing.assert_close(scores(networks, whole), computed)
    items = networks.retriever.item
    with torch.no_grad():
        before = items(torch.tensor([SEEN]))
        items.train().table.weight[SEEN] += 1.0
        torch.testing.assert_close(items.eval()(torch.tensor([SEEN])), before + 1.0)


def test_a_row_does_not_depend_on_its_batch_mates(networks):
    whole, rows = histories(), torch.tensor([0, 7, 3])
    users, _, logits = scores(networks, whole)
    item, feature = candidates(ROWS)
    with torch.no_grad():
        torch.testing.assert_close(networks.retriever.users(taken(whole, rows)), users[rows])
        some = networks.ranker(taken(whole, rows), torch.arange(3), item[rows], feature[rows])
    torch.testing.assert_close(some, logits[rows])


def test_gradient_reaches_every_parameter(networks):
    sum(loss.sum() for loss in losses(networks, Noise(histories().keys(), 1, 0, 0))).backward()
    silent = [
        name
        for network in NAMES
        for name, value in networks.network(network).named_parameters()
        if value.grad is None or not value.grad.abs().sum() > 0
    ]
    assert silent == []


def test_an_id_that_no_fit_has_met_gets_no_gradient(networks):
    sum(loss.sum() for loss in losses(networks, None)).backward()
    for table in (networks.retriever.item.table, networks.retriever.bias.table, networks.ranker.item.table):
        assert not table.weight.grad[NEW:].any()
        assert table.weight.grad[1:NEW].any()


def test_a_share_of_the_ids_is_hidden_in_a_step_for_every_row_alike(networks):
    items, ids = networks.retriever.item, torch.cat([torch.arange(1, BARE), torch.arange(BARE + 1, NEW)])
    plain, hidden = items(ids), []
    for step in range(200):
        noise = Noise(np.arange(3, dtype=np.uint64), 1, 2, step)
        found = items(ids, noise)
        gone = (found != plain).any(1)
        torch.testing.assert_close(found[gone], (plain - items.table(ids))[gone])
        other = Noise(np.arange(9, dtype=np.uint64), 1, 2, step)
        torch.testing.assert_close(items(ids.flip(0), other).flip(0), found)
        hidden.append(gone)
    share = torch.stack(hidden).float().mean(0)
    assert abs(share.mean() - 0.4) < 0.02
    assert share.min() > 0.2


def test_without_dropout_of_ids_noise_hides_none():
    kept = Networks.new(Sizes(**{**vars(READING), "vectors": Adapting(6, 3, 0.0)}), seed=5)
    kept.read(vectors())
    kept.mark(torch.ones(40, dtype=torch.bool))
    ids = torch.arange(40)
    assert torch.equal(
        kept.retriever.item(ids, Noise(np.arange(3, dtype=np.uint64), 1, 2, 3)), kept.retriever.item(ids)
    )


def test_without_vectors_the_networks_are_those_that_know_no_vectors():
    plain = Networks.new(SIZES, seed=5)
    whole, noise = histories(), Noise(histories().keys(), 1, 0, 0)
    assert plain.vectors == {}
    plain.mark(torch.ones(40, dtype=torch.bool))
    assert not [key for name in NAMES for key in plain.network(name).state_dict() if "adaptor" in key or "seen" in key]
    found = plain.retriever.item(whole.item_HL, noise)
    assert torch.equal(found, plain.retriever.item.table.weight[whole.item_HL])


def test_saved_networks_score_the_same(networks, tmp_path):
    networks.save(tmp_path)
    again = Networks.load(tmp_path)
    assert again.sizes == READING
    for found, wanted in zip(scores(again, histories()), scores(networks, histories()), strict=True):
        assert torch.equal(found, wanted)


def test_an_item_of_tomorrow_is_read_by_its_vector(networks):
    grown = networks.copy(Sizes(**{**vars(READING), "items": 50}), seed=5)
    tomorrow = torch.tensor([45])
    with torch.no_grad():
        assert not grown.retriever.item(tomorrow).any()
        grown.read(vectors(50))
        assert grown.retriever.item(tomorrow).abs().max() > 0.01


def test_copies_share_the_vectors(networks):
    assert copy.deepcopy(networks.retriever).item.vectors["text"].white_IW is networks.vectors["text"].white_IW
