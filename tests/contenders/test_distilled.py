"""Smaller networks: what they are taught, what stands in for what, and what a study says of it."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score
from tests.contenders.test_network import CONFIG, HELD_OUT, SMALL, TEST, TRAIN
from tests.points import config_of

from landbridge.config.rankers import Distill, RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.distilled import Distilled, contenders
from landbridge.contenders.pointwise.network import PointNetwork
from landbridge.contenders.pointwise.network import contenders as networks
from landbridge.contenders.pointwise.simple import known_pointwise
from landbridge.errors import ConfigError
from landbridge.study.smaller import Smaller, sentence_of

VIEW = PointView(CONFIG, "*", TRAIN, HELD_OUT, 0)
TINY = SMALL.model_copy(update={"suffix": "small", "dim": 4, "hidden": [8], "tower": []})
GROUPS = (
    "pointwise.contenders.networks=[{kinds: [mmoe], dim: 8}, "
    "{suffix: small, kinds: [shared, star], dim: 4, distill: {teacher: TEACHER}}]"
)


def taught(weight, teacher=None):
    one = Distill(teacher="mmoe", weight=weight)
    student = PointNetwork("shared", "joint", TINY.model_copy(update={"distill": one}))
    return Distilled(student, teacher or PointNetwork("mmoe", "joint", SMALL), one)


def test_a_group_with_a_teacher_gives_students_and_its_networks_are_not_fitted_without_one():
    config = config_of(GROUPS.replace("TEACHER", "mmoe"))
    found = {one.name: one for one in contenders(config)}
    assert list(found) == ["shared_small", "star_small"]
    assert all(one.teacher.name == "mmoe" and one.crosses and one.pooled and one.seeded for one in found.values())
    assert [one.name for one in networks(config)] == ["mmoe"]
    assert set(found) < set(known_pointwise(config))
    assert contenders(config_of()) == []


def test_any_contender_that_is_fitted_once_teaches_and_its_needs_are_the_students():
    config = config_of(GROUPS.replace("TEACHER", "blend_across"))
    student, teacher = contenders(config)[0], known_pointwise(config)["blend_across"]
    assert student.holds_out == teacher.holds_out
    assert set(teacher.sections) | {"pointwise.contenders.networks"} <= set(student.sections)


@pytest.mark.parametrize(
    ("teacher", "said"), [("nobody", "is no contender"), ("logistic", "is fitted for each scenario by itself")]
)
def test_who_cannot_teach_is_refused_with_those_who_can(teacher, said):
    with pytest.raises(ConfigError, match=f"{teacher} {said}.*teachers: .*mmoe"):
        contenders(config_of(GROUPS.replace("TEACHER", teacher)))


def test_a_student_needs_a_name_of_its_own():
    with pytest.raises(ConfigError, match="mmoe is there already without a teacher"):
        contenders(
            config_of("pointwise.contenders.networks=[{kinds: [mmoe]}, {kinds: [mmoe], distill: {teacher: mmoe}}]")
        )


@pytest.mark.parametrize("change", [{"strategies": ["target_only"]}, {"kinds": ["single"]}, {"pooling": 0.5}])
def test_a_teacher_of_networks_of_one_scenario_is_refused(change):
    given = {"kinds": ["shared"], "distill": {"teacher": "mmoe"}, **change}
    with pytest.raises(ValidationError, match="mmoe teaches networks of all scenarios at once"):
        RankerSettings(**given)


def test_with_weight_0_a_student_learns_the_labels_alone_and_with_1_the_teacher_alone():
    plain = PointNetwork("shared", "joint", TINY).fit(VIEW).probability(TEST)
    np.testing.assert_array_equal(taught(0.0).fit(VIEW).probability(TEST), plain)
    assert not np.array_equal(taught(0.5).fit(VIEW).probability(TEST), plain)
    turned = replace(VIEW, rows=replace(TRAIN, label_N=1 - TRAIN.label_N))

    class Fixed:
        """A teacher that says the same whatever the labels are."""

        name, holds_out, reads_text, sections = "fixed", False, False, ()
        fit = staticmethod(lambda view: PointNetwork("mmoe", "joint", SMALL).fit(VIEW))

    first, second = (
        taught(1.0, Fixed()).fit(replace(view, held_out=None)).probability(TEST) for view in (VIEW, turned)
    )
    np.testing.assert_array_equal(first, second)


def test_a_student_says_what_its_teacher_says_and_is_saved_without_it(tmp_path):
    fitted = taught(1.0).fit(VIEW)
    name, teacher = fitted.stands_for
    assert name == "mmoe"
    alone = PointNetwork("shared", "joint", TINY).fit(VIEW).probability(TEST)
    away, taught_away = (np.abs(one - teacher.probability(TEST)).mean() for one in (alone, fitted.probability(TEST)))
    assert taught_away < away
    fitted.save(tmp_path)
    loaded = type(fitted).load(tmp_path)
    assert loaded.stands_for is None
    np.testing.assert_array_equal(loaded.probability(TEST), fitted.probability(TEST))


def test_8_bits_are_a_quarter_of_the_file_and_next_to_the_same_scores(tmp_path):
    fitted = PointNetwork("mmoe", "joint", SMALL.model_copy(update={"int8": True, "suffix": "int8"})).fit(VIEW)
    name, whole = fitted.stands_for
    assert name == "mmoe_int8 in 32 bits"
    np.testing.assert_allclose(fitted.probability(TEST), whole.probability(TEST), atol=0.02)
    for place, one in (("less", fitted), ("whole", whole)):
        (tmp_path / place).mkdir()
        one.save(tmp_path / place)
    sizes = [(tmp_path / place / "ranker.safetensors").stat().st_size for place in ("less", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    loaded = type(fitted).load(tmp_path / "less")
    assert loaded.int8
    np.testing.assert_array_equal(loaded.probability(TEST), fitted.probability(TEST))


def test_what_is_not_asked_for_leaves_files_as_they_were(tmp_path):
    PointNetwork("mmoe", "joint", SMALL).fit(VIEW).save(tmp_path)
    assert '"int8"' not in (tmp_path / "network.json").read_text()


def test_what_a_smaller_one_costs_and_saves_is_measured_beside_the_other():
    fitted = taught(0.5).fit(VIEW)
    found = Smaller.of(fitted, TEST)
    teacher = fitted.stands_for[1]
    aucs = [roc_auc_score(TEST.label_N, one.probability(TEST)) for one in (fitted, teacher)]
    assert found.difference == pytest.approx(aucs[0] - aucs[1], abs=1e-6)
    assert found.rate > 0
    assert 0 < found.size < found.other_size
    assert 0 < found.error < 0.1
    assert Smaller.of(teacher, TEST) is None
    assert Smaller.of(fitted, TEST.take(TEST.label_N > 0)) is None
    assert Smaller(**found.to_json()) == found


def test_trials_of_several_seeds_are_told_together():
    one = Smaller("mmoe", 300.0, 100.0, 2_000_000, 8_000_000, -0.001, 0.0)
    two = replace(one, rate=500.0, difference=-0.003)
    told = sentence_of([one.to_json(), two.to_json()])
    assert told.startswith("in place of mmoe: 400 rows a second of the processor against 100 (4.0 times as many)")
    assert "2.00 MB against 8.00, auc -0.0020 [-0.0040, -0.0000]" in told
    assert "[-0.0010, -0.0010]" in sentence_of([one.to_json()])
