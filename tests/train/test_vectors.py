"""Networks that read vectors: what an item without events is worth, what ranks share, and what continues."""

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import scipy.special
import torch
from tests.lakes import SMALL, SOURCE, lake_of, last_day, tiny_config, tiny_lake
from tests.texts import encoded, told
from tests.train.nights import night_on
from tests.train.test_loop import Kit, Part
from tests.train.together import together

from landbridge.contenders.folder import find_fitted, fit_folder, load_fitted, read_meta
from landbridge.contenders.network import NetworkFitted
from landbridge.feed.vector_file import VectorFile
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.arrow import arrow_schema
from landbridge.models.networks import NAMES, Networks
from landbridge.models.sizes import Sizes
from landbridge.train.lineage import predecessor, recipe
from landbridge.train.ranks import Alone
from landbridge.train.step import FINETUNE, PRETRAIN
from landbridge.train.vectors import FOLDER, give_vectors, mark_trained, revision, save_vectors, stored_of
from landbridge.transfer import STRATEGIES

CROSSING = [name for name, strategy in STRATEGIES.items() if strategy.crosses]
TOPICS, WARM, NEW, USERS, DAYS, WIDTH = 4, 8, 2, 120, 12, 12
EPOCHS = {"retriever": 10, "ranker": 16}
READING = (
    "encode={text: title}",
    "retriever.vectors={width: 8, experts: 2}",
    "ranker.vectors={width: 8, experts: 2}",
    "retriever.epochs=8",
    "retriever.learning_rate=0.01",
    "retriever.dim=16",
)


def events_of(config):
    """Every user takes items of one topic, one a day; nobody takes the last ones of a topic."""
    rng, rows = np.random.default_rng(0), []
    for user in range(USERS):
        for item in rng.permutation(WARM)[:5]:
            date = config.data.reader.first_day + dt.timedelta(days=int(rng.integers(DAYS)))
            moment = dt.datetime.combine(date, dt.time(int(rng.integers(8, 18))), dt.UTC)
            rows.append(
                {
                    "example_id": f"e{user:03d}{item}",
                    "ts": moment,
                    "ds": date,
                    "user_id": f"u{user:03d}",
                    "item_id": name_of(user % TOPICS, item),
                    "scenario": SMALL if user % 8 > 5 else SOURCE,
                    "event_type": "purchase",
                    "outcome": 1.0,
                    "price": 1.0,
                }
            )
    return sorted(rows, key=lambda row: (row["ts"], row["example_id"]))


def name_of(topic, item):
    return f"t{topic}i{item}"


def vectors():
    """All about the same way, as an encoder's; what is left says the topic."""
    rng = np.random.default_rng(1)
    common, topic = rng.standard_normal((WIDTH,)) * 5, rng.standard_normal((TOPICS, WIDTH))
    return {
        name_of(number, item): (common + topic[number] + 0.2 * rng.standard_normal(WIDTH)).astype(np.float32)
        for number in range(TOPICS)
        for item in range(WARM + NEW)
    }


def append(lake, table, rows):
    lake.append(table, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(table))), "tiny")


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    """A lake whose vocabulary holds items that nobody took, as a catalogue lists them; all have vectors."""
    root = tmp_path_factory.mktemp("topics")
    config = tiny_config(root, *READING)
    ds = config.data.reader.first_day + dt.timedelta(days=DAYS - 1)
    lake = lake_of(config, events_of(config), ds)
    listed = [name_of(topic, WARM + new) for topic in range(TOPICS) for new in range(NEW)]
    rows = [
        {"field": "item_id", "value": name, "id": TOPICS * WARM + 1 + place, "since": ds}
        for place, name in enumerate(listed)
    ]
    append(lake, "vocabulary", rows)
    encoded(lake, vectors())
    return Reader(root, lake, ds)


class Reader(Kit):
    """A kit whose networks read the vectors of the lake."""

    def __init__(self, root, lake, until):
        super().__init__(root, lake, until)
        self.stored = VectorFile.write(lake, self.assembler.vocabulary, lake.config.encode.model, root / "vectors")

    def networks(self, seed=1, mark=True):
        size = self.assembler.vocabulary.size
        features = self.assembler.n_user_features, self.assembler.n_item_features
        words = size("item_id"), size("scenario"), size("event_type")
        networks = Networks.new(Sizes.of(self.config, *words, *features, {"text": self.stored.width}), seed)
        sources = self.sources(networks)
        give_vectors(networks, {"text": self.stored}, sources, self.assembler, True)
        if mark:
            mark_trained(networks, sources, Alone(), True)
        return networks

    def sources(self, networks, rank=0, world=1):
        loader = self.objective(networks, rank=rank, world=world).loader
        return [(loader.shards, loader.distribution)]


