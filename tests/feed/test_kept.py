"""What a study keeps from the networks: rows of parts, and what users have lost in a scenario."""

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import SMALL, SOURCE, last_day, tiny_config, tiny_lake

from landbridge.feed.assemble import Assembler
from landbridge.feed.elsewhere import Elsewhere
from landbridge.feed.hashing import hash_strings
from landbridge.feed.interactions import microseconds
from landbridge.feed.kept import Kept
from landbridge.feed.shards import Store

EVERY = ("train", "validation", "test")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    config = tiny_config(tmp_path_factory.mktemp("kept"), "split.part='train'")
    return tiny_lake(config.folder, config, days=20)


@pytest.fixture(scope="module")
def assembler(lake):
    day = last_day(lake.config, 20)
    return Assembler.fit(lake, lake.config, day, day)


def opened(lake, assembler, kept):
    day = last_day(lake.config, 20)
    return Store.open(lake, assembler, None, day, kept=kept)


@pytest.fixture(scope="module")
def rows(lake):
    return lake.read("examples").to_pylist()


def both(rows):
    """Users with events in the source and in the small scenario."""
    places = {}
    for row in rows:
        places.setdefault(row["user_id"], set()).add(row["scenario"])
    return sorted(user for user, found in places.items() if {SOURCE, SMALL} <= found)


def test_only_the_rows_of_the_parts_are_there(lake, assembler, rows):
    store = opened(lake, assembler, Kept(("train",)))
    wanted = [row["example_id"] for row in rows if row["part"] == "train"]
    assert 0 < len(wanted) < len(rows)
    assert set(store.arrays["e.hash"].tolist()) == set(hash_strings(pa.array(wanted)).tolist())
    assert store.arrays["h.count"].min() > 0


def test_what_negatives_are_drawn_from_is_counted_in_the_parts(lake, assembler, rows):
    items, counts = opened(lake, assembler, Kept(("train",))).shards(SMALL).taken()
    names = assembler.vocabulary.values("item_id").to_pylist()
    found = {names[item - 1]: count for item, count in zip(items.tolist(), counts.tolist(), strict=True)}
    wanted = {}
    for row in rows:
        if (row["part"], row["scenario"]) == ("train", SMALL):
            wanted[row["item_id"]] = wanted.get(row["item_id"], 0) + 1
    assert found == wanted


def test_users_lose_a_scenario_and_nothing_of_it_is_in_their_histories(lake, assembler, rows):
    users = both(rows)
    assert users
    store = opened(lake, assembler, Kept(EVERY, SMALL, pa.array(users)))
    lost = {row["example_id"] for row in rows if row["user_id"] in users and row["scenario"] == SMALL}
    there = {row["example_id"] for row in rows} - lost
    assert lost
    assert set(store.arrays["e.hash"].tolist()) == set(hash_strings(pa.array(sorted(there))).tolist())
    mine_H = of_users(lake, store, users)
    assert mine_H.any()
    small = assembler.vocabulary.id("scenario", SMALL)
    assert not (store.arrays["h.scenario_BL"][mine_H] == small).any()
    assert (store.arrays["h.scenario_BL"][~mine_H] == small).any()
    assert not store.arrays["h.user_BF"][mine_H].any()


def test_what_users_did_elsewhere_is_of_the_rows_that_stay(lake, assembler, rows):
    users, day = both(rows), last_day(lake.config, 20)
    small = assembler.vocabulary.id("scenario", SMALL)
    whole = Elsewhere.read(lake, assembler, day, Kept(EVERY))
    less = Elsewhere.read(lake, assembler, day, Kept(EVERY, SMALL, pa.array(users[1:])))
    assert (whole.states.scenario_BL == small).any()
    assert whole.hash_U.tolist() == sorted(hash_strings(pa.array(users)).tolist())
    assert less.hash_U.tolist() == hash_strings(pa.array(users[:1])).tolist()
    first = Elsewhere.read(lake, assembler, day, Kept(("train",)))
    last = {}
    for row in rows:
        if row["part"] == "train":
            last.setdefault(row["user_id"], []).append((row["ts"], row["scenario"]))
    several = [user for user, moments in last.items() if len({scenario for _, scenario in moments}) > 1]
    assert first.hash_U.tolist() == sorted(hash_strings(pa.array(several)).tolist())


def test_the_events_that_stay_are_those_of_the_other_scenarios(lake, assembler, rows):
    users = both(rows)
    whole = opened(lake, assembler, Kept(EVERY))
    less = opened(lake, assembler, Kept(EVERY, SMALL, pa.array(users)))
    small = assembler.vocabulary.id("scenario", SMALL)
    found = events_of(less, of_users(lake, less, users))
    wanted = {
        key: [event for event in events if event[1] != small]
        for key, events in events_of(whole, of_users(lake, whole, users)).items()
        if key[1] != small
    }
    assert found == wanted


def of_users(lake, store, users):
    """Which histories are of the users: by user and moment, as the table says."""
    table = lake.read("histories")
    keys = zip(table["user_id"].to_pylist(), microseconds(table["ts"].combine_chunks()).tolist(), strict=True)
    moments = {ts for user, ts in keys if user in users}
    others = zip(table["user_id"].to_pylist(), microseconds(table["ts"].combine_chunks()).tolist(), strict=True)
    assert not moments & {ts for user, ts in others if user not in users}
    return np.isin(store.arrays["h.ts"], sorted(moments))


def events_of(store, mine_H):
    found = {}
    for row in np.flatnonzero(mine_H):
        item_L, where_L = store.arrays["h.item_BL"][row], store.arrays["h.scenario_BL"][row]
        events = [(item, where) for item, where in zip(item_L.tolist(), where_L.tolist(), strict=True) if item]
        found[int(store.arrays["h.ts"][row]), int(store.arrays["h.scenario"][row])] = events
    return found


def test_another_choice_is_another_store(lake, assembler, rows):
    users = both(rows)
    choices = [
        None,
        Kept(("train",)),
        Kept(EVERY),
        Kept(EVERY, SMALL, pa.array(users)),
        Kept(EVERY, SMALL, pa.array(users[:1])),
        Kept(EVERY, SOURCE, pa.array(users)),
    ]
    assert len({opened(lake, assembler, kept).folder for kept in choices}) == len(choices)


def test_what_was_written_is_read(tmp_path):
    kept = Kept(("train", "validation"), SMALL, pa.array(["u1", "u2"]))
    kept.write(tmp_path / "kept.parquet")
    again = Kept.read(tmp_path / "kept.parquet")
    assert again.identity == kept.identity
    assert again.parts == kept.parts


def test_nobody_loses_anything_where_nothing_is_said(tmp_path):
    kept = Kept(("train",))
    kept.write(tmp_path / "kept.parquet")
    users = pa.array(["u1", "u2"])
    assert Kept.read(tmp_path / "kept.parquet").stays(users, pa.array([SMALL, SOURCE])).all()
    assert not kept.lost(users).any()
