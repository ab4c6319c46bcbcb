"""A whole scenario left out: what is fitted, what is known of it, and that its neighbours answer for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.points import SCENARIOS, config_of, table_of

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.zero_shot import ZeroShotFitted
from landbridge.errors import ConfigError
from landbridge.study.examples import Examples
from landbridge.study.left_out import catalogue_of
from landbridge.study.pointwise import PointStudy
from landbridge.study.protocol import Trial

TRIAL = Trial("zero_shot", 0, "test")


def newcomers_of(table, *overrides):
    return PointStudy(config_of(*overrides), Examples.of(table, "rows")).left_out()


def worlds(rows=4000, seed=0):
    """Four scenarios with items of their own, of eight tags; a user likes some tags, whatever the scenario.

    `odd` and `strange` have other tags in their catalogues than `plain` and `common`.
    """
    draw = np.random.default_rng(seed)
    name_S = np.array(["plain", "common", "odd", "strange"])
    scenario, user = draw.integers(0, 4, rows), draw.integers(0, 100, rows)
    taste_UT, item = draw.normal(0, 1, (100, 8)), draw.integers(0, 60, rows)
    tag_SI = draw.integers(0, 4, (4, 60)) + 4 * (draw.random((4, 60)) < np.array([0.2, 0.2, 0.8, 0.8])[:, None])
    tag = tag_SI[scenario, item]
    logit = 2 * taste_UT[user, tag]
    label = (draw.random(rows) < 1 / (1 + np.exp(-logit))).astype(float)
    return pa.table(
        {
            "example_id": [f"r{number:05d}" for number in range(rows)],
            "user_id": [f"u{one}" for one in user],
            "item_id": [f"{name_S[s]}{one}" for s, one in zip(scenario, item, strict=True)],
            "scenario": name_S[scenario],
            "label": label,
            "value": label,
            "part": draw.choice(["train", "validation", "test"], rows, p=[0.8, 0.1, 0.1]),
            "age": draw.normal(0, 1, rows),
            "income": draw.normal(0, 1, rows),
            "colour": ["c"] * rows,
            "shape": ["s"] * rows,
            "tags": [[f"t{one}"] for one in tag],
        }
    )


def test_no_row_of_the_scenario_is_fitted_on_and_its_items_are_unknown():
    newcomers = newcomers_of(worlds(2000))
    for name in ("plain", "odd"):
        material = newcomers.material("test", False, name)
        assert name not in material.rows.scenarios + material.held_out.scenarios
        assert material.test.scenarios == [name]
        assert not material.test.item_N.any()
        assert material.test.user_N.any()


def test_answers_of_the_scenario_change_no_score_of_it():
    table = worlds(800)
    own = pc.equal(table["scenario"], "odd")
    turned = table
    for name in ("label", "value"):
        answer = pc.if_else(own, pc.subtract(1.0, table[name]), table[name])
        turned = turned.set_column(table.schema.get_field_index(name), name, answer)
    scores = [newcomers_of(one).run(TRIAL).rows for one in (table, turned)]
    scores = [one.filter(pc.equal(one["scenario"], "odd"))["score"] for one in scores]
    assert scores[0].equals(scores[1])


def test_tastes_cross_to_items_that_nobody_has_answered_for():
    """Known answer: only tags tell; biases know neither the user's taste nor the item."""
    newcomers = newcomers_of(worlds())
    names = ("biases_across", "zero_shot")
    biases, zero_shot = (newcomers.measured(newcomers.run(replace(TRIAL, contender=name)).rows) for name in names)
    assert set(zero_shot) == {"plain", "common", "odd", "strange"}
    for name, one in zero_shot.items():
        assert one.value > biases[name].value + 0.1


def test_the_nearest_catalogue_weighs_most():
    newcomers = newcomers_of(worlds(3000))
    material = newcomers.material("test", False, "odd")
    catalogue = catalogue_of(newcomers.base.examples.table, material.rows.coding)
    contender = newcomers.zero_shot("odd", catalogue)
    assert np.isnan(catalogue.label_N).all()
    fitted = contender.fit(PointView(newcomers.config, "*", material.rows, material.held_out, 0))
    assert sum(fitted.weights.values()) == pytest.approx(1)
    assert max(fitted.weights, key=fitted.weights.get) == "strange"
    even = replace(contender, sharpness=0.0).weights(material.rows)
    assert list(even.values()) == pytest.approx([1 / 3] * 3)


def test_zero_shot_is_saved_and_a_row_does_not_depend_on_its_batch_mates(tmp_path):
    newcomers = newcomers_of(table_of())
    material = newcomers.material("test", False, "small")
    catalogue = catalogue_of(newcomers.base.examples.table, material.rows.coding)
    contender = newcomers.zero_shot("small", catalogue)
    fitted = contender.fit(PointView(newcomers.config, "*", material.rows, material.held_out, 0))
    whole = fitted.probability(material.test)
    some = np.array([5, 0])
    np.testing.assert_allclose(fitted.probability(material.test.take(some)), whole[some], rtol=1e-5)
    assert fitted.probability(material.test.take(np.zeros(0, np.int64))).shape == (0,)
    fitted.save(tmp_path)
    np.testing.assert_allclose(ZeroShotFitted.load(tmp_path).probability(material.test), whole, rtol=1e-6)
    known = newcomers.base.material("test", False).rows
    assert "has rows of its own" in contender.left_out(PointView(newcomers.config, "*", known, None, 0))


def test_two_scenarios_are_too_few():
    table = table_of()
    with pytest.raises(ConfigError, match="it takes three"):
        newcomers_of(table.filter(pc.is_in(table["scenario"], pa.array(SCENARIOS[:2]))))


def test_another_sharpness_is_another_trial():
    one, other = (newcomers_of(table_of(), f"study.left_out.sharpness={value}") for value in (1, 2))
    assert one.fingerprint(TRIAL) != other.fingerprint(TRIAL)
    biases = replace(TRIAL, contender="biases_across")
    assert one.fingerprint(biases) == other.fingerprint(biases)
