"""The step encode: what is encoded, what is not again, and what happens without a model."""

from __future__ import annotations

import numpy as np
from tests.encode.titles import ON, TITLES, expected, vectors, write
from tests.logs import day

from landbridge.clean.step import CLEAN
from landbridge.encode.encoder import find
from landbridge.encode.step import ENCODE
from landbridge.featurize.step import FEATURIZE
from landbridge.feed.vectors import vectors_of
from landbridge.feed.vocabulary import Vocabulary


def test_every_item_has_the_vector_of_its_text(encoded):
    found = vectors(encoded)
    assert set(found) == set(TITLES)
    for item, title in TITLES.items():
        np.testing.assert_allclose(found[item], expected(title), atol=2e-5)


def test_a_second_run_encodes_nothing_and_one_changed_title_one(encoded):
    version, before = encoded.lake.version("item_vectors"), vectors(encoded)
    assert encoded.run(day(0), ENCODE).metrics["encoded"] == 0
    assert encoded.lake.version("item_vectors") == version
    write(encoded, 1, {**TITLES, "10001": "green mug"}.items())
    assert encoded.run(day(1), CLEAN, ENCODE).metrics["encoded"] == 1
    after = vectors(encoded)
    np.testing.assert_allclose(after["10001"], expected("green mug"), atol=2e-5)
    np.testing.assert_array_equal(after["10000"], before["10000"])


def test_of_several_descriptions_the_one_of_the_day_is_taken(encoded):
    write(encoded, 1, {**TITLES, "10001": "green mug"}.items())
    encoded.run(day(1), CLEAN)
    assert encoded.run(day(0), ENCODE).metrics["encoded"] == 0


def test_an_item_without_a_text_has_no_vector_and_noise_says_nothing(make_shop):
    shop = make_shop("noise", ON, "encode.most_characters=100")
    write(shop, 0, [("10000", ""), ("10001", "mug\x00\x07\ufeff  red"), ("10002", "a" * 5000), ("10003", "\x01\x02")])
    shop.run(day(0), CLEAN, ENCODE)
    assert set(vectors(shop)) == {"10001", "10002"}
    np.testing.assert_allclose(vectors(shop)["10001"], expected("mug red"), atol=2e-5)


def test_vectors_of_two_settings_stand_side_by_side(encoded):
    encoded.with_config(ON, "encode.pooling=cls").run(day(0), ENCODE)
    assert len({row["revision"] for row in encoded.rows("item_vectors")}) == 2
    assert len(encoded.rows("item_vectors")) == 2 * len(TITLES)


def test_without_the_model_the_night_goes_on_and_says_so(encoded):
    before = vectors(encoded)
    outcome = encoded.with_config(ON, "encode.model=package:nobody_has_this").run(day(0), ENCODE)
    assert "nobody_has_this cannot be imported" in outcome.notes["left_out"][0]
    assert "no texts are encoded" in encoded.said[-1]
    assert set(vectors(encoded)) == set(before)


def test_contenders_read_the_vectors_of_the_encoder_that_ran_last(encoded):
    encoded.run(day(0), FEATURIZE)
    cls, mean = (ON, "contenders.text={}", "encode.pooling=cls"), (ON, "contenders.text={}")
    assert vectors_of(encoded.lake, Vocabulary.load(encoded.lake), encoded.config) is None  # nobody reads them
    for overrides in (cls, mean):
        shop = encoded.with_config(*overrides)
        shop.run(day(0), ENCODE)
        vocabulary = Vocabulary.load(shop.lake)
        found = vectors_of(shop.lake, vocabulary, shop.config)
        assert vocabulary.decode("item_id", found.items).to_pylist() == sorted(TITLES, key=vocabulary_id(vocabulary))
        wanted = expected(TITLES["10000"], *overrides[2:])
        place = found.items.tolist().index(vocabulary.id("item_id", "10000"))
        np.testing.assert_allclose(found.vector_MD[place], wanted, atol=2e-5)


def test_the_step_knows_of_its_encoder(encoded):
    revision = find(encoded.config.encode).revision
    assert ENCODE.inputs(encoded.night(day(0))) == {"encoder": revision}
    other = encoded.with_config(ON, "encode.model=package:nobody_has_this")
    assert "cannot be imported" in ENCODE.inputs(other.night(day(0)))["encoder"]


def vocabulary_id(vocabulary):
    return lambda item: vocabulary.id("item_id", item)
