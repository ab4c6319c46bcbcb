"""Networks that read associations: honest in training, alike by day and by night, better where ids say nothing."""

import datetime as dt
import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import SMALL, SOURCE, lake_of, last_day, tiny_config, tiny_lake
from tests.texts import encoded
from tests.train.nights import DAYS, night_of, night_on
from tests.train.test_loop import Kit, Part
from tests.train.together import together

from landbridge.config.days import days_of
from landbridge.contenders.base import ALL
from landbridge.contenders.bundle import Route, build
from landbridge.contenders.folder import find_fitted, load_fitted, read_meta, top_k
from landbridge.contenders.network import NetworkFitted
from landbridge.contenders.scorer import Scorer
from landbridge.errors import ConfigError
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.learned import FitRows
from landbridge.train.associated import FOLDER, Associating
from landbridge.train.job import Job
from landbridge.train.lineage import associating, recipe
from landbridge.train.objectives import Ranking
from landbridge.train.progress import Progress
from landbridge.train.ranks import Alone
from landbridge.train.step import FINETUNE, PRETRAIN
from landbridge.train.watch import Watch

ON = (
    "associations={attributes: [title], taken: {shrinkage: 2}}",
    "ranker.associations=true",
    "ranker.association_days=5",
)


def finder(lake, ds, models):
    """Finds kinds as a process of a night's job does."""
    models.mkdir(parents=True, exist_ok=True)
    job = Job("pretrain", ds, lake.config, models, {}, "", "", ())
    rows = FitRows(lake, Assembler.fit(lake, lake.config, ds).vocabulary, ds)
    return Associating(job, lake.config.associations, rows, Watch(math.inf, {}), Progress(models / "progress.jsonl", 0))


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    root = tmp_path_factory.mktemp("associated")
    return tiny_lake(root, tiny_config(root, *ON), days=DAYS)


def without(found, row, models):
    """The finder of a log that lacks one event."""
    whole = found.rows.whole
    rows = FitRows(found.rows.lake, found.rows.vocabulary, found.rows.ds)
    rows.whole = whole.where(np.arange(len(whole)) != row)
    return replace(found, rows=rows, job=replace(found.job, models=models))


def test_no_training_row_reads_its_own_event(lake, tmp_path):
    """Neither its own nor any of its day: removed from what was learned of, nothing moves; a later reader's moves."""
    ds = last_day(lake.config, DAYS)
    found = finder(lake, ds, tmp_path / "all")
    first, log = lake.config.data.reader.first_day - dt.timedelta(days=1), found.rows.whole
    timeline, moved = found.timeline(first, ds, ALL), 0
    day_P = timeline.day_P
    assert np.diff(day_P).tolist() == [5] * 5
    for number, row in enumerate(np.linspace(0, len(log) - 1, 7).astype(int)):
        other = without(found, row, tmp_path / f"without-{number}").timeline(first, ds, ALL)
        read = np.searchsorted(day_P, log.day[row]) - 1
        for place, (one, two) in enumerate(zip(timeline.each, other.each, strict=True)):
            same = all((one.kinds[kind] != two.kinds[kind]).nnz == 0 for kind in one.kinds)
            assert same or place > read
            moved += not same
    assert moved > 0


def test_ranks_find_what_the_one_that_leads_has_made(lake, tmp_path):
    ds = last_day(lake.config, DAYS)
    alone = finder(lake, ds, tmp_path / "one").between(ds - dt.timedelta(days=12), ds, ALL, Alone())
    for found in together(2, lambda ranks: finder(lake, ds, tmp_path / "two").between(
        ds - dt.timedelta(days=12), ds, ALL, ranks
    )):  # fmt: skip
        assert found.learning.day_P.tolist() == alone.learning.day_P.tolist()
        for one, two in zip([*found.learning.each, found.tonight], [*alone.learning.each, alone.tonight], strict=True):
            assert all((one.kinds[kind] != two.kinds[kind]).nnz == 0 for kind in two.kinds)


def test_a_control_knows_what_its_own_scenario_took(lake, tmp_path):
    ds = last_day(lake.config, DAYS)
    found = finder(lake, ds, tmp_path / "all")
    rows = FitRows(lake, found.rows.vocabulary, ds)
    rows.whole = found.rows.whole.of_scenario(SMALL)
    alone = replace(found, rows=rows, job=replace(found.job, models=tmp_path / "alone"))
    own, everything = found.as_of(ds, SMALL, ["taken"]), found.as_of(ds, ALL, ["taken"])
    assert (own.kinds["taken"] != alone.as_of(ds, ALL, ["taken"]).kinds["taken"]).nnz == 0
    assert 0 < own.kinds["taken"].nnz < everything.kinds["taken"].nnz


