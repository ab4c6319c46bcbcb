"""What embeddings of items keep where several modalities are read beside ids."""

import json

import numpy as np
import pytest
import torch
from tests.models.test_networks import SIZES, candidates, histories, losses

from landbridge.config.text import Adaptor
from landbridge.feed.whitening import Whitening
from landbridge.models.networks import NAMES, Networks
from landbridge.models.noise import Noise
from landbridge.models.sizes import Adapting, Sizes
from landbridge.models.whitened import Whitened

BOTH = Sizes(
    **{
        **vars(SIZES),
        "vectors": Adapting(6, 3, 0.4, (("image", 5),), 0.3),
        "rank_vectors": Adapting(0, 2, 0.4, (("image", 4),), 0.3),
    }
)
"""The retriever reads texts and images, the ranker images alone."""
WHOLE, NO_IMAGE, NO_TEXT, NOTHING, NEW = 3, 4, 5, 6, 30


def whitened(width, seed, lacking, items=40):
    white_IW = torch.randn(items, width, generator=torch.Generator().manual_seed(seed))
    white_IW[[0, *lacking]] = 0.0
    return Whitened(Whitening(np.zeros(9, np.float32), np.eye(9, width, dtype=np.float32)), white_IW.half())


def vectors(items=40, complete=False):
    lacking = {"text": [], "image": []} if complete else {"text": [NO_TEXT, NOTHING], "image": [NO_IMAGE, NOTHING]}
    return {
        "text": whitened(6, 1, lacking["text"], items),
        "image": whitened(5, 2, lacking["image"], items),
    }


@pytest.fixture
def networks():
    made = Networks.new(BOTH, seed=5)
    made.read(vectors())
    made.mark((torch.arange(40) > 0) & (torch.arange(40) < NEW))
    with torch.no_grad():
        for name in NAMES:
            for key, value in made.network(name).named_parameters():
                if key.endswith("missing"):
                    value += torch.randn(len(value), generator=torch.Generator().manual_seed(len(key)))
    return made


def said(items, name, ids):
    adaptor = items.adaptor[f"of_{name}"]
    return adaptor(items.vectors[name].of(torch.tensor(ids), adaptor.width))


def test_each_modality_adds_to_the_id_and_what_is_learned_stands_for_one_that_is_missing(networks):
    items = networks.retriever.item
    text, image = (said(items, name, [WHOLE, NO_IMAGE, NO_TEXT, NOTHING, NEW]) for name in ("text", "image"))
    no_text, no_image = (items.adaptor[f"of_{name}"].missing for name in ("text", "image"))
    own = items.table.weight
    wanted = [
        own[WHOLE] + text[0] + image[0],
        own[NO_IMAGE] + text[1] + no_image,
        own[NO_TEXT] + no_text + image[2],
        own[NOTHING] + no_text + no_image,
        text[4] + image[4],
    ]
    found = items(torch.tensor([WHOLE, NO_IMAGE, NO_TEXT, NOTHING, NEW]))
    torch.testing.assert_close(found, torch.stack(wanted))
    assert not torch.allclose(no_text, no_image)


def test_padding_and_an_id_of_tomorrow_lack_nothing_that_could_be_learned(networks):
    for items in (networks.retriever.item, networks.ranker.item):
        assert not items(torch.tensor([0, 99])).any()


def test_a_network_reads_the_modalities_it_names_alone(networks):
    changed = {**vectors(), "text": whitened(6, 9, [])}
    whole, (item, feature) = histories(), candidates(len(histories()))
    rows = torch.arange(len(whole))
    with torch.no_grad():
        before = networks.ranker(whole, rows, item, feature), networks.retriever.items(item, feature)
        networks.read(changed)
        after = networks.ranker(whole, rows, item, feature), networks.retriever.items(item, feature)
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


def test_what_stands_for_a_missing_one_is_learned_although_all_have_all(networks):
    networks.read(vectors(complete=True))
    sum(loss.sum() for loss in losses(networks, None)).backward()
    assert not networks.retriever.item.adaptor["of_image"].missing.grad.any()
    for name in NAMES:
        networks.network(name).zero_grad()
    sum(loss.sum() for loss in losses(networks, Noise(histories().keys(), 1, 0, 0))).backward()
    silent = [
        name
        for network in NAMES
        for name, value in networks.network(network).named_parameters()
        if value.grad is None or not value.grad.abs().sum() > 0
    ]
    assert silent == []


def test_each_modality_of_an_item_is_hidden_by_itself(networks):
    items, ids = networks.retriever.item, torch.arange(7, 40)
    hidden = {name: [] for name in ("text", "image")}
    for step in range(200):
        noise = Noise(np.arange(3, dtype=np.uint64), 1, 2, step)
        for name, found in hidden.items():
            found.append(~items.shown(name, ids, noise))
    text, image = (torch.stack(found).float() for found in hidden.values())
    assert abs(text.mean() - 0.3) < 0.02
    assert abs(image.mean() - 0.3) < 0.02
    assert abs((text * image).mean() - 0.09) < 0.02
    assert not items.shown("image", torch.tensor([NO_IMAGE])).any()


def test_an_id_is_hidden_only_where_a_vector_is_shown(networks):
    items, ids = networks.retriever.item, torch.arange(1, NEW)
    for step in range(50):
        noise = Noise(np.arange(3, dtype=np.uint64), 1, 2, step)
        assert items.counted(ids, noise)[~items.known(ids, noise)].all()


def test_saved_copied_and_grown_networks_keep_their_modalities(networks, tmp_path):
    networks.save(tmp_path)
    assert {file.name for file in tmp_path.glob("vectors*")} == {"vectors.safetensors", "vectors-image.safetensors"}
    loaded, grown = Networks.load(tmp_path), networks.copy(Sizes(**{**vars(BOTH), "items": 50}), seed=5)
    assert loaded.sizes == BOTH
    ids = torch.tensor([WHOLE, NO_IMAGE, NO_TEXT, NOTHING, NEW])
    for name in NAMES:
        items = networks.network(name).item
        for other in (loaded, grown):
            assert torch.equal(other.network(name).item(ids), items(ids))
    grown.read(vectors(50))
    with torch.no_grad():
        assert grown.retriever.item(torch.tensor([45])).any()


def test_of_texts_alone_everything_is_called_as_before_there_were_others(tmp_path):
    sizes = Sizes(**{**vars(SIZES), "vectors": Adapting(6, 3, 0.4), "rank_vectors": Adapting(4, 2, 0.4)})
    made = Networks.new(sizes, seed=5)
    made.read({"text": vectors()["text"]})
    made.save(tmp_path)
    assert json.loads((tmp_path / "sizes.json").read_text())["vectors"] == {
        "width": 6,
        "experts": 3,
        "id_dropout": 0.4,
    }
    assert {file.name for file in tmp_path.iterdir()} == {
        "sizes.json",
        "retriever.safetensors",
        "ranker.safetensors",
        "vectors.safetensors",
    }
    adaptors = {key for key in made.retriever.state_dict() if "adaptor" in key}
    assert adaptors == {f"item.adaptor.{key}" for key in ("experts.weight", "gate.weight", "gate.bias")}


def test_modalities_that_are_not_there_are_not_read():
    given = Adaptor(width=8, experts=2, of=["text", "image", "audio"])
    assert Adapting.of(given, {"text": 6}) == Adapting(6, 2, 0.2)
    assert Adapting.of(given, {"image": 6, "audio": 9}).widths == {"audio": 8, "image": 6}
    assert Adapting.of(given, {}) == Adapting()
