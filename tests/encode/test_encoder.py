"""The encoder: what a vector depends on, what it does not, and what is said where there is none."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from pydantic import ValidationError

from landbridge.config.text import Encode
from landbridge.encode.encoder import find, load
from landbridge.errors import EncoderError

TEXTS = ["kettle", "a blue kettle of enamelled steel for two litres", "Чайник", "茶壶", "🫖", "x" * 5000]


def settings(**changed):
    return Encode(text="title", **changed)


def vectors(texts, **changed):
    given = settings(**changed)
    return load(find(given), given).encode(texts)


def test_every_script_and_length_gets_a_vector_of_length_one():
    found = vectors(TEXTS)
    assert found.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_batch_mates_and_padding_do_not_change_a_vector(pooling):
    together = vectors(TEXTS, pooling=pooling)
    alone = np.concatenate([vectors([text], pooling=pooling) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-5)


def test_the_mean_is_what_the_model_was_published_with():
    """Sentence Transformers runs the same weights through its own code."""
    library = pytest.importorskip("sentence_transformers")
    theirs = library.SentenceTransformer(find(settings()).place, device="cpu").encode(TEXTS[:4])
    np.testing.assert_allclose(vectors(TEXTS[:4]), theirs, atol=1e-5)


def test_what_changes_a_vector_changes_the_revision():
    base = find(settings()).revision
    assert find(settings(batch=7, device="cpu")).revision == base
    for changed in ({"pooling": "cls"}, {"normalise": False}, {"most_tokens": 32}, {"dtype": "bfloat16"}):
        assert find(settings(**changed)).revision != base


def test_a_model_that_is_not_there_is_named_with_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(EncoderError, match=r"there is no model in .*config\.json"):
        find(settings(model=str(tmp_path)))
    with pytest.raises(
        EncoderError, match=r"the package nobody_has_this cannot be imported; install landbridge\[text\]"
    ):
        find(settings(model="package:nobody_has_this"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"cannot be loaded"):
        load(find(settings(model=str(tmp_path))), settings(model=str(tmp_path)))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EncoderError, match="transformers cannot be imported"):
        find(settings())


def test_a_name_of_the_hub_needs_its_commit():
    with pytest.raises(ValidationError, match=r"name the commit in encode\.revision"):
        settings(model="sentence-transformers/all-MiniLM-L6-v2")