@pytest.fixture(scope="module")
def learned(topics):
    """The networks after some epochs."""
    networks = topics.networks()
    for name in NAMES:
        topics.loop(topics.objective(networks, name), epochs=EPOCHS[name], rate=0.01).run(0, lambda epoch: None)
    return NetworkFitted(networks, own_only=True)


def asked(lake, assembler):
    """Users of the source, their topics, and the catalogue of all items with the topic of each."""
    rows = lake.read("user_state").sort_by("user_id")
    users = np.array([int(name[1:]) for name in rows["user_id"].to_pylist()])
    of_source = np.flatnonzero(users % 8 <= 5)
    ids = np.arange(1, assembler.vocabulary.size("item_id"), dtype=np.int32)
    names = assembler.vocabulary.decode("item_id", ids).to_pylist()
    states = assembler.states(rows.take(pa.array(of_source)), SOURCE)
    catalogue = assembler.catalogue(SOURCE, ids, lake.days("examples")[-1] + dt.timedelta(days=1))
    item = np.array([[int(name[1]), int(name[3:])] for name in names])
    return states, users[of_source] % TOPICS, catalogue, item[:, 0], item[:, 1] >= WARM


def scored(fitted, network, states, catalogue):
    """The scores BC of a network: the retriever's, or the ranker's log odds."""
    if network == "retriever":
        return fitted.score(states, catalogue)
    everything = np.tile(np.arange(len(catalogue.items)), (len(states), 1))
    return scipy.special.logit(fitted.probability(states, catalogue, everything))


@pytest.mark.parametrize("network", EPOCHS)
def test_an_item_that_nobody_took_is_scored_by_its_topic(topics, learned, network):
    states, topic_B, catalogue, topic_C, new_C = asked(topics.lake, topics.assembler)
    scores_BC = scored(learned, network, states, catalogue)
    other_BC = topic_B[:, None] != topic_C[None]
    best_B = np.where(new_C, scores_BC, -np.inf).argmax(1)
    assert (topic_C[best_B] == topic_B).mean() > 0.95
    least_B = np.where(~other_BC & new_C, scores_BC, np.inf).min(1)
    others_B = (scores_BC * (other_BC & ~new_C)).sum(1) / (other_BC & ~new_C).sum(1)
    assert (least_B > others_B).mean() > 0.95


@pytest.mark.parametrize("network", EPOCHS)
def test_new_items_that_exchange_their_vectors_exchange_their_scores(topics, learned, network):
    states, _, catalogue, topic_C, new_C = asked(topics.lake, topics.assembler)
    before = scored(learned, network, states, catalogue)
    place = [np.flatnonzero(new_C & (topic_C == topic))[0] for topic in (0, 1)]
    ids, read = catalogue.items[place], learned.networks.vectors
    white_IW = read["text"].white_IW.clone()
    white_IW[ids] = white_IW[ids[::-1].copy()]
    learned.networks.read({"text": replace(read["text"], white_IW=white_IW)})
    after = scored(learned, network, states, catalogue)
    learned.networks.read(read)
    np.testing.assert_allclose(after[:, place], before[:, place[::-1]], rtol=1e-5, atol=1e-5)
    assert not np.allclose(before[:, place[0]], before[:, place[1]])


def test_only_what_a_fit_has_met_counts_by_its_id(topics):
    seen = topics.networks().retriever.item.seen
    events = topics.lake.read("examples", columns=["item_id", "scenario"])
    own = events.filter(pc.equal(events["scenario"], SOURCE))["item_id"]
    wanted = np.unique(topics.assembler.vocabulary.encode("item_id", own))
    assert torch.nonzero(seen).squeeze(1).tolist() == wanted.tolist()


