"""The study of rolling windows, on a tiny lake against loops over its events."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import numpy as np
import pytest
from tests.lakes import SCENARIOS, SOURCE, last_day, tiny_config, tiny_lake

from landbridge.errors import ConfigError
from landbridge.evaluate.table import TARGETS
from landbridge.feed.vocabulary import Vocabulary
from landbridge.study.protocol import ALL, Trial
from landbridge.study.ranking import open_ranking
from landbridge.study.runner import run_trials, trials_of
from landbridge.study.store import Store
from landbridge.study.table import table_of
from landbridge.study.tune import changed, tune

CUTS, DAYS = (dt.date(2010, 12, 15), dt.date(2010, 12, 22)), 6
NAMES = ("popularity", "ease_across", "blend_across")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    config = tiny_config(
        tmp_path_factory.mktemp("ranking"),
        f"study.windows=[{', '.join(map(str, CUTS))}]",
        f"study.days={DAYS}",
        "study.chosen_on=1",
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


def ndcg(ranks):
    gain = sum(1 / math.log2(rank + 2) for rank in ranks if rank < 10)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(10, len(ranks))))


class Silent:
    """A tracker that nobody reads."""

    def begin(self, step): ...

    def end(self, step, outcome, **told): ...


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
    slices = {"user shared", "user not shared", "item known", "item not known"}
    assert {(one.slice, one.name) for one in found if one.slice not in slices} == {
        (part, name) for part in (ALL, trial.part) for name in ("ndcg@10", "recall@20")
    }


def test_slices_are_users_with_events_elsewhere_and_items_with_events_here(protocol, results):
    cut = CUTS[0]
    rows = results[1].rows("popularity", 0, [cut.isoformat()])
    log, events = protocol.interactions, {}
    names = log.vocabulary.values("scenario").to_pylist()
    users, items = log.user_ids.to_pylist(), log.vocabulary.values("item_id").to_pylist()
    for user, item, scenario, day in zip(log.user, log.item, log.scenario, log.day, strict=True):
        if day <= (cut - dt.date(1970, 1, 1)).days:
            events.setdefault(users[user], set()).add(names[scenario - 1])
            events.setdefault(names[scenario - 1], set()).add(items[item - 1])
    of_scenario = {(one.scenario, one.slice): one.rows for one in protocol.metrics(rows)}
    for scenario in set(rows["scenario"].to_pylist()):
        own = [row for row in rows.to_pylist() if row["scenario"] == scenario]
        shared = sum(events[row["user_id"]] != {scenario} for row in own)
        known = sum(row["item_id"] in events[scenario] for row in own)
        counts = {"user shared": shared, "user not shared": len(own) - shared, "item known": known}
        assert {name: of_scenario.get((scenario, name), 0) for name in counts} == counts


def test_the_windows_that_were_chosen_on_stand_apart(results):
    rows = results[1].rows("popularity", 0, [cut.isoformat() for cut in CUTS]).to_pylist()
    targets = [row for row in rows if row["scenario"] != SOURCE]
    table = {row.scenario: row for row in results[0] if row.contender == "popularity"}
    for number, name in enumerate((f"{TARGETS}, windows 1-1, chosen on", f"{TARGETS}, windows 2-2, not chosen on")):
        ranks = {}
        for row in targets:
            if row["window"] == CUTS[number].isoformat():
                ranks.setdefault((row["user_id"], row["scenario"]), []).append(row["rank"])
        assert table[name].value == pytest.approx(np.mean([ndcg(some) for some in ranks.values()]), rel=1e-6)
    parts = [row for name, row in table.items() if name.startswith(f"{TARGETS}, ")]
    assert sum(row.rows for row in parts) == table[TARGETS].rows


def test_a_search_is_judged_on_the_windows_it_may_choose_on(lake, protocol, tmp_path):
    keys = {"contenders.blend.floor": {"choices": [0.01, 1.0]}}
    given = {"contender": "blend_across", "trials": 3, "keys": keys}
    study = lake.config.study.model_copy(update={"tune": lake.config.study.tune.model_validate(given)})
    searched = replace(protocol, config=lake.config.model_copy(update={"study": study}))
    said: list[str] = []
    best = tune(searched, tmp_path, said.append, Silent())
    values = {}
    for floor in (0.01, 1.0):
        one = protocol.searching(changed(lake.config, {"contenders.blend.floor": floor}))
        assert one.parts == [CUTS[0].isoformat()]
        scored = one.run(Trial("blend_across", 0, one.parts[0]))
        values[floor] = one.measured(scored.rows)[TARGETS].value
    tried = [float(line.split("floor ")[1].split(":")[0]) for line in said[:3]]
    for line, floor in zip(said, tried, strict=False):
        assert f"ndcg@10 {values[floor]:.4f}" in line
    assert values[best["contenders.blend.floor"]] == max(values[floor] for floor in tried)


def test_without_chosen_windows_nothing_is_searched(protocol):
    study = protocol.config.study.model_copy(update={"chosen_on": None})
    with pytest.raises(ConfigError, match=r"needs study.chosen_on"):
        protocol.searching(protocol.config.model_copy(update={"study": study}))


def test_a_source_alone_is_what_the_matrix_learns_from_beside_the_target(lake, protocol, tmp_path):
    sources, store = protocol.matrix("popularity_across"), Store(tmp_path)
    entries = sources.entries()
    assert [entry.name for entry in entries] == ["alone", *sorted(SCENARIOS), "all"]
    facts = run_trials(sources, trials_of(sources, entries, [0]), store, lambda line: None)
    table = {(row.contender, row.scenario): row for row in table_of(sources, entries, facts, store)}
    assert {scenario for _, scenario in table} == set(SCENARIOS)
    assert (SOURCE, SOURCE) not in table
    for row in store.rows(SOURCE, 0, [CUTS[0].isoformat()]).to_pylist():
        sold = {
            (one["user_id"], one["item_id"])
            for one in events_of(lake)
            if one["ds"] <= CUTS[0] and one["scenario"] in (SOURCE, row["scenario"])
        }
        # What is in no catalogue has no score.
        assert row["score"] is None or row["score"] == sum(item == row["item_id"] for _, item in sold)
    # What all teach is what the contender is in the study.
    whole = protocol.run(Trial("popularity_across", 0, CUTS[1].isoformat())).rows
    assert store.rows("all", 0, [CUTS[1].isoformat()])["rank"].equals(whole["rank"])
    alone = protocol.run(Trial("popularity", 0, CUTS[1].isoformat())).rows
    assert store.rows("alone", 0, [CUTS[1].isoformat()])["rank"].equals(alone["rank"])


def test_only_what_crosses_has_a_matrix(protocol):
    with pytest.raises(ConfigError, match=r"popularity does not learn from other scenarios"):
        protocol.matrix("popularity")


def test_windows_have_to_end_in_the_tables(lake):
    with pytest.raises(ConfigError, match=r"ends on 2010-12-28, after study.ds 2010-12-25"):
        open_ranking(lake.config, lake, dt.date(2010, 12, 25), print)
    bare = lake.config.model_copy(update={"study": lake.config.study.model_copy(update={"windows": []})})
    with pytest.raises(ConfigError, match=r"needs study.windows"):
        open_ranking(bare, lake, last_day(lake.config, 30), print)
