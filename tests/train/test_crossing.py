"""What crosses from a source that knows the answer, and what is published where the source is noise."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import SMALL, SOURCE, TINY, lake_of, tiny_config
from tests.train.nights import night_on

from landbridge.contenders.folder import find_fitted, load_fitted
from landbridge.evaluate.gains import Trial
from landbridge.evaluate.guard import decide
from landbridge.feed.assemble import Assembler
from landbridge.train.step import FINETUNE, PRETRAIN

CYCLE, DAYS, SOURCE_USERS, STAY = 12, 7, 120, 5
STRATEGIES = (
    "fine_tune", "freeze", "prompt", "adversarial", "align", "meta", "generative", "graph",
    "ple", "pepnet", "adasparse",
)  # fmt: skip
SETTINGS = (
    "retriever.dim=16", "retriever.dropout=0", "retriever.learning_rate=0.01", "retriever.epochs=14",
    "ranker.dim=16", "ranker.dropout=0", "ranker.learning_rate=0.01", "ranker.epochs=16",
    "transfer.epochs=4", "transfer.learning_rate=0.002", "transfer.batch=32",
    "split.validation_days=1", "split.test_days=1", "guard.windows=1", "recommend.contenders=[popularity]",
    f"transfer.strategies=[joint, {', '.join(STRATEGIES)}]",
)  # fmt: skip


def events_of(config, noise, targets, shared=0):
    """Who buys item i today buys item i + 1 tomorrow, around a cycle; in a source of noise any other one.

    The last `shared` users of the source go on in the target after `STAY` days.
    """
    rng, rows = np.random.default_rng(0), []
    for user in range(SOURCE_USERS + targets):
        around, other = (user + np.arange(DAYS)) % CYCLE, rng.permutation(CYCLE) if noise else None
        leaves = STAY if SOURCE_USERS - shared <= user < SOURCE_USERS else DAYS
        for day in range(DAYS):
            home = SOURCE if user < SOURCE_USERS and day < leaves else SMALL
            items = other if noise and home == SOURCE else around
            date = config.data.reader.first_day + dt.timedelta(days=day)
            rows.append(
                {
                    "example_id": f"e{user:03d}{day:02d}", "ts": dt.datetime.combine(date, dt.time(12), dt.UTC),
                    "ds": date, "user_id": f"u{user:03d}", "item_id": f"i{items[day]:02d}", "scenario": home,
                    "event_type": "purchase", "outcome": 1.0, "price": 1.0,
                }
            )  # fmt: skip
    return rows


def hits(root, noise, targets, *overrides, shared=0, moved=True):
    """Whether each of the cycle's users, were he of the target, gets his next item, by contender; of both networks.

    Those who are not `moved` stay people of the source, of whom the target knows nothing.
    """
    config = tiny_config(root, *SETTINGS, *overrides)
    last = config.data.reader.first_day + dt.timedelta(days=DAYS - 1)
    night = night_on(config, last)
    lake_of(config, events_of(config, noise, targets, shared), last)
    PRETRAIN.run(night)
    FINETUNE.run(night)
    states, catalogue, wanted = _asked(night, last, moved)
    everything = np.tile(np.arange(CYCLE), (len(states), 1))
    found = {}
    for name, folder in find_fitted(night.models, "C", SMALL).items():
        if name in ("target_only", "bridge", *STRATEGIES):
            fitted = load_fitted(folder)
            for network, scores in (
                ("retriever", fitted.score(states, catalogue)),
                ("ranker", fitted.probability(states, catalogue, everything)),
            ):
                scores = np.where(states.had[:, catalogue.items].toarray() > 0, -np.inf, scores)
                found[name, network] = scores.argmax(axis=1) == wanted
    return found


def _asked(night, last, moved):
    """States of one user a phase of the cycle, at its end; the catalogue; and the index of each one's next item."""
    assembler = Assembler.load(night.models / "assembler")
    rows = night.lake.read("user_state").sort_by("user_id").slice(0, CYCLE)
    people = [
        {
            **row,
            "scenarios": [SMALL],
            "had": [f"i{(user + day) % CYCLE:02d}" for day in range(DAYS)],
            "history": [
                {**event, "scenario": SMALL if moved else SOURCE, "item_id": f"i{(user + day) % CYCLE:02d}"}
                for day, event in enumerate(row["history"])
            ],
        }
        for user, row in enumerate(rows.to_pylist())
    ]
    states = assembler.states(pa.Table.from_pylist(people, schema=rows.schema), SMALL)
    items = np.arange(1, CYCLE + 1, dtype=np.int32)
    catalogue = assembler.catalogue(SMALL, items, last + dt.timedelta(days=1))
    names = [f"i{(user + DAYS) % CYCLE:02d}" for user in range(CYCLE)]
    wanted = [assembler.vocabulary.id("item_id", name) for name in names]
    return states, catalogue, np.searchsorted(catalogue.items, wanted)


def rates(found):
    return {name: round(float(hit.mean()), 2) for name, hit in found.items()}


@pytest.fixture(scope="module")
def telling(tmp_path_factory):
    """Two people of the target have been seen; its source goes round the whole cycle."""
    return rates(hits(tmp_path_factory.mktemp("telling"), noise=False, targets=2))


@pytest.mark.parametrize("network", ["retriever", "ranker"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_what_the_source_knows_arrives(telling, name, network):
    assert telling[name, network] >= telling["target_only", network] + 0.25, telling


def test_what_the_source_knows_of_a_user_is_carried_over(tmp_path):
    """People of the source are asked about the target, where some who were there before them have been seen."""
    found = rates(hits(tmp_path, False, 2, "transfer.strategies=[bridge]", shared=24, moved=False))
    for network in ("retriever", "ranker"):
        assert found["bridge", network] >= found["target_only", network] + 0.25, found


def test_where_the_source_is_noise_the_targets_own_is_published(tmp_path):
    """The source buys in no order at all; the target goes round the cycle, and is long enough to show it."""
    named = f"transfer.strategies=[joint, {', '.join((*STRATEGIES, 'bridge'))}]"
    found = hits(tmp_path, True, 96, "transfer.epochs=8", "ranker.epochs=1", named, shared=24)
    values = {name: hit.astype(float) for (name, network), hit in found.items() if network == "retriever"}
    assert values["target_only"].mean() >= 0.75, rates(found)
    trials = [Trial(name, np.arange(CYCLE, dtype=np.int32), 1, values) for name in (SMALL, TINY)]
    guard = tiny_config(tmp_path).guard
    for decision in decide(trials, (*STRATEGIES, "bridge"), SOURCE, guard, 0).values():
        assert decision.published == "target_only", decision.sentence
