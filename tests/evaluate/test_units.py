"""Who is judged on what, against plain loops over the rows of `examples`."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow.compute as pc
import pytest
from tests.lakes import SCENARIOS, last_day, tiny_config, tiny_lake

from landbridge.config.days import windows_of
from landbridge.evaluate.drawn import draw
from landbridge.evaluate.units import units_of
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions

DAYS = 40


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A lake, its rows, and what units are made of."""
    config = tiny_config(tmp_path_factory.mktemp("units"), "split.validation_days=12", "split.test_days=8")
    lake = tiny_lake(config.root, config, users=90, days=DAYS, failures=0.1)
    ds = last_day(config, DAYS)
    assembler = Assembler.fit(lake, config, ds)
    return (
        config,
        lake,
        ds,
        assembler,
        Interactions.read(lake, assembler.vocabulary, ds),
        lake.read("examples").to_pylist(),
    )


@pytest.fixture(scope="module")
def judged(night):
    """Units of every window."""
    config, lake, ds, assembler, interactions, _ = night
    return [
        unit
        for window in windows_of(config, ds)
        for unit in units_of(lake, interactions, assembler, window, SCENARIOS, users=1000)
    ]


def items_of(assembler, ids):
    return set(assembler.vocabulary.decode("item_id", np.asarray(ids)).to_pylist())


def test_units_are_those_of_plain_loops(night, judged):
    config, _, ds, assembler, _, rows = night
    expected = {}
    for window in windows_of(config, ds):
        for scenario in SCENARIOS:
            known = {row["user_id"] for row in rows if row["ds"] <= window.since and row["scenario"] == scenario}
            for user in sorted(known):
                own = [row for row in rows if row["user_id"] == user and row["had"]]
                had = {row["item_id"] for row in own if row["ds"] <= window.since}
                later = {
                    row["item_id"]
                    for row in own
                    if window.since < row["ds"] <= window.until and row["scenario"] == scenario
                }
                if later - had:
                    expected[scenario, window.split, window.index, user] = (later - had, had)
    found = {}
    for units in judged:
        for row, user in enumerate(units.states.user_ids.to_pylist()):
            truth = items_of(assembler, units.truth[row].indices)
            had = items_of(assembler, units.states.had[row].indices)
            found[units.scenario, units.window.split, units.window.index, user] = (truth, had)
    assert found == expected
    assert len({key[:3] for key in found}) > 6


def test_the_catalogue_is_what_the_scenario_had_before_the_window(night, judged):
    assembler, rows = night[3], night[5]
    for units in judged:
        seen = {row["item_id"] for row in rows if row["scenario"] == units.scenario and row["ds"] <= units.window.since}
        assert items_of(assembler, units.catalogue.items) == seen


def test_the_state_is_the_history_before_the_first_example_of_the_window(night, judged):
    config, assembler, rows = night[0], night[3], night[5]
    for units in judged:
        for row, user in enumerate(units.states.user_ids.to_pylist()):
            own = [one for one in rows if one["user_id"] == user]
            inside = [one for one in own if units.window.since < one["ds"] <= units.window.until]
            first = min(one["ts"] for one in inside)
            before = sorted((one["ts"], one["example_id"], one["item_id"]) for one in own if one["ts"] < first)
            assert all(ts.date() <= units.window.since for ts, _, _ in before)
            ids = units.states.item_BL[row]
            shown = assembler.vocabulary.decode("item_id", ids[ids > 0]).to_pylist()
            assert shown == [item for _, _, item in before[-config.features.history :]]


def test_of_too_many_users_the_same_sample_is_judged_whatever_the_others(night, judged):
    config, lake, ds, assembler, interactions, _ = night
    window = windows_of(config, ds)[0]
    whole = next(one for one in judged if one.scenario == SCENARIOS[0] and one.window == window)
    half = units_of(lake, interactions, assembler, window, SCENARIOS[:1], users=len(whole) // 2)[0]
    quarter = units_of(lake, interactions, assembler, window, SCENARIOS[:1], users=len(whole) // 4)[0]
    assert (len(half), len(quarter)) == (len(whole) // 2, len(whole) // 4)
    assert set(quarter.user_B) < set(half.user_B) < set(whole.user_B)


def test_a_window_without_users_has_no_units(night):
    config, lake, ds, assembler, interactions, _ = night
    early = windows_of(config, ds)[0]
    nobody = type(early)(
        "test",
        0,
        "B",
        config.data.reader.first_day - dt.timedelta(days=9),
        config.data.reader.first_day - dt.timedelta(days=1),
    )
    assert units_of(lake, interactions, assembler, nobody, SCENARIOS, users=10) == []


def test_drawn_items_are_all_that_was_taken_and_others_that_were_not(night, judged):
    for units in judged:
        drawn = draw(units, 15, seed=1)
        for row in range(len(units)):
            ids = units.catalogue.items[drawn.index_BK[row]]
            valid, label = drawn.valid_BK[row], drawn.label_BK[row]
            truth = set(units.truth[row].indices)
            assert set(ids[valid & label]) == truth & set(units.catalogue.items)
            others = ids[valid & ~label]
            assert len(set(others)) == len(others) <= 15
            assert not set(others) & (truth | set(units.states.had[row].indices))
            assert len(others) > 5


def test_a_units_drawn_items_do_not_depend_on_the_other_units(night, judged):
    config, lake, ds, assembler, interactions, _ = night
    window = windows_of(config, ds)[0]
    whole = next(one for one in judged if one.scenario == SCENARIOS[0] and one.window == window)
    some = units_of(lake, interactions, assembler, window, SCENARIOS[:1], users=5)[0]
    place = np.searchsorted(whole.user_B, some.user_B)
    first, second = draw(whole, 15, seed=1), draw(some, 15, seed=1)
    np.testing.assert_array_equal(first.index_BK[place][:, -15:], second.index_BK[:, -15:])
    assert not np.array_equal(draw(some, 15, seed=2).index_BK, second.index_BK)


def test_examples_of_other_nights_do_not_move_the_units(night, judged):
    """Rows after the window are no one's business; a lake that ends with the window gives the same units."""
    _, lake, _, assembler, _, _ = night
    units = judged[0]
    known = Interactions.read(lake, assembler.vocabulary, units.window.until)
    again = units_of(lake, known, assembler, units.window, [units.scenario], users=1000)[0]
    assert pc.all(pc.equal(again.states.user_ids, units.states.user_ids)).as_py()
    assert (again.truth != units.truth).nnz == 0
    np.testing.assert_array_equal(again.catalogue.feature_CG, units.catalogue.feature_CG)
