"""The step adapt in a shop: what it leaves, what encode makes of it, and what happens when it cannot."""

from __future__ import annotations

import datetime as dt
import json

import mlflow
import numpy as np
import pytest
from tests.adapt.titles import ALWAYS, LATE, SMALL, TITLES
from tests.logs import day

from landbridge.adapt.job import TuneJob
from landbridge.adapt.step import ADAPT, write_pairs
from landbridge.config.days import days_of
from landbridge.encode.encoder import find
from landbridge.encode.step import ENCODE
from landbridge.encode.tuned import newest
from landbridge.feed.pairs import Pairs
from landbridge.feed.vectors import revision_for, tuned_of, vectors_of
from landbridge.feed.vocabulary import Vocabulary
from landbridge.step import Night
from landbridge.tracking.encoders import REVISION, name_of
from landbridge.tracking.run import Tracker
from landbridge.tracking.server import client_of

NIGHT = day(6)
UNTIL = day(2)
"""The last day that fit A knows: the shop judges on three days and a fourth."""


def tracked(shop, ds=NIGHT) -> Night:
    night = shop.night(ds)
    night.run_id = Tracker.open(night.config, ds, night.say).run_id
    return night


def by_revision(shop):
    found = {}
    for row in shop.rows("item_vectors"):
        found.setdefault(row["revision"], {})[row["item_id"]] = np.array(row["vector"], "f4")
    return found


def test_a_night_tunes_registers_and_keeps_both_vectors_and_the_next_encodes_nothing(shop):
    assert days_of(shop.config, NIGHT).train_until == UNTIL
    base = find(shop.config.encode).revision
    shop.run(NIGHT, ENCODE)
    before = by_revision(shop)
    assert set(before) == {base}
    night = tracked(shop)
    outcome = ADAPT.run(night)
    tuned = newest(shop.config, base, UNTIL).tuned
    assert tuned.until == UNTIL
    assert outcome.notes["tuned"] == tuned.note
    assert outcome.metrics["mrr"] > outcome.metrics["mrr_before"]
    assert any("recall@10 of held-out users" in line for line in shop.said)
    assert not (night.models / "encoder").exists()

    version = client_of(shop.config).get_model_version(name_of(shop.config), outcome.notes["version"])
    assert version.tags[REVISION] == tuned.revision
    assert version.tags["landbridge.until"] == UNTIL.isoformat()
    assert ADAPT.run(night).notes["version"] == str(version.version)  # nothing is tuned or registered again

    shop.run(NIGHT, ENCODE)
    vectors = by_revision(shop)
    assert set(vectors) == {base, tuned.revision}
    assert set(vectors[tuned.revision]) == set(vectors[base])
    for item, vector in before[base].items():
        np.testing.assert_array_equal(vectors[base][item], vector)
        assert not np.allclose(vectors[tuned.revision][item], vector, atol=1e-3)
    table = shop.lake.version("item_vectors")
    assert shop.run(NIGHT, ENCODE).notes["encoded_tuned"] == 0
    assert shop.lake.version("item_vectors") == table
    _nobody_reads_what_he_may_not_know(shop, base, tuned)
    _off_again_the_vectors_are_those_of_the_encoder_as_it_came(shop, base)


def _nobody_reads_what_he_may_not_know(shop, base, tuned):
    """An earlier fit, and one that learns from a scenario alone, get the vectors of the encoder as it came."""
    lake = shop.lake
    assert tuned_of(lake) == tuned
    days = days_of(shop.config, NIGHT)
    assert [revision_for(lake, days.until(fit)) for fit in "ABC"] == [tuned.revision] * 3
    assert revision_for(lake, UNTIL - dt.timedelta(days=1)) == base
    assert revision_for(lake, None) == base
    vocabulary, read = Vocabulary.load(lake), by_revision(shop)
    for until, revision in ((UNTIL, tuned.revision), (UNTIL - dt.timedelta(days=1), base), (None, base)):
        found = vectors_of(lake, vocabulary, shop.config, until)
        names = vocabulary.decode("item_id", found.items).to_pylist()
        for name, vector in zip(names, found.vector_MD, strict=True):
            np.testing.assert_array_equal(vector, read[revision][name])
    earlier = days_of(shop.config, NIGHT - dt.timedelta(days=1)).train_until
    assert newest(shop.config, base, earlier) is None  # a night before this one, run anew, does not find it


def _off_again_the_vectors_are_those_of_the_encoder_as_it_came(shop, base):
    shop.with_config(*ALWAYS).run(NIGHT, ENCODE)
    assert tuned_of(shop.lake) is None
    assert revision_for(shop.lake, NIGHT) == base


def test_pairs_are_of_days_that_fit_a_knows(shop, tmp_path):
    """What is taken on the last day alone is in no pair; it would be, if the last day were known."""
    lake = shop.night(NIGHT).spark_lake()
    for until, expected in ((UNTIL, False), (NIGHT, True)):
        write_pairs(shop.night(NIGHT), lake, until, tmp_path / str(until))
        texts = {text for held in (True, False) for text in Pairs.read(tmp_path / str(until), held).texts}
        assert (LATE in texts) is expected
        assert texts <= {*TITLES, LATE}


def with_tune(shop, **changed):
    tune = f"encode.tune={json.dumps({**SMALL, **changed})}"
    return shop.with_config(*ALWAYS, tune)


def test_too_few_pairs_are_a_sentence_and_the_night_goes_on(shop):
    outcome = with_tune(shop, least_pairs=5000).run(NIGHT, ADAPT)
    assert "pairs of texts" in outcome.notes["left_out"][0]
    assert "least_pairs is 5,000" in outcome.notes["left_out"][0]
    shop.run(NIGHT, ENCODE)
    assert set(by_revision(shop)) == {find(shop.config.encode).revision}


def test_without_the_model_there_is_a_sentence(shop):
    shop.with_config(*ALWAYS, f"encode.tune={json.dumps(SMALL)}", "encode.model=package:nobody_has_this")
    assert "nobody_has_this cannot be imported" in shop.run(NIGHT, ADAPT).notes["left_out"][0]


def test_a_training_that_dies_is_a_sentence_and_the_base_vectors_are_written(shop, monkeypatch):
    """The process finds no such module, as one does that is killed: it ends with another code than 0."""
    monkeypatch.setattr(TuneJob, "worker", "landbridge.adapt.nobody")
    outcome = shop.run(NIGHT, ADAPT)
    assert "the training processes of adapt failed" in outcome.notes["left_out"][0]
    shop.run(NIGHT, ENCODE)
    assert set(by_revision(shop)) == {find(shop.config.encode).revision}
    assert tuned_of(shop.lake) is None


def test_a_tuned_encoder_that_is_damaged_is_left_out_and_said_so(shop):
    shop.run(NIGHT, ADAPT)
    base = find(shop.config.encode).revision
    tuning = newest(shop.config, base, UNTIL)
    (tuning.model / "model.safetensors").unlink()
    assert "the tuned encoder is left out" in shop.run(NIGHT, ENCODE).notes["left_out"][0]
    assert set(by_revision(shop)) == {base}
    assert tuned_of(shop.lake) is None


def test_without_tracking_it_is_said_that_nothing_is_registered(shop):
    outcome = shop.run(NIGHT, ADAPT)
    assert outcome.notes["version"] == ""
    assert "the tuned encoder is not registered: there is no tracking tonight" in shop.said


@pytest.fixture(autouse=True)
def _no_address_is_left():
    before = mlflow.get_tracking_uri()
    yield
    assert mlflow.get_tracking_uri() == before
