"""The study of rolling windows, on a tiny lake against loops over its events."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from tests.lakes import SOURCE, last_day, tiny_config, tiny_lake

from landbridge.errors import ConfigError
from landbridge.evaluate.table import TARGETS
from landbridge.feed.vocabulary import Vocabulary
from landbridge.study.protocol import ALL, Trial
from landbridge.study.ranking import open_ranking
from landbridge.study.runner import run_trials, trials_of
from landbridge.study.store import Store
from landbridge.study.table import table_of

CUTS, DAYS = (dt.date(2010, 12, 15), dt.date(2010, 12, 22)), 6
NAMES = ("popularity", "ease_across", "blend_across")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    config = tiny_config(
        tmp_path_factory.mktemp("ranking"),
        f"study.windows=[{', '.join(map(str, CUTS))}]",
        f"study.days={DAYS}",
        "contenders.ease.regularization=5",
    )
    return tiny_lake(config.folder, config)


@pytest.fixture(scope="module")
def protocol(lake):
    return open_ranking(lake.config, lake, last_day(lake.config, 30), lambda line: None)


@pytest.fixture(scope="module")
def results(protocol, tmp_path_factory):
    """The table and the store of three contenders."""
    store = Store(tmp_path_factory.mktemp("study"))
    entries = [entry for entry in protocol.entries() if entry.name in NAMES]
    facts = run_trials(protocol, trials_of(protocol, entries, [0]), store, lambda line: None)
    return table_of(protocol, entries, facts, store), store


def events_of(lake):
    return lake.read("examples", columns=["user_id", "item_id", "scenario", "ds"]).to_pylist()


def brute_force(lake):
    """What popularity does to every item that is taken: {(user, scenario, window, item): (rank, catalogue)}."""
    order = Vocabulary.load(lake)
    found = {}
    for cut in CUTS:
        rows = events_of(lake)
        before = [row for row in rows if row["ds"] <= cut]
        inside = [row for row in rows if cut < row["ds"] <= cut + dt.timedelta(days=DAYS)]
        for row in inside:
            user, scenario, item = row["user_id"], row["scenario"], row["item_id"]
            had = {one["item_id"] for one in before if one["user_id"] == user}
            known = any((one["user_id"], one["scenario"]) == (user, scenario) for one in before)
            if not known or item in had:
                continue
            sold = {(one["user_id"], one["item_id"]) for one in before if one["scenario"] == scenario}
            catalogue = sorted({item for _, item in sold}, key=lambda name: order.id("item_id", name))
            count = {name: sum(one == name for _, one in sold) for name in catalogue}
            ranked = sorted((name for name in catalogue if name not in had), key=lambda name: -count[name])
            rank = ranked.index(item) if item in count else len(catalogue)
            found[user, scenario, cut.isoformat(), item] = (rank, len(catalogue))
    return found


def test_every_item_taken_has_its_rank_among_what_the_user_lacks(lake, results):
    rows = results[1].rows("popularity", 0, [cut.isoformat() for cut in CUTS]).to_pylist()
    key = ("user_id", "scenario", "window", "item_id")
    found = {tuple(row[name] for name in key): (row["rank"], row["catalogue"]) for row in rows}
    assert found == brute_force(lake)
    assert len(found) == len(rows) > 50
    assert {row["contender"] for row in rows} == {"popularity"}


def test_the_table_is_the_mean_over_users_and_windows(lake, results):
    units = {}
    for (user, scenario, window, _), (rank, _) in brute_force(lake).items():
        units.setdefault((user, scenario, window), []).append(rank)

    def ndcg(ranks):
        gain = sum(1 / math.log2(rank + 2) for rank in ranks if rank < 10)
        return gain / sum(1 / math.log2(place + 2) for place in range(min(10, len(ranks))))

    by_scenario = {row.scenario: row for row in results[0] if row.contender == "popularity"}
    for scenario, chosen in {
        ALL: list(units),
        TARGETS: [unit for unit in units if unit[1] != SOURCE],
        SOURCE: [unit for unit in units if unit[1] == SOURCE],
    }.items():
        row = by_scenario[scenario]
        assert row.value == pytest.approx(np.mean([ndcg(units[unit]) for unit in chosen]), rel=1e-6)
        assert row.rows == len(chosen)
        assert row.users == len({unit[0] for unit in chosen})


def test_no_fit_knows_the_days_it_is_judged_on(protocol):
    for cut in CUTS:
        material = protocol._prepared(cut.isoformat())
        assert material.before.day.max() <= (cut - dt.date(1970, 1, 1)).days


def test_what_is_done_is_not_run_again_and_metrics_tell_each_window(protocol, results):
    said: list[str] = []
    trial = Trial("popularity", 0, CUTS[0].isoformat())
    run_trials(protocol, [trial], results[1], said.append)
    assert said[0].endswith("done before")
    found = protocol.metrics(results[1].rows("popularity", 0, [trial.part]))
    assert {(one.slice, one.name) for one in found} == {
        (part, name) for part in (ALL, trial.part) for name in ("ndcg@10", "recall@20")
    }


def test_windows_have_to_end_in_the_tables(lake):
    with pytest.raises(ConfigError, match=r"ends on 2010-12-28, after study.ds 2010-12-25"):
        open_ranking(lake.config, lake, dt.date(2010, 12, 25), print)
    bare = lake.config.model_copy(update={"study": lake.config.study.model_copy(update={"windows": []})})
    with pytest.raises(ConfigError, match=r"needs study.windows"):
        open_ranking(bare, lake, last_day(lake.config, 30), print)