def test_without_an_encoder_nothing_goes_by_its_text_and_it_is_said_once(tmp_path):
    config = tiny_config(tmp_path, "encode={text: title}", "associations={text: {}}", "ranker.associations=[text]")
    lake, ds = tiny_lake(tmp_path, config, users=12, days=12), last_day(config, 12)
    found = finder(lake, ds, tmp_path / "without")
    for day in (ds, ds - dt.timedelta(days=3)):
        assert found.as_of(day, ALL, found.kinds).kinds["text"].nnz == 0
    notes = [json.loads(line) for line in (tmp_path / "without" / "progress.jsonl").read_text().splitlines()]
    assert [note["text"] for note in notes] == [
        "no text is encoded, so the ranker sees no associations of the kind text"
    ]
    draw = np.random.default_rng(0)
    names = found.rows.vocabulary.values("item_id").to_pylist()
    encoded(lake, {name: draw.standard_normal(4).astype(np.float32) for name in names})
    again = finder(lake, ds, tmp_path / "with")
    assert again.as_of(ds, SMALL, again.kinds).kinds["text"].nnz > 0
    assert again.as_of(config.data.reader.first_day - dt.timedelta(days=1), ALL, ["text"]).kinds["text"].nnz == 0


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night with everything on."""
    made = night_of(
        tmp_path_factory.mktemp("night"), *ON, "ranker.candidates={retriever: 12, associations: 6}",
        "recommend.contenders=[popularity]", "retriever.epochs=1", "transfer.epochs=1",
    )  # fmt: skip
    PRETRAIN.run(made)
    FINETUNE.run(made)
    return made


def test_training_judging_and_tonight_read_the_same_of_the_same_state(night):
    folder = find_fitted(night.models, "C", SMALL)["fine_tune"]
    assembler, fitted = Assembler.load(night.models / "assembler"), load_fitted(folder)
    names = assembler.vocabulary.values("item_id")
    table = pa.table({"scenario": [SMALL] * len(names), "item_id": names})
    bundle = build(
        night.models, {SMALL: Route("fine_tune", "C", "popularity")}, night.lake, night.ds, night.models / "bundle",
        table,
    )  # fmt: skip
    users = night.lake.read("user_state").sort_by("user_id")
    states, tomorrow = assembler.states(users, SMALL), night.ds + dt.timedelta(days=1)
    catalogue = assembler.catalogue(SMALL, np.arange(1, len(names) + 1, dtype=np.int32), tomorrow)
    items_BK, scores_BK = top_k(fitted, states, catalogue, 10, 30)
    published = Scorer.load(bundle).recommend(users, SMALL)["items"].to_pylist()
    for row, told in enumerate(published):
        assert [one["item_id"] for one in told] == names.take(pa.array(items_BK[row] - 1)).to_pylist()
        np.testing.assert_allclose([one["score"] for one in told], scores_BK[row], rtol=1e-4, atol=1e-5)
    index_BK = np.tile(np.arange(len(names)), (len(states), 1))
    judged = fitted._features(states, catalogue, index_BK)[..., assembler.n_item_features :]
    found = finder(night.lake, night.ds, night.models)
    asked = catalogue.items[index_BK], np.full(len(states), days_since_epoch(tomorrow), np.int32)
    learned = found.timeline(night.ds, tomorrow, ALL).of_pairs(states, np.arange(len(states)), *asked)
    np.testing.assert_allclose(learned, judged, rtol=1e-5, atol=1e-6)
    assert (judged > 0).any(axis=(0, 1))[[0, 2]].all()  # taken, of the own scenario and of others


def test_kinds_are_those_of_the_last_day_of_the_fit_and_lie_on_disk_once(night):
    days = days_of(night.config, night.ds)
    for fit in "ABC":
        part = find_fitted(night.models, fit, SMALL)["fine_tune"] / "kind-taken" / "cells.data.npy"
        made = night.models / FOLDER / days.until(fit).isoformat() / "_all" / "taken" / "cells.data.npy"
        assert part.samefile(made)


def test_the_next_night_continues_such_a_fit(night):
    later = night_on(night.config, night.ds + dt.timedelta(days=1))
    PRETRAIN.run(later)
    folder = find_fitted(later.models, "A", SOURCE)["target_only"]
    assert read_meta(folder)["continued"]
    assert load_fitted(folder).networks.ranker.plain_associations.any()


def test_ranks_sum_to_the_gradient_of_one(lake, tmp_path):
    kit = Kit(tmp_path, lake, last_day(lake.config, DAYS))
    timeline = finder(lake, kit.until, tmp_path / "models").timeline(lake.config.data.reader.first_day, kit.until, ALL)

    def gradient(rank, world):
        plain = kit.objective(kit.networks(), "ranker", rank=rank, world=world)
        objective = Ranking(plain.network, replace(plain.loader, associated=timeline), 3)
        loop = kit.loop(objective, ranks=Part(rank))
        loop._update(*objective.loss(next(iter(objective.loader.epoch(0))), 0), 0, 0)
        return loop.ranks.sent[0]

    whole, halves = gradient(0, 1), gradient(0, 2) + gradient(1, 2)
    np.testing.assert_allclose(halves.numpy(), whole.numpy(), rtol=1e-4, atol=1e-4)


PAIRS, EACH, PAIR_DAYS = 40, 6, 24


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Whoever takes thing n at home takes its fellow in the other scenario days later; few take each."""
    root = tmp_path_factory.mktemp("pairs")
    config = tiny_config(root, *ON, "ranker.dropout=0", "ranker.dim=16")
    draw, events = np.random.default_rng(0), []
    for user in range(PAIRS * EACH):
        number, first = user % PAIRS, int(draw.integers(0, PAIR_DAYS - 4))
        late = user >= PAIRS * (EACH - 1)  # the last of each has not taken the fellow yet
        for item, scenario, day in ((f"home{number:02d}", SOURCE, first), (f"away{number:02d}", SMALL, first + 3)):
            if late and scenario == SMALL:
                continue
            date = config.data.reader.first_day + dt.timedelta(days=day)
            events.append(
                {
                    "example_id": f"e{user:03d}{item}", "ts": dt.datetime.combine(date, dt.time(12), dt.UTC),
                    "ds": date, "user_id": f"u{user:03d}", "item_id": item, "scenario": scenario,
                    "event_type": "purchase", "outcome": 1.0, "price": 1.0,
                }
            )  # fmt: skip
    events.sort(key=lambda row: (row["ts"], row["example_id"]))
    last = config.data.reader.first_day + dt.timedelta(days=PAIR_DAYS - 1)
    return Kit(root, lake_of(config, events, last), last)


