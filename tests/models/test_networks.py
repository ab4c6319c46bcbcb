"""What the networks keep, whatever they have learned."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from landbridge.errors import TrainError
from landbridge.feed.whitening import Whitening
from landbridge.models.histories import Histories
from landbridge.models.losses import binary, sampled_softmax
from landbridge.models.networks import NAMES, Networks
from landbridge.models.noise import Noise
from landbridge.models.sizes import Adapting, Sizes
from landbridge.models.whitened import Whitened

SIZES = Sizes(
    items=40, scenarios=4, types=3, user_features=3, item_features=6, dim=16, layers=2, heads=2, dropout=0.2,
    rank_dim=8, rank_hidden=(16, 8), rank_recent=4, rank_dropout=0.2,
)  # fmt: skip
ROWS, LENGTH = 12, 7


@pytest.fixture
def networks():
    return Networks.new(SIZES, seed=5)


def histories(rows=ROWS, seed=0):
    """Rows of every length, the first one without any event."""
    rng = np.random.default_rng(seed)
    here = np.arange(LENGTH)[None] >= LENGTH - (np.arange(rows) % (LENGTH + 1))[:, None]
    item, scenario, kind = (rng.integers(1, top, (rows, LENGTH)) * here for top in (40, 4, 3))
    outcome, age = (rng.random((rows, LENGTH)).astype(np.float32) * here for _ in range(2))
    features = rng.standard_normal((rows, 3)).astype(np.float32)
    return Histories.of(item, scenario, kind, outcome, 100 * age, features, rng.integers(1, 4, rows))


def taken(whole, rows):
    return Histories(**{name: value[rows] for name, value in vars(whole).items()})


def candidates(rows, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 40, (rows, 5), generator=generator), torch.randn(rows, 5, 6, generator=generator)


def test_a_row_does_not_depend_on_its_batch_mates(networks):
    whole, rows = histories(), torch.tensor([0, 7, 3])
    item, feature = candidates(ROWS)
    with torch.no_grad():
        users = networks.retriever.users(whole)
        logits = networks.ranker(whole, torch.arange(ROWS), item, feature)
        torch.testing.assert_close(networks.retriever.users(taken(whole, rows)), users[rows])
        some = networks.ranker(taken(whole, rows), torch.arange(3), item[rows], feature[rows])
        torch.testing.assert_close(some, logits[rows])


def test_candidates_of_a_row_do_not_see_each_other(networks):
    item, feature = candidates(ROWS)
    with torch.no_grad():
        together = networks.ranker(histories(), torch.arange(ROWS), item, feature)
        alone = networks.ranker(histories(), torch.arange(ROWS), item[:, 2:3], feature[:, 2:3])
    torch.testing.assert_close(together[:, 2:3], alone)


def test_padding_says_nothing(networks):
    """More room on the left changes no score, and neither does what stands in it beside the item."""
    short = histories()
    wide = {
        name: torch.nn.functional.pad(value, (3, 0)) if name.endswith("_HL") else value
        for name, value in vars(short).items()
    }
    wide["age_HL"][:, :3], wide["scenario_HL"][:, :3] = 50.0, 2
    item, feature = candidates(ROWS)
    with torch.no_grad():
        torch.testing.assert_close(networks.retriever.users(Histories(**wide)), networks.retriever.users(short))
        rows = torch.arange(ROWS)
        torch.testing.assert_close(
            networks.ranker(Histories(**wide), rows, item, feature), networks.ranker(short, rows, item, feature)
        )


def losses(networks, noise):
    whole = histories()
    row, item = torch.arange(ROWS), torch.arange(1, ROWS + 1)
    user = networks.retriever.users(whole, noise)
    own = (user * networks.retriever.items(item, torch.ones(ROWS, 6))).sum(1)
    shared = torch.arange(1, 40)
    generator = torch.Generator().manual_seed(2)
    scores = networks.retriever.scores(user, shared, torch.randn(ROWS, 39, 6, generator=generator))
    blocked = torch.zeros(ROWS, 39, dtype=torch.bool)
    first = sampled_softmax(own, scores, row, item, shared, torch.full((39,), -np.log(39.0)), blocked)
    candidate, feature = candidates(ROWS)
    logits = networks.ranker(whole, row, candidate, feature, noise)
    return first, binary(logits, torch.ones(ROWS), torch.ones(ROWS, 5, dtype=torch.bool))


def test_gradient_reaches_every_parameter(networks):
    first, second = losses(networks, Noise(histories().keys(), 1, 0, 0))
    (first.sum() + second.sum()).backward()
    silent = [
        name
        for network in NAMES
        for name, value in networks.network(network).named_parameters()
        if value.grad is None or not value.grad.abs().sum() > 0
    ]
    assert silent == []


def test_the_unknown_item_is_nothing_and_stays_so(networks):
    sum(loss.sum() for loss in losses(networks, None)).backward()
    for table in (networks.retriever.item.table, networks.retriever.bias.table, networks.ranker.item.table):
        assert not table.weight[0].any()
        assert not table.weight.grad[0].any()


def test_an_id_of_tomorrow_is_scored_as_unknown(networks):
    feature = torch.randn(2, 6)
    with torch.no_grad():
        tomorrow, unknown = networks.retriever.items(torch.tensor([99, 0]), feature[:1].expand(2, 6))
    torch.testing.assert_close(tomorrow, unknown)


def test_noise_depends_on_the_row_and_the_step_alone(networks):
    whole, rows = histories(), torch.tensor([9, 1])

    def users(of, step):
        return networks.retriever.users(of, Noise(of.keys(), seed=3, epoch=0, step=step))

    with torch.no_grad():
        torch.testing.assert_close(users(taken(whole, rows), 4), users(whole, 4)[rows])
        assert not torch.allclose(users(whole, 5), users(whole, 4))


def test_a_fifth_of_the_places_is_dropped_and_the_mean_is_kept():
    mask = Noise(np.arange(400, dtype=np.uint64), 1, 2, 3).mask("here", 50, 0.2)
    assert abs((mask == 0).float().mean().item() - 0.2) < 0.01
    assert abs(mask.mean().item() - 1.0) < 0.02


def test_saved_networks_are_the_same(networks, tmp_path):
    networks.save(tmp_path)
    again = Networks.load(tmp_path)
    assert again.sizes == SIZES
    for name in NAMES:
        for key, value in networks.network(name).state_dict().items():
            assert torch.equal(again.network(name).state_dict()[key], value)


def test_new_ids_get_the_rows_that_fresh_networks_of_that_size_have(networks):
    larger = Sizes(**{**vars(SIZES), "items": 55, "scenarios": 6})
    grown, fresh = networks.copy(larger, seed=5), Networks.new(larger, seed=5)
    torch.testing.assert_close(grown.retriever.item.table.weight, fresh.retriever.item.table.weight)
    assert torch.equal(grown.retriever.item.table.weight[:40], networks.retriever.item.table.weight)
    assert grown.sizes == larger


def test_weights_of_another_width_are_refused(networks):
    with pytest.raises(TrainError, match="fit anew"):
        networks.copy(Sizes(**{**vars(SIZES), "dim": 32}), seed=5)


def test_the_estimate_of_the_softmax_is_exact_when_every_item_is_drawn_once():
    scores = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    item = torch.tensor([4, 0, 19])
    estimate = sampled_softmax(
        scores[torch.arange(3), item],
        scores,
        torch.arange(3),
        item,
        torch.arange(20),
        torch.full((20,), -np.log(20.0)),
        torch.zeros(3, 20, dtype=torch.bool),
    )
    torch.testing.assert_close(estimate, torch.nn.functional.cross_entropy(scores, item, reduction="none"))


def test_what_the_user_has_is_no_alternative():
    scores, blocked = torch.zeros(1, 4), torch.tensor([[False, True, True, True]])
    loss = sampled_softmax(
        torch.zeros(1), scores, torch.tensor([0]), torch.tensor([9]), torch.arange(4), torch.full((4,), -np.log(4.0)),
        blocked,
    )  # fmt: skip
    torch.testing.assert_close(loss, torch.log(torch.tensor([2.0])))


def test_an_example_without_alternatives_has_a_finite_gradient():
    score = torch.zeros(1, requires_grad=True)
    everything = torch.ones(1, 4, dtype=torch.bool)
    scores = torch.zeros(1, 4, requires_grad=True)
    loss = sampled_softmax(
        score, scores, torch.tensor([0]), torch.tensor([1]), torch.arange(4), torch.zeros(4), everything
    )
    loss.sum().backward()
    assert torch.isfinite(score.grad).all()
    assert torch.isfinite(scores.grad).all()


def test_a_negative_that_could_not_be_drawn_does_not_count():
    logits = torch.tensor([[0.0, 5.0]])
    alone = binary(logits, torch.ones(1), torch.tensor([[True, False]]))
    torch.testing.assert_close(alone, torch.log(torch.tensor([2.0])))


def test_a_ranker_that_reads_no_associations_is_as_before_there_were_any(networks):
    plain, reading = networks.ranker.state_dict(), Networks.new(replace(SIZES, kinds=("taken",)), seed=5).ranker
    assert "kinds" not in SIZES.to_json()
    assert {name for name in reading.state_dict() if name not in plain} == {"associations.weight", "plain_associations"}
    assert all(torch.equal(reading.state_dict()[name], value) for name, value in plain.items())


def test_associations_move_the_score_and_those_of_takers_are_hidden_with_the_id():
    """An item that training shows as new goes with nothing by its takers, but it does by its text."""
    sizes = replace(SIZES, kinds=("taken", "text"), rank_vectors=Adapting(3, 2, 0.5))
    networks = Networks.new(sizes, seed=5)
    generator = torch.Generator().manual_seed(4)
    white = Whitening(np.zeros(6, np.float32), np.eye(6, 3, dtype=np.float32))
    networks.read({"text": Whitened(white, torch.randn(40, 3, generator=generator).half())})
    networks.mark(torch.arange(40) > 0)
    whole, (item, feature) = histories(), candidates(ROWS)
    noise = Noise(whole.keys(), 1, 0, 0)
    hidden = networks.ranker.item.counted(item, noise) == 0
    assert 0 < hidden.sum() < hidden.numel()

    def logits(*goes):
        wide = torch.cat([feature, torch.tensor(goes).expand(*feature.shape[:2], 4)], dim=-1)
        with torch.no_grad():
            return networks.ranker(whole, torch.arange(ROWS), item, wide, noise)

    plain = logits(0.0, 0.0, 0.0, 0.0)
    for taken in (logits(2.0, 0.0, 0.0, 0.0), logits(0.0, 0.0, 2.0, 0.0)):
        assert torch.equal(taken[hidden], plain[hidden])
        assert (taken[~hidden] != plain[~hidden]).all()
    assert (logits(0.0, 2.0, 0.0, 0.0) != plain).all()


def test_a_low_temperature_holds_the_same_items_further_apart(networks):
    cold = Networks.new(replace(SIZES, temperature=0.5), seed=5)
    user_HW, cold_HW = (each.retriever.eval().users(histories()) for each in (networks, cold))
    torch.testing.assert_close(cold_HW[:, :-1], user_HW[:, :-1] * SIZES.dim**0.5 / 0.5)
    assert Sizes.from_json(json.loads(json.dumps(cold.sizes.to_json()))) == cold.sizes
