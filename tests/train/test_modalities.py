"""Networks that read images beside texts: what an image alone is worth to an item that nobody took."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.lakes import lake_of, tiny_config
from tests.texts import DAY, encoded
from tests.train.nights import night_on
from tests.train.test_loop import Kit
from tests.train.test_vectors import (
    DAYS,
    EPOCHS,
    NEW,
    TOPICS,
    WARM,
    WIDTH,
    append,
    asked,
    events_of,
    name_of,
    scored,
    vectors,
)

from landbridge.contenders.network import NetworkFitted
from landbridge.models.networks import NAMES, Networks
from landbridge.models.sizes import Sizes
from landbridge.train.lineage import recipe
from landbridge.train.ranks import Alone
from landbridge.train.vectors import give_vectors, mark_trained, revision, save_vectors, stored_of

READING = (
    "encode={text: title}",
    "modalities={image: {vector: image, width: 12}}",
    "retriever.vectors={width: 8, experts: 2, of: [text, image]}",
    "ranker.vectors={width: 8, experts: 2, of: [image]}",
    "retriever.epochs=8",
    "retriever.learning_rate=0.01",
    "retriever.dim=16",
)
BLIND = 1
"""Of each topic the warm item, and of the new ones the second, that have no image."""


def images():
    """The topic, of all but one warm and one new item of each."""
    lacking = {name_of(topic, item) for topic in range(TOPICS) for item in (BLIND, WARM + BLIND)}
    return {name: vector for name, vector in vectors().items() if name not in lacking}


def noise():
    """Texts that say nothing of the topic."""
    rng = np.random.default_rng(7)
    return {name: rng.standard_normal(5).astype(np.float32) for name in vectors()}


def joined(lake, image):
    """Append what the step encode would have joined."""
    one = {"encoder": "image", "revision": lake.config.modalities["image"].identity, "text_hash": "", "ds": DAY}
    append(lake, "item_vectors", [{**one, "item_id": name, "vector": list(map(float, image[name]))} for name in image])


class Reader(Kit):
    """A kit whose networks learn to read both; the vocabulary holds items that nobody took."""

    def __init__(self, root):
        config = tiny_config(root, *READING)
        ds = config.data.reader.first_day + dt.timedelta(days=DAYS - 1)
        lake = lake_of(config, events_of(config), ds)
        listed = [name_of(topic, WARM + new) for topic in range(TOPICS) for new in range(NEW)]
        first = TOPICS * WARM + 1
        rows = [{"field": "item_id", "value": name, "id": first + at, "since": ds} for at, name in enumerate(listed)]
        append(lake, "vocabulary", rows)
        encoded(lake, noise())
        joined(lake, images())
        super().__init__(root, lake, ds)
        self.said = []
        self.night = night_on(config, ds, self.said)
        save_vectors(self.config, self.night.lake, self.night.models, self.night.say)
        self.stored = stored_of(config, self.night.models)

    def learned(self):
        size = self.assembler.vocabulary.size
        features = self.assembler.n_user_features, self.assembler.n_item_features
        words = size("item_id"), size("scenario"), size("event_type")
        widths = {name: stored.width for name, stored in self.stored.items()}
        networks = Networks.new(Sizes.of(self.config, *words, *features, widths), 1)
        loader = self.objective(networks).loader
        sources = [(loader.shards, loader.distribution)]
        give_vectors(networks, self.stored, sources, self.assembler, True)
        mark_trained(networks, sources, Alone(), True)
        for name in NAMES:
            self.loop(self.objective(networks, name), epochs=EPOCHS[name], rate=0.01).run(0, lambda epoch: None)
        return NetworkFitted(networks, own_only=True)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return Reader(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def learned(reader):
    return reader.learned()


def new_items(reader):
    """Users, their topics, the catalogue, the topics of its items, and which of them are new with and without image."""
    states, topic_B, catalogue, topic_C, new_C = asked(reader.lake, reader.assembler)
    names = reader.assembler.vocabulary.decode("item_id", catalogue.items).to_pylist()
    seen_C = np.isin(names, list(images()))
    return states, topic_B, catalogue, topic_C, new_C & seen_C, new_C & ~seen_C


@pytest.mark.parametrize("network", EPOCHS)
def test_an_item_that_nobody_took_is_scored_by_its_image(reader, learned, network):
    states, topic_B, catalogue, topic_C, seen_C, _ = new_items(reader)
    scores_BC = scored(learned, network, states, catalogue)
    best_B = np.where(seen_C, scores_BC, -np.inf).argmax(1)
    assert (topic_C[best_B] == topic_B).mean() > 0.8  # the texts, which say nothing, distract; chance is 0.25


def test_items_of_which_nothing_is_known_are_alike_and_none_is_lost(reader, learned):
    """The ranker reads images alone: new items without one differ in nothing."""
    states, _, catalogue, _, seen_C, blind_C = new_items(reader)
    logit_BC = scored(learned, "ranker", states, catalogue)
    assert blind_C.sum() == TOPICS
    assert np.isfinite(logit_BC).all()
    np.testing.assert_allclose(logit_BC[:, blind_C], logit_BC[:, blind_C][:, :1].repeat(TOPICS, 1), atol=1e-5)
    assert logit_BC[:, seen_C].std(1).mean() > 10 * logit_BC[:, blind_C].std(1).mean()


def test_what_stands_for_a_missing_image_has_been_learned(learned):
    for name in NAMES:
        assert learned.networks.network(name).item.adaptor["of_image"].missing.abs().sum() > 0


def test_each_modality_is_whitened_by_the_training_items_that_have_it(learned, reader):
    read = learned.networks.vectors
    assert {name: vectors.whitening.turn_VW.shape for name, vectors in read.items()} == {
        "text": (5, 5),
        "image": (WIDTH, 8),
    }
    ids = reader.assembler.vocabulary.encode("item_id", pa.array([name_of(0, BLIND), name_of(0, 0)]))
    assert read["image"].knows(torch.from_numpy(ids.astype(np.int64))).tolist() == [False, True]


def test_the_revision_names_every_modality_and_texts_alone_keep_theirs(reader):
    identity = reader.config.modalities["image"].identity
    assert reader.said == []
    assert revision(reader.stored) == f"image={identity} text=first"
    assert revision({"text": reader.stored["text"]}) == "first"
    assert revision({}) is None


def test_without_images_the_networks_are_those_of_texts_and_it_is_said(reader, tmp_path):
    other = tiny_config(reader.root, *READING, "modalities.image.width=7", f"work={tmp_path}")
    night = night_on(other, reader.until, lines := [])
    save_vectors(night.config, night.lake, night.models, night.say)
    assert lines == ["  no item has a vector of image, so the networks are fitted without it"]
    stored = stored_of(other, night.models)
    assert list(stored) == ["text"]
    sizes = Sizes.of(other, 9, 3, 2, 4, 6, {"text": stored["text"].width})
    assert (sizes.vectors.widths, sizes.rank_vectors.widths) == ({"text": 5}, {})


def test_what_is_read_is_of_the_recipe_and_texts_alone_change_none(tmp_path):
    text, image = READING[0], READING[1]
    plain = recipe(tiny_config(tmp_path, text, "retriever.vectors={}"))
    assert recipe(tiny_config(tmp_path, text, image, "retriever.vectors={of: [text], modality_dropout: 0.5}")) == plain
    both = [f"retriever.vectors={{of: [text, image], modality_dropout: {share}}}" for share in (0.1, 0.5)]
    assert len({plain, *(recipe(tiny_config(tmp_path, text, image, one)) for one in both)}) == 3