def found_fellows(kit, config, timeline, associated):
    """The share of those who have not taken the fellow yet for whom the ranker puts it first."""
    kit.config = config
    networks = kit.networks()
    plain = kit.objective(networks, "ranker", scenario=SMALL)
    objective = Ranking(networks.ranker, replace(plain.loader, associated=timeline), 3)
    kit.loop(objective, epochs=16, rate=0.01).run(0, lambda epoch: None)
    rows = kit.lake.read("user_state").sort_by("user_id")
    users = np.array([int(name[1:]) for name in rows["user_id"].to_pylist()])
    late = np.flatnonzero(users >= PAIRS * (EACH - 1))
    away = [kit.assembler.vocabulary.id("item_id", f"away{number:02d}") for number in range(PAIRS)]
    catalogue = kit.assembler.catalogue(SMALL, np.array(away, np.int32), kit.until + dt.timedelta(days=1))
    states = kit.assembler.states(rows.take(pa.array(late)), SMALL)
    everything = np.tile(np.arange(PAIRS), (len(late), 1))
    chance = NetworkFitted(networks, False, associated).probability(states, catalogue, everything)
    wanted = np.searchsorted(catalogue.items, np.array(away)[users[late] % PAIRS])
    return (chance.argmax(axis=1) == wanted).mean()


def test_a_ranker_that_reads_associations_finds_what_ids_cannot_say(pairs, tmp_path):
    found = finder(pairs.lake, pairs.until, tmp_path)
    read = found.between(pairs.config.data.reader.first_day, pairs.until, ALL, Alone())
    off = pairs.config.model_copy(update={"ranker": pairs.config.ranker.model_copy(update={"associations": False})})
    reading = found_fellows(pairs, pairs.config, read.learning, read.tonight)
    by_ids = found_fellows(pairs, off, None, None)
    assert reading > 0.85
    assert by_ids < 0.4


def test_left_out_it_is_as_if_there_were_none(tmp_path):
    plain = tiny_config(tmp_path)
    beside = tiny_config(tmp_path, "associations={}", "ranker.candidates={}")
    read = tiny_config(tmp_path, *ON)
    assert recipe(beside) == recipe(plain) != recipe(read)
    assert recipe(read) != recipe(tiny_config(tmp_path, *ON, "associations.neighbours=7"))
    assert associating(plain) == associating(tiny_config(tmp_path, "associations={}")) == {}
    assert associating(beside) != associating(read)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["ranker.associations=true"], r"ranker.associations reads kinds of the section associations: add that"),
        (["ranker.candidates={}"], r"ranker.candidates reads kinds of the section associations: add that"),
        (["associations={}", "ranker.associations=[text]"], "ranker.associations: text is no kind; kinds: taken"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_what_to_do(overrides, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence):
        tiny_config(tmp_path, *overrides)
