"""A country without a log: served from its neighbours, marked in the table, and better than chance."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import numpy as np
import pytest
from tests.lakes import SMALL, SOURCE, TINY, _events, lake_of, last_day, tiny_config

from landbridge.contenders.base import ALL, View
from landbridge.contenders.bundle import Route
from landbridge.contenders.folder import save_fitted, scope_folder
from landbridge.contenders.lent import LENT
from landbridge.contenders.scorer import Scorer
from landbridge.contenders.simple import all_simple
from landbridge.errors import ConfigError, DataError
from landbridge.evaluate.newcomers import awaited, neighbours_of
from landbridge.evaluate.step import build_bundle
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.catalogue import catalogues
from landbridge.lake.contracts import NEW_USER
from landbridge.lake.spark import SparkLake
from landbridge.recommend.publish import publish
from landbridge.step import Night

DAYS, USERS = 40, 180
ROUTES = {SOURCE: Route("item_item", "C", "popularity"), TINY: Route("ease_across", "C", "popularity_recent")}
DECLARED = f"newcomers={{{SMALL}: {{audience: size(had) > 0, catalogue: \"item_id <> 'i000' and events > 0\"}}}}"


def night_of(root, spark, events, *overrides):
    """A night of the events with what the routes name fitted on all of them."""
    config = tiny_config(root, *overrides)
    ds = last_day(config, DAYS)
    lake = lake_of(config, events, ds)
    spark_lake, said = SparkLake(spark, lake), []
    night = Night(
        config,
        ds,
        lake,
        lambda: spark_lake,
        said.append,
        models=config.folder / "models" / str(ds),
        reports=config.folder / "reports" / str(ds),
        fingerprint="f" * 16,
    )
    (night.models / "assembler").mkdir(parents=True)
    Assembler.fit(lake, config, ds).save(night.models / "assembler")
    interactions = Interactions.read(lake, Vocabulary.load(lake), ds)
    published = {name for route in ROUTES.values() for name in (route.contender, route.unknown)}
    for contender in (one for one in all_simple(config) if one.name in published):
        for scope in (ALL,) if contender.pooled else (SOURCE, TINY):
            folder = night.models / "fits" / "C" / scope_folder(scope) / contender.name
            folder.parent.mkdir(parents=True, exist_ok=True)
            facts = {"contender": contender.name, "scope": scope, "fit": "C"}
            save_fitted(contender.fit(View(config, scope, ds, interactions)), folder, facts)
    return night


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return _events(tiny_config(tmp_path_factory.mktemp("log")), USERS, DAYS, 60, np.random.default_rng(0), 0.0)


@pytest.fixture(scope="module")
def night(tmp_path_factory, spark, log):
    rest = [event for event in log if event["scenario"] != SMALL]
    night = night_of(tmp_path_factory.mktemp("newcomer"), spark, rest, DECLARED)
    newcomers, _ = awaited(night.config.newcomers, ROUTES)
    build_bundle(night, ROUTES, newcomers)
    publish(night, night.models / "bundle", "1", lambda: None)
    return night


@pytest.fixture(scope="module")
def lists(night):
    return {(row["scenario"], row["user_id"]): row["items"] for row in night.lake.read("recommendations").to_pylist()}


def test_the_table_marks_its_lists_and_theirs_alone(lists):
    sources = defaultdict(set)
    for (scenario, _), items in lists.items():
        sources[scenario] |= {one["source"] for one in items}
    assert sources[SMALL] == {LENT}
    assert set(sources) == {SMALL, SOURCE, TINY}
    assert LENT not in sources[SOURCE] | sources[TINY]


def test_its_audience_and_its_catalogue_are_its_own(night, lists):
    states = night.lake.read("user_state").to_pylist()
    served = {user for scenario, user in lists if scenario == SMALL}
    assert served == {row["user_id"] for row in states} | {NEW_USER}
    assert {user for scenario, user in lists if scenario == TINY} < served
    listed = {one["item_id"] for (scenario, _), items in lists.items() if scenario == SMALL for one in items}
    assert "i000" not in listed
    assert "i000" in {one["item_id"] for (scenario, _), items in lists.items() if scenario != SMALL for one in items}
    for row in states:
        assert not {one["item_id"] for one in lists[SMALL, row["user_id"]]} & set(row["had"])


def test_what_people_took_there_stands_higher_than_in_a_random_list(night, lists, log):
    """Held back: the newcomer's own events, of users whom the others know, and for the rest the list of whoever."""
    taken = defaultdict(set)
    for event in log:
        if event["scenario"] == SMALL:
            taken[event["user_id"]].add(event["item_id"])
    had = {row["user_id"]: set(row["had"]) for row in night.lake.read("user_state").to_pylist()}
    items = sorted({event["item_id"] for event in log} - {"i000"})
    draw = np.random.default_rng(1)
    gained, chance = [], []
    for user, wanted in taken.items():
        new = wanted - had.get(user, set()) - {"i000"}
        if new:
            ours = [one["item_id"] for one in lists.get((SMALL, user), lists[SMALL, NEW_USER])]
            random = [str(item) for item in draw.permutation(items)[: len(ours)]]
            gained.append(ndcg(ours, new))
            chance.append(ndcg(random, new))
    assert len(gained) > 30
    difference = np.array(gained) - np.array(chance)
    assert difference.mean() > 3 * difference.std() / np.sqrt(len(difference))
    assert np.mean(gained) > 0.2


