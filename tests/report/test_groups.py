"""The page shows how groups of the source flow into every target, and names them by what they took."""

import datetime as dt

import pyarrow as pa
import pytest
from tests.lakes import SMALL, SOURCE, TINY, tiny_config

from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.report import pictures
from landbridge.report.facts import Facts
from landbridge.report.groups import flows_of
from landbridge.report.page import page

DS = dt.date(2011, 2, 2)
SIZES = {(SOURCE, 0): 30, (SOURCE, 2): 12, (SMALL, 0): 4, (SMALL, 1): 3, (TINY, 0): 9}
SHARES = {(0, 0): (0.9, 5), (0, 1): (0.1, 0), (2, 0): (0.25, 1), (2, 1): (0.75, 2)}


def written(lake, name, rows):
    lake.append(name, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(name))), "test")


@pytest.fixture
def lake(tmp_path):
    """Fit C of the night, and rows of another fit and another night, which nobody asks about."""
    lake = Lake(tiny_config(tmp_path, "groups={}"))
    items = [{"item_id": "i1", "valid_from": DS, "title": "One <thing>"}]
    written(lake, "items", items)
    groups = [
        {
            "ds": DS,
            "fit": "C",
            "scenario": scenario,
            "group": group,
            "users": users,
            "centroid": [],
            "items": ["i1", "i2"],
        }
        for (scenario, group), users in SIZES.items()
    ]
    flow = [
        {
            "ds": DS, "fit": "C", "source": SOURCE, "source_group": source, "target": SMALL, "target_group": target,
            "users": users, "share": share,
        }
        for (source, target), (share, users) in SHARES.items()
    ]  # fmt: skip
    flow += [{**flow[0], "target": TINY, "source_group": group, "users": 0, "share": 1.0} for group in (0, 2)]
    back = {**flow[0], "source": SMALL, "target": SOURCE}
    other = [{"fit": "A"}, {"ds": DS - dt.timedelta(days=1)}]
    written(lake, "groups", [*groups, *({**groups[0], "users": 99, **one} for one in other)])
    written(lake, "group_flow", [*flow, back, *({**flow[0], "share": 0.5, **one} for one in other)])
    return lake


def test_flows_are_of_the_published_fit_and_out_of_the_source_the_largest_target_first(lake):
    first, second = flows_of(lake, DS)
    assert (first.target, second.target) == (TINY, SMALL)
    assert second.shares == [[0.9, 0.1], [0.25, 0.75]]
    assert second.users == 8
    assert [(group.number, group.users) for group in second.source_groups] == [(0, 30), (2, 12)]
    assert second.target_groups[0].items == ["One <thing>", "i2"]


def test_the_page_has_the_picture_and_the_names(lake):
    facts = Facts(lake.config, DS, flows=flows_of(lake, DS))
    text = page(facts, [])
    assert "Groups of users by interest" in text
    assert "as if 20 more of them were in it" in text
    assert text.count("One &lt;thing&gt;; i2") == len(SIZES)
    assert pictures.flow(facts) in text
    assert pictures.flow(facts) == pictures.flow(facts)


def test_a_night_without_groups_shows_none(tmp_path, lake):
    assert flows_of(Lake(tiny_config(tmp_path)), DS) == []
    text = page(Facts(lake.config, DS), [])
    assert "Groups of users" not in text
