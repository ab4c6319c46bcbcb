"""The study of a pointwise task: what it fits on, what it keeps, sources and targets, the search."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from mlflow import MlflowClient
from sklearn.metrics import roc_auc_score
from tests.points import config_of, table_of

from landbridge.config.study import Tune
from landbridge.errors import ConfigError, DataError
from landbridge.study.examples import Examples
from landbridge.study.pointwise import PointStudy
from landbridge.study.protocol import ALL, Trial
from landbridge.study.store import Store
from landbridge.study.study import matrix, study, tracked
from landbridge.study.tune import tune
from landbridge.tracking.server import address

NAMES = ("constant", "logistic", "logistic_joint", "trees_pooling")
RUNS = Path(tempfile.mkdtemp(prefix="landbridge-runs-")) / "mlflow.db"
"""One store for all tests here: making one takes seconds."""


def quiet(line):
    pass


@pytest.fixture(scope="module", autouse=True)
def _store():
    yield
    shutil.rmtree(RUNS.parent)


def study_of(tmp_path, *overrides, folds=3, rows=900):
    names = f"study.contenders=[{','.join(NAMES)}]"
    config = config_of(f"root={tmp_path}", f"tracking.uri=sqlite:///{RUNS}", names, *overrides)
    return PointStudy(config, Examples.of(table_of(rows, folds=folds), "rows"))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    protocol = study_of(folder, "pointwise.contenders.trees.iterations=8")
    return folder, protocol, study(protocol, None, [0, 1], folder, quiet)


def test_every_labelled_row_is_judged_once_by_a_fit_that_did_not_see_it(done):
    folder, protocol, _ = done
    rows = pa.concat_tables([pq.read_table(file) for file in sorted((folder / "scores").glob("logistic.0.*"))])
    assert sorted(rows["example_id"].to_pylist()) == protocol.examples.table["example_id"].to_pylist()
    for fold in protocol.parts:
        material = protocol.material(fold, holds_out=False)
        assert set(material.test.part_N) == {fold}
        assert not set(material.rows.key_N.to_pylist()) & set(material.test.key_N.to_pylist())
        assert len(material.rows) + len(material.test) == protocol.examples.table.num_rows


@pytest.mark.parametrize(("judge", "holds_out"), [("test", True), ("validation", False), ("validation", True)])
def test_what_is_held_out_is_neither_learned_from_nor_judged(tmp_path, judge, holds_out):
    protocol = study_of(tmp_path, folds=4)
    protocol.judge = judge
    material = protocol.material("0", holds_out)
    learned, judged = set(material.rows.part_N), set(material.test.part_N)
    held = set() if material.held_out is None else set(material.held_out.part_N)
    assert not learned & judged
    assert not held & (learned | judged)
    assert bool(held) is holds_out
    assert judged == ({"0"} if judge == "test" else {"1"})
    if judge == "validation":
        assert "0" not in learned | judged | held, "a search touched the test's rows"


def test_declared_parts_are_what_they_are_called(tmp_path):
    config = config_of(f"root={tmp_path}")
    material = PointStudy(config, Examples.of(table_of(), "rows")).material("test", holds_out=False)
    assert set(material.rows.part_N) == {"train"}
    assert set(material.held_out.part_N) == {"validation"}
    assert set(material.test.part_N) == {"test"}


def test_the_table_is_the_librarys_auc_of_the_kept_scores(done):
    folder, _, table = done
    for row in table:
        rows = pa.concat_tables([pq.read_table(f) for f in sorted((folder / "scores").glob(f"{row.contender}.0.*"))])
        own = rows if row.scenario == ALL else rows.filter(pc.equal(rows["scenario"], row.scenario))
        assert row.value == pytest.approx(roc_auc_score(own["label"].to_numpy(), own["score"].to_numpy()))
        assert row.rows == own.num_rows
        assert row.seeds == 1
    assert {row.contender for row in table} == set(NAMES)


def test_rows_without_a_label_are_left_out_and_other_parts_are_refused():
    table = table_of(60)
    blind = table.set_column(4, "label", pa.array([None, *table["label"].to_pylist()[1:]], pa.float64()))
    assert Examples.of(blind, "rows").table.num_rows == 59
    strange = table.set_column(6, "part", pa.array(["train"] * 59 + ["exam"]))
    with pytest.raises(DataError, match="exam"):
        Examples.of(strange, "rows")


def test_what_a_trial_depends_on_is_in_its_fingerprint(tmp_path):
    def of(name, *overrides):
        return study_of(tmp_path, *overrides).fingerprint(Trial(name, 0, "0"))

    assert of("trees") != of("trees", "pointwise.contenders.trees.leaves=7")
    assert of("logistic") == of("logistic", "pointwise.contenders.trees.leaves=7")
    assert of("logistic") == of("logistic", "study.seeds=[4]")
    assert of("logistic") != of("logistic", "pointwise.numbers.age=income")


def test_a_smaller_network_stands_beside_its_teacher(tmp_path):
    groups = "{kinds: [shared], dim: 8, hidden: [16], tower: [8], epochs: 2, batch: 128}, "
    groups += "{suffix: small, kinds: [shared], distill: {teacher: shared}, dim: 4, hidden: [4], tower: [], epochs: 2}"
    protocol, said = study_of(tmp_path, "name=smaller", f"pointwise.contenders.networks=[{groups}]", folds=2), []
    study(protocol, ["shared", "shared_small"], [0, 1], tmp_path, said.append)
    (line,) = [one for one in said if one.startswith("shared_small in place of shared: ")]
    assert "rows a second of the processor against" in line
    assert sum("seed 1" in one and "; in place of shared: " in one for one in said) == 2
    kept = {name: Store(tmp_path).facts(Trial(name, 0, "0")) for name in ("shared", "shared_small")}
    assert kept["shared"].smaller is None
    assert kept["shared_small"].smaller["stands_for"] == "shared"
    file = Store(tmp_path).file(Trial("shared", 0, "0"))
    assert b"smaller" not in pq.read_schema(file).metadata[b"landbridge.trial"]
    said.clear()
    study(protocol, ["shared", "shared_small"], [0, 1], tmp_path, said.append)
    assert line in said, "what was measured is told again, not measured again"


def test_slices_tell_known_from_unknown(done):
    folder, _, _ = done
    text = (folder / "metrics" / "logistic.0.csv").read_text()
    assert "logistic,0,*,*,auc," in text
    assert ",user not shared,log_loss," in text
    assert ",small,*,gauc," in text


def test_the_runs_are_in_mlflow_under_one_parent(done):
    _, protocol, _ = done
    client = MlflowClient(tracking_uri=address(protocol.config))
    experiment = client.get_experiment_by_name(protocol.config.name)
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run.info.run_id for run in runs if run.data.tags.get("landbridge.kind", "").startswith("study ")]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent]
    assert {file.path for file in client.list_artifacts(parent)} == {
        *("table.csv", "table.png", "over_constant.csv", "over_constant.png"),
    }
    assert {run.info.run_name for run in children} == {f"{name}, seed 0" for name in NAMES}
    assert all(run.data.metrics["all/auc"] > 0.4 for run in children)
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_a_source_that_is_alike_helps_and_a_contrary_one_does_harm(tmp_path):
    """Known answer: `friend` answers as the target does, `foe` the other way round; the target is small."""
    draw = np.random.default_rng(0)
    size = {"target": 240, "friend": 2000, "foe": 2000}
    scenario = np.repeat(list(size), list(size.values()))
    age = draw.normal(0, 1, len(scenario))
    colour = draw.integers(0, 30, len(scenario))
    logit = (age + 2 * np.sin(colour * 2.4)) * np.where(scenario == "foe", -1, 1)
    label = draw.random(len(scenario)) < 1 / (1 + np.exp(-logit))
    ids = [f"r{n}" for n in range(len(scenario))]
    table = pa.table(
        {"example_id": ids, "user_id": ids, "item_id": scenario, "scenario": scenario, "label": label.astype(float)}
        | {"value": label.astype(float), "part": draw.integers(0, 2, len(scenario)).astype(str), "age": age}
        | {"income": age, "colour": [f"c{n}" for n in colour], "shape": [""] * len(scenario)}
    )
    place = (f"root={tmp_path}", f"tracking.uri=sqlite:///{RUNS}", "transfer.source=friend")
    config = config_of(*place, "study.matrix=logistic_joint")
    rows = matrix(PointStudy(config, Examples.of(table, "rows")), None, [0], tmp_path, quiet)
    gain = {row.contender: row for row in rows if row.scenario == "target"}
    assert gain["friend"].difference > 0.02
    assert gain["friend"].p < 0.05
    assert gain["foe"].difference < -0.1
    assert "target" not in gain
    assert (tmp_path / "matrix_logistic_joint.png").exists()


def test_only_what_crosses_has_sources(tmp_path):
    with pytest.raises(ConfigError, match="does not learn from other scenarios"):
        study_of(tmp_path).matrix("logistic")


def search_of(tmp_path, **tuned):
    keys = "{pointwise.contenders.logistic.inverse_penalty: {low: 0.0001, high: 10.0, log: true}}"
    given = {"contender": "logistic_joint", "trials": 4, "keys": keys} | tuned
    plain = study_of(tmp_path)
    # Set whole: what --set says is merged into the keys that the configuration searches.
    searched = Tune.model_validate({**given, "keys": yaml.safe_load(given["keys"])})
    searching = plain.config.study.model_copy(update={"tune": searched})
    protocol = PointStudy(plain.config.model_copy(update={"study": searching}), plain.examples)
    lines = []
    with tracked(protocol.config, "tune", quiet) as tracker:
        best = tune(protocol, tmp_path, lines.append, tracker)
    return best, lines, protocol


def test_a_search_finds_what_validation_rows_like_and_goes_on_where_it_stopped(tmp_path):
    _, lines, _ = search_of(tmp_path, trials=2)
    assert sum(line.startswith("[") for line in lines) == 2
    best, lines, _ = search_of(tmp_path, trials=5)
    assert [line[:5] for line in lines if line.startswith("[")] == ["[3/5]", "[4/5]", "[5/5]"]
    found = [float(line.split(" auc ")[1][:6]) for line in lines if line.startswith("[")]
    assert float(lines[3].split(" has auc ")[1][:6]) >= max(found)
    assert 0.0001 <= best["pointwise.contenders.logistic.inverse_penalty"] <= 10
    assert lines[-4:-1] == ["pointwise:", "  contenders:", "    logistic:"]


def test_a_search_of_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not a key"):
        search_of(tmp_path, keys="{pointwise.leaf: {choices: [1]}}")
    with pytest.raises(ConfigError, match="declare what is searched"):
        search_of(tmp_path, keys="{}")
    with pytest.raises(ConfigError, match="is none of"):
        search_of(tmp_path, contender="oracle")
