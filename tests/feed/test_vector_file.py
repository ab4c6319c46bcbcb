"""Vectors on their way to the ranks: whitened on training items, half precision, one file for all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import tiny_config, tiny_lake
from tests.texts import encoded

from landbridge.feed.vector_file import VectorFile
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.whitening import Whitening

WIDTH = 6


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A lake of 60 items of which every third has a vector, of two revisions; the second ran last."""
    root = tmp_path_factory.mktemp("texts")
    lake = tiny_lake(root, tiny_config(root, "encode={text: title}"), users=30)
    vocabulary = Vocabulary.load(lake)
    names = vocabulary.values("item_id").to_pylist()[::3]
    vector = np.random.default_rng(0).standard_normal((len(names), WIDTH)).astype(np.float32)
    encoded(lake, dict(zip([*names, "nobody"], -vector[[*range(len(names)), 0]], strict=True)), "first")
    encoded(lake, dict(zip([*names, "nobody"], vector[[*range(len(names)), 0]], strict=True)), "second")
    return lake, vocabulary, vocabulary.encode("item_id", pa.array(names)), vector


def test_every_item_stands_at_its_id_with_the_revision_that_ran_last(texts, tmp_path):
    lake, vocabulary, ids, vector = texts
    made = VectorFile.write(lake, vocabulary, lake.config.encode.model, tmp_path / "vectors")
    stored = VectorFile.open(tmp_path / "vectors")
    assert stored.revision == made.revision == "second"
    assert (len(stored.vector_IV), stored.width) == (vocabulary.size("item_id"), WIDTH)
    np.testing.assert_allclose(stored.vector_IV[ids], vector, rtol=1e-3)
    rest = np.setdiff1d(np.arange(len(stored.vector_IV)), ids)
    assert not stored.vector_IV[rest].any()
    assert len(stored.of(np.array([int(ids[1]), int(rest[1])], np.int32))) == 1


def test_without_a_vector_there_is_no_folder_and_an_old_one_goes(texts, tmp_path):
    lake, vocabulary = texts[:2]
    VectorFile.write(lake, vocabulary, lake.config.encode.model, tmp_path / "vectors")
    assert VectorFile.write(lake, vocabulary, "package:another", tmp_path / "vectors") is None
    assert VectorFile.open(tmp_path / "vectors") is None
    assert list(tmp_path.iterdir()) == []


def test_white_vectors_are_made_once_and_mapped(texts, tmp_path):
    lake, vocabulary, ids, _ = texts
    stored = VectorFile.write(lake, vocabulary, lake.config.encode.model, tmp_path / "vectors")
    whitening = Whitening.fit(stored.of(ids), 4)
    first = stored.whitened(whitening)
    files = {file.name: file.stat().st_mtime_ns for file in stored.folder.iterdir()}
    second = stored.whitened(whitening)
    assert {file.name: file.stat().st_mtime_ns for file in stored.folder.iterdir()} == files
    assert len(files) == 3
    assert isinstance(second, np.memmap)
    second[:] = 0  # as a rank would by mistake
    np.testing.assert_array_equal(stored.whitened(whitening), first)
    np.testing.assert_allclose(np.linalg.norm(first[ids].astype(float), axis=1), 1.0, atol=2e-3)
    assert not np.delete(first, ids, axis=0).any()


def test_whitening_knows_its_training_items_alone_and_keeps_what_differs_most():
    rng = np.random.default_rng(1)
    spread = np.array([5.0, 0.1, 3.0, 0.01, 1.0, 0.2])
    train = (7.0 + rng.standard_normal((500, WIDTH)) * spread).astype(np.float16)
    whitening = Whitening.fit(train, 3)
    raw = (train.astype(np.float32) - whitening.mean_V) @ whitening.turn_VW
    np.testing.assert_allclose(raw.mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(raw.std(0), 1.0, atol=0.05)
    assert np.abs(whitening.turn_VW).argmax(0).tolist() == [0, 2, 4]


def test_of_one_vector_nothing_is_learned():
    whitening = Whitening.fit(np.ones((1, WIDTH), np.float16), 4)
    assert np.isfinite(whitening(np.ones((2, WIDTH), np.float16))).all()
