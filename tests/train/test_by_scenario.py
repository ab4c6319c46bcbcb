"""Rankers of rows behind the retriever of lists: ranks agree, and what is pruned beyond its bounds costs."""

from dataclasses import replace

import pytest
import torch
from tests.lakes import SMALL, SOURCE, TINY, tiny_lake
from tests.train.test_beside import gradient, started
from tests.train.test_loop import Kit
from tests.train.together import together

from landbridge.config.crossing import BY_SCENARIO
from landbridge.config.rankers import Sparsity
from landbridge.train.jointly import Jointly
from landbridge.train.ranks import Alone


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    root = tmp_path_factory.mktemp("by_scenario")
    lake = tiny_lake(root)
    return Kit(root, lake, lake.days("examples")[-1])


def ranking(kit, networks, ranks=None, sparsity=None):
    ranks, sparsity = ranks or Alone(), sparsity or Sparsity()
    parts = [
        replace(kit.objective(networks, "ranker", scenario, ranks.rank, ranks.size, batch=16), sparsity=sparsity)
        for scenario in (SOURCE, SMALL, TINY)
    ]
    return Jointly(networks.ranker, parts)


@pytest.mark.parametrize("name", BY_SCENARIO)
def test_ranks_sum_to_the_gradient_of_one(kit, name):
    whole = gradient(ranking(kit, started(kit, name)))
    halves = together(2, lambda ranks: gradient(ranking(kit, started(kit, name), ranks)))
    assert sum(half[0] for half in halves) == pytest.approx(whole[0], rel=1e-4)
    assert sum(half[1] for half in halves) == pytest.approx(whole[1])
    torch.testing.assert_close(halves[0][2] + halves[1][2], whole[2], rtol=1e-3, atol=1e-4)


def test_what_is_pruned_beyond_the_bounds_costs(kit):
    networks = started(kit, "adasparse")
    losses = {
        name: gradient(ranking(kit, networks, sparsity=Sparsity.model_validate(given)))[0]
        for name, given in {
            "free": {"weight": 0},
            "wide": {"low": 0, "high": 1},
            "strict": {"low": 0.9, "high": 1},
            "twice": {"low": 0.9, "high": 1, "weight": 2},
        }.items()
    }
    assert losses["wide"] == losses["free"]
    assert losses["strict"] > losses["free"]
    assert losses["twice"] - losses["free"] == pytest.approx(2 * (losses["strict"] - losses["free"]), rel=1e-3)