def ndcg(items, wanted):
    gains = [1 / np.log2(place + 2) for place, item in enumerate(items) if item in wanted]
    return sum(gains) / sum(1 / np.log2(place + 2) for place in range(min(len(items), len(wanted))))


def test_the_registered_model_answers_what_the_table_says(night, lists):
    scorer = Scorer.load(night.models / "bundle")
    assert scorer.newcomers == [SMALL]
    states = night.lake.read("user_state")
    for number in (0, 7):
        user = states["user_id"][number].as_py()
        assert scorer.recommend(states.slice(number, 1), SMALL)["items"][0].as_py() == lists[SMALL, user]


def told(night, newcomer):
    """Return the neighbours' weights of the newcomer under another declaration."""
    newcomers = {SMALL: newcomer}
    catalogue = catalogues(night.spark_lake(), night.ds, newcomers).toArrow()
    assembler, tomorrow = Assembler.load(night.models / "assembler"), night.ds + dt.timedelta(days=1)
    return neighbours_of(newcomers, [SOURCE, TINY], catalogue, assembler, tomorrow)[SMALL]


def test_its_neighbours_are_declared_or_told_by_the_catalogue(night):
    newcomer = night.config.newcomers[SMALL]
    routes = Scorer.load(night.models / "bundle").routes["scenarios"][SMALL]
    weights = {one["scenario"]: one["weight"] for one in routes["neighbours"]}
    assert set(weights) == {SOURCE, TINY}
    assert sum(weights.values()) == pytest.approx(1)
    assert weights[SOURCE] > weights[TINY], "its catalogue is all that had events, as the source's nearly is"
    declared = newcomer.model_copy(update={"like": {TINY: 3.0, SOURCE: 1.0}})
    assert told(night, declared) == {TINY: 0.75, SOURCE: 0.25}


def test_one_that_has_events_is_a_scenario_like_any_other_and_one_that_is_like_nobody_is_refused(night):
    newcomers = night.config.newcomers
    waiting, said = awaited(newcomers, [SOURCE, TINY, SMALL])
    assert waiting == {}
    assert said == [f"{SMALL} has events of its own: it is a scenario like any other now; take it out of newcomers"]
    like = {SMALL: newcomers[SMALL].model_copy(update={"like": {"Atlantis": 1.0}})}
    with pytest.raises(ConfigError, match="names Atlantis, which publishes nothing tonight"):
        awaited(like, [SOURCE, TINY])


def test_a_catalogue_of_nothing_is_refused(night):
    empty = night.config.newcomers[SMALL].model_copy(update={"catalogue": "events > 1000000"})
    with pytest.raises(DataError, match="there is nothing to list"):
        told(night, empty)
