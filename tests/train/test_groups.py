"""The strategy graph reads edges and groups of its own fit, from tables as the step group leaves them."""

import datetime as dt

import pyarrow as pa
import pytest
import torch
from tests.lakes import SMALL, SOURCE, TINY, tiny_config
from tests.train.nights import night_of

from landbridge.contenders.folder import find_fitted, load_fitted
from landbridge.feed.learned import FitRows
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.arrow import arrow_schema
from landbridge.train.edges import edges
from landbridge.train.lineage import recipe
from landbridge.train.step import FINETUNE, PRETRAIN

ON = ("transfer.strategies=[graph]", "groups={count: 3, factors: 2}", "transfer.graph={layers: 1, neighbours: 5}")
FACTORS = {"A": [1.0, 0.0], "B": [0.0, 1.0], "C": [0.6, 0.8]}
"""Of every item, by fit."""


def grouped(night):
    """Two groups of the source and one of Germany, of every fit; France has none."""
    items = Vocabulary.load(night.lake).values("item_id").to_pylist()
    rows = {"item_factors": [], "groups": [], "group_flow": []}
    for fit, vector in FACTORS.items():
        rows["item_factors"] += [{"fit": fit, "item_id": item, "vector": vector} for item in items]
        for scenario, group in ((SOURCE, 0), (SOURCE, 2), (SMALL, 1)):
            centroid = [float(group == 0), float(group == 2)]
            rows["groups"].append(
                {"fit": fit, "scenario": scenario, "group": group, "users": 4, "centroid": centroid, "items": items[:2]}
            )
        for group in (0, 2):
            flow = {"source": SOURCE, "source_group": group, "target": SMALL, "target_group": 1}
            rows["group_flow"].append({"fit": fit, **flow, "users": 1, "share": 1.0})
    for name, some in rows.items():
        schema = arrow_schema(night.lake.contract(name))
        other = [{"ds": night.ds - dt.timedelta(days=1), **row} for row in some if name == "item_factors"]
        table = pa.Table.from_pylist([*({"ds": night.ds, **row} for row in some), *other], schema=schema)
        night.lake.append(name, table, "test")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    night = night_of(tmp_path_factory.mktemp("groups"), *ON)
    grouped(night)
    PRETRAIN.run(night)
    FINETUNE.run(night)
    return night


def fitted(night, fit, scenario):
    return load_fitted(find_fitted(night.models, fit, scenario)["graph"]).networks


@pytest.mark.parametrize("fit", "ABC")
def test_a_fit_reads_the_groups_of_the_same_fit(night, fit):
    networks, vocabulary = fitted(night, fit, SMALL), Vocabulary.load(night.lake)
    for name in ("retriever", "ranker"):
        interest = networks.network(name).interest
        assert interest.source.item() == vocabulary.id("scenario", SOURCE)
        assert interest.target.item() == vocabulary.id("scenario", SMALL)
        assert torch.equal(interest.factor[1:], torch.tensor([FACTORS[fit]]).expand(len(interest.factor) - 1, 2))
        assert (interest.factor[0] == 0).all()
        assert interest.there.tolist() == [True, False, True]
        assert interest.flow.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_into_a_target_without_groups_nothing_flows(night):
    assert not fitted(night, "C", TINY).retriever.interest.there.any()


@pytest.mark.parametrize("fit", "AB")
def test_a_fit_reads_edges_of_its_own_days_only(night, fit):
    rows = FitRows(night.lake, Vocabulary.load(night.lake), night.ds)
    own, later = (edges(rows.learned(one), night.config.transfer.graph) for one in (fit, "C"))
    graph = fitted(night, fit, SMALL).ranker.item.graph
    assert torch.equal(graph.near, own.near_IN)
    assert torch.equal(graph.share, own.share_IN)
    assert not torch.equal(graph.near, later.near_IN)


def test_the_vectors_of_groups_are_learned_where_somebody_is_in_both(night):
    """One scenario in two is the source; only the group into which somebody flows learns."""
    vector = fitted(night, "A", SMALL).retriever.interest.vector
    other = fitted(night, "A", TINY).retriever.interest.vector
    assert not torch.equal(vector[1], other[1])
    assert torch.equal(vector[0], other[0])


def test_networks_of_other_groups_are_of_another_recipe(night, tmp_path):
    plain = tiny_config(tmp_path, "groups={count: 3, factors: 2}")
    assert recipe(plain) == recipe(tiny_config(tmp_path))
    assert recipe(night.config) != recipe(tiny_config(tmp_path, ON[0], ON[2]))
    assert recipe(tiny_config(tmp_path, ON[0])) != recipe(tiny_config(tmp_path, ON[0], ON[2]))