def test_ranks_agree_on_what_was_met_and_sum_to_the_gradient_of_one(topics):
    def met(ranks):
        networks = topics.networks(mark=False)
        mark_trained(networks, topics.sources(networks, ranks.rank, ranks.size), ranks, True)
        return networks.ranker.item.seen

    for seen in together(2, met):
        assert torch.equal(seen, topics.networks().ranker.item.seen)

    def gradient(rank, world, network):
        objective = topics.objective(topics.networks(), network, rank=rank, world=world)
        loop = topics.loop(objective, ranks=Part(rank))
        batch = next(iter(objective.loader.epoch(0)))
        loop._update(*objective.loss(batch, 0), 0, 0)
        return loop.ranks.sent[0]

    for network in NAMES:
        halves = gradient(0, 2, network) + gradient(1, 2, network)
        torch.testing.assert_close(halves, gradient(0, 1, network), rtol=1e-4, atol=1e-4)


def test_without_vectors_the_networks_are_those_of_tonight_and_it_is_said(topics, tmp_path):
    night = night_on(topics.config, topics.until, lines := [])
    told(topics.lake, "of which there are none")
    save_vectors(night.config, night.lake, night.models, night.say)
    told(topics.lake, "first")
    assert lines == ["  no text is encoded, so the networks are fitted without vectors of items"]
    assert VectorFile.open(night.models / FOLDER) is None
    plain = topics.config.model_copy(
        update={name: getattr(topics.config, name).model_copy(update={"vectors": None}) for name in NAMES}
    )
    some = {"text": WIDTH}
    sizes = [Sizes.of(config, 9, 3, 2, 4, 6, widths) for config, widths in ((topics.config, {}), (plain, some))]
    assert sizes[0] == sizes[1]
    assert sizes[0] != Sizes.of(topics.config, 9, 3, 2, 4, 6, some)


def test_vectors_of_another_encoder_begin_anew(topics, tmp_path):
    night = night_on(topics.config, topics.until)
    save_vectors(night.config, night.lake, night.models, night.say)
    assert revision(stored_of(night.config, night.models)) == "first"
    meta = {"recipe": recipe(topics.config), "until": "2010-12-01", "examples": 9, "continued": False}
    for vectors, continued in (("first", True), ("another", False), (None, False)):
        earlier = fit_folder(tmp_path / "2010-12-05", "A", SOURCE, "target_only")
        earlier.mkdir(parents=True, exist_ok=True)
        (earlier / "meta.json").write_text(json.dumps({**meta, "vectors": vectors}))
        found, why = predecessor(
            tmp_path / "2010-12-06", dt.date(2010, 12, 6), meta["recipe"], SOURCE, "target_only",
            dt.date(2010, 12, 2), revision(stored_of(night.config, night.models)),
        )  # fmt: skip
        assert (found is not None) is continued
        assert continued or "another encoder" in why


def test_what_is_encoded_is_of_the_recipe_where_networks_read_it(tmp_path):
    other = "encode={text: upper(title)}"
    assert recipe(tiny_config(tmp_path, other)) == recipe(tiny_config(tmp_path, READING[0]))
    assert recipe(tiny_config(tmp_path, *READING[1:], other)) != recipe(tiny_config(tmp_path, *READING))


@pytest.mark.system
def test_every_strategy_reads_vectors_over_three_nights(tmp_path):
    """The second night continues and a new item has come; on the third the encoder is another one."""
    config = tiny_config(tmp_path, *READING, f"transfer.strategies=[{', '.join(CROSSING)}]")
    lake, ds = tiny_lake(tmp_path, config), last_day(config, 30)
    rng = np.random.default_rng(3)
    names = [*Vocabulary.load(lake).values("item_id").to_pylist(), "new"]
    first, second, third = (night_on(config, ds + dt.timedelta(days=day), []) for day in range(3))
    encoded(lake, {name: rng.standard_normal(WIDTH) for name in names})
    for night in (first, second, third):
        if night is second:
            row = {"field": "item_id", "value": "new", "id": len(names), "since": ds}
            append(lake, "vocabulary", [row])
        if night is third:
            encoded(lake, {name: rng.standard_normal(WIDTH + 1) for name in names}, "another")
        PRETRAIN.run(night)
        FINETUNE.run(night)
        for scope, name in ((SOURCE, "target_only"), *((SMALL, name) for name in ("target_only", *CROSSING))):
            folder = find_fitted(night.models, "A", scope)[name]
            assert read_meta(folder)["vectors"] == revision(stored_of(night.config, night.models))
            assert read_meta(folder)["continued"] is (night is second)
            item = load_fitted(folder).networks.retriever.item
            assert item.adaptor.experts.weight.abs().sum() > 0
            if night is not first:
                assert not item.seen[len(names)]
                with torch.no_grad():
                    assert item(torch.tensor([len(names)])).any()
