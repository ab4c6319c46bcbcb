"""A pointwise night from its file to its page: all seven steps, scored once, skipped the second time."""

from __future__ import annotations

import copy
import datetime as dt
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession
from rich.console import Console, RenderableType
from tests.points import table_of
from tests.snapshots import DS, Snapshot

from landbridge.contenders.folder import find_fitted
from landbridge.contenders.point_bundle import build_points
from landbridge.errors import AuditError, ConfigError, DataError
from landbridge.pipeline.nightly import nightly
from landbridge.pipeline.rollback import rollback
from landbridge.pipeline.steps import NAMES, OPTIONAL
from landbridge.recommend.point_audit import audit_scores
from landbridge.report.point_diff import diff_points, moved_scores
from landbridge.report.point_show import show_points
from landbridge.report.summary import summary
from landbridge.tracking import registry
from landbridge.tracking.run import Tracker
from landbridge.tracking.server import address
from landbridge.train.points import PRETRAIN

HEAD = ["number", "user", "item", "kind", "answer", "age", "colour", "part"]
TREE: dict[str, Any] = {
    "name": "loans",
    "data": {
        "reader": {"path": "{folder}/loans.tsv.gz", "header": HEAD},
        "columns": {
            "scenario": {"type": "string", "sql": "kind"},
            "outcome": {"type": "double", "sql": "answer"},
            "number": {"type": "string", "sql": "number"},
            "age": {"type": "double", "sql": "age"},
            "colour": {"type": "string", "sql": "colour"},
        },
    },
    "pointwise": {
        "label": "if(number like '%9', null, outcome = 1)",
        "numbers": {"age": "age"},
        "categories": {"paint": "colour"},
        "contenders": {"trees": {"iterations": 8}},
    },
    "split": {"part": "crc32(number) % 5"},
    "scores": {
        "role": "case part when '4' then 'score' when '3' then 'test' when '2' then 'validation' else 'train' end",
        "subject": "concat('loan ', number)",
        "contenders": ["constant", "logistic", "trees_joint"],
    },
    "evaluate": {"resamples": 50},
    "guard": {"min_users": 20},
    "transfer": {"source": "big"},
    "train": {"launcher": "process", "processes": 1},
}


@dataclass
class Done:
    """The night, run twice."""

    log: Snapshot
    first: list[str]
    second: list[str] = field(default_factory=list)


def text_of(shown: RenderableType) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(shown)
    return console.export_text()


def lines() -> list[str]:
    names = ("example_id", "user_id", "item_id", "scenario", "label", "age", "colour")
    told = ([row[name] for name in names] for row in table_of(600).to_pylist())
    return ["\t".join("" if value is None else str(value) for value in [*one, "x"]) for one in told]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Done]:
    log = Snapshot(tmp_path_factory.mktemp("loans"), spark, TREE)
    log.put("loans.tsv.gz", "\t".join(HEAD), *lines())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("landbridge.session.start", lambda config, file: spark)
        first: list[str] = []
        nightly(log.config, DS, first.append)
        second: list[str] = []
        nightly(log.config, DS, second.append)
        yield Done(log, first, second)


def test_every_subject_without_a_label_is_scored_once(done: Done) -> None:
    subjects, scores = done.log.rows("subjects"), done.log.rows("scores")
    wanted = sorted(row["subject_id"] for row in subjects if row["role"] == "score")
    assert sorted(row["subject_id"] for row in scores) == wanted
    assert all(0 <= row["score"] <= 1 for row in scores)
    labels = {row["example_id"]: row["label"] for row in done.log.rows("examples")}
    roles = {row["example_id"]: row["role"] for row in subjects}
    assert all(roles[key] == "score" for key, label in labels.items() if label is None)
    assert any(roles[key] == "score" for key, label in labels.items() if label is not None)


def test_the_second_run_skips_everything(done: Done) -> None:
    assert [line for line in done.second if "skipped, done before" in line and line.startswith("[")] == done.second
    assert len(done.second) == len(NAMES) - len(OPTIONAL)  # without their sections there are no such steps


def test_predict_of_the_registered_champion_equals_the_table(done: Done) -> None:
    mlflow.set_tracking_uri(address(done.log.config))
    model = mlflow.pyfunc.load_model("models:/loans@champion")
    examples = done.log.lake.read("examples", columns=["example_id", "user_id", "item_id", "scenario", "age", "paint"])
    asked = {row["example_id"]: row["subject_id"] for row in done.log.rows("subjects") if row["role"] == "score"}
    frame = examples.to_pandas()
    frame = frame[frame["example_id"].isin(asked)].assign(subject_id=frame["example_id"].map(asked))
    said = model.predict(frame.drop(columns="example_id"))
    table = {(row["scenario"], row["subject_id"]): row for row in done.log.rows("scores")}
    assert len(said) == len(table)
    for row in said.to_dict("records"):
        one = table[row["scenario"], row["subject_id"]]
        assert row["score"] == pytest.approx(one["score"], abs=1e-7)
        assert row["contender"] == one["contender"]
    versions = {row["model_version"] for row in table.values()}
    assert versions == {"1"}
    assert "constant" in find_fitted(Path(done.log.config.root) / "models" / str(DS), "C", "small")


def test_the_page_and_the_summary_tell_what_is_published_and_why(done: Done) -> None:
    page = (Path(done.log.config.root) / "reports" / str(DS) / "report.html").read_text(encoding="utf-8")
    for said in ("Tonight's scores", "Subjects scored", "big", "PR-AUC", "validation rows"):
        assert said.replace("'", "&#39;") in page or said in page
    assert "Users with a list" not in page
    text = text_of(summary(done.log.night(DS), {"clean": 1.0}, {}))
    count = len(done.log.rows("scores"))
    assert f"{count} subjects have a score in 3 scenarios" in text
    assert "AUC, test" in text


def test_the_audit_stops_what_is_not_right(done: Done, spark: SparkSession) -> None:
    made = spark.createDataFrame(
        [("s", "a", 0.5), ("s", "a", 0.5), ("s", "b", float("nan")), ("s", "c", 1.5), ("s", "d", 0.1)],
        "scenario string, subject_id string, score double",
    )
    asked = spark.createDataFrame(
        [("s", "a"), ("s", "b"), ("s", "c"), ("s", "e"), ("s", "f"), ("s", "f")], "scenario string, subject_id string"
    )
    with pytest.raises(AuditError) as error:
        audit_scores(made, asked, DS)
    for said in (
        "1 subject(s) are asked about in several rows",
        "2 subject(s) have no score",
        "1 subject(s) have a score and are not to be scored",
        "1 subject(s) have more than one score",
        "1 subject(s) have a score that is no number",
        "1 subject(s) have a score below 0 or above 1",
    ):
        assert said in str(error.value)
    good = made.where("subject_id = 'd'")
    assert audit_scores(good, good, DS) == {"s": 1}


@pytest.fixture(scope="module")
def twin(done: Done, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A copy of the night, with a version 2 in which every scenario publishes its constant, and 3, which knows one."""
    log, root = copy.copy(done.log), tmp_path_factory.mktemp("twin") / "var"
    shutil.copytree(done.log.config.root, root)
    log.config = done.log.config.model_copy(update={"root": str(root)})
    night = replace(log.night(DS), run_id=Tracker.open(log.config, DS, print).run_id)
    for version, names in (("2", ("big", "middle", "small")), ("3", ("big",))):
        folder = night.models / version / "bundle"
        build_points(night.models, dict.fromkeys(names, "constant"), log.lake, DS, folder)
        assert registry.register(night, folder) == version
    return log


def test_an_earlier_version_is_published_again_for_one_scenario_or_for_all(done: Done, twin: Snapshot) -> None:
    first = {(row["scenario"], row["subject_id"]): row for row in done.log.rows("scores")}

    def back(version: str, scenario: str | None = None) -> tuple[str, dict[Any, Any]]:
        told = rollback(twin.config, version, scenario, lambda line: None)
        return told, {(row["scenario"], row["subject_id"]): row for row in twin.rows("scores")}

    told, rows = back("2", "small")
    assert set(rows) == set(first)
    small = {key for key in rows if key[0] == "small"}
    assert {rows[key]["contender"] for key in small} == {"constant"}
    assert len({rows[key]["score"] for key in small}) == 1
    assert all(rows[key] == first[key] for key in set(rows) - small)
    differ = sum(rows[key]["score"] != first[key]["score"] for key in small)
    assert told == (
        "models:/loans@champion is version 4: small as in version 2, the others unchanged; "
        f"{differ} of {len(small)} scores of small of {DS} differ from before"
    )
    again: list[str] = []
    nightly(twin.config, DS, again.append, ("recommend",))
    assert "it stands rolled back (small as in version 2), --from recommend publishes the night's own" in again[0]

    told, rows = back("2")
    assert {row["contender"] for row in rows.values()} == {"constant"}
    assert {row["model_version"] for row in rows.values()} == {"2"}
    with pytest.raises(AuditError, match=r"nothing is rolled back, .* middle: .* have no score"):
        back("3")
    assert {row["model_version"] for row in twin.rows("scores")} == {"2"}

    told, rows = back("1")
    assert {key: row["score"] for key, row in rows.items()} == {key: row["score"] for key, row in first.items()}
    assert {row["model_version"] for row in rows.values()} == {"1"}


def test_a_user_is_shown_with_his_answers_and_his_scores_and_no_answer_of_what_is_scored(done: Done) -> None:
    scores = {(row["scenario"], row["subject_id"]): row for row in done.log.rows("scores")}
    roles = {row["example_id"]: row for row in done.log.rows("subjects")}
    examples = done.log.rows("examples")
    user = next(row["user_id"] for row in examples if roles[row["example_id"]]["role"] == "score")
    own = [row for row in examples if row["user_id"] == user]
    asked = [roles[row["example_id"]] for row in own if roles[row["example_id"]]["role"] == "score"]
    text = text_of(show_points(done.log.lake, user, DS))
    assert f"{len(own) - len(asked)} rows with an answer, {len(asked)} scored" in text
    past, tonight = text.split("Scored, highest first")
    for row in asked:
        assert row["subject_id"] not in past
        line = next(line for line in tonight.splitlines() if line.startswith(row["subject_id"] + " "))
        assert f"{scores[row['scenario'], row['subject_id']]['score']:.4f}" in line
        assert "loans 1" in line
    answers = re.findall(r"^2020-01-01 .* ([01]) *$", past, re.M)
    assert len(answers) == len(own) - len(asked)
    with pytest.raises(DataError, match="the user 'nobody' has no row up to"):
        show_points(done.log.lake, "nobody", DS)


def test_two_nights_are_compared_by_their_scores(done: Done, twin: Snapshot) -> None:
    tomorrow = DS + dt.timedelta(days=1)
    today = twin.lake.read("scores", where=pc.field("ds") == DS)
    half = pc.multiply(today["score"], 0.5)
    later = today.set_column(today.column_names.index("score"), "score", half).slice(1)
    later = later.set_column(later.column_names.index("ds"), "ds", pa.array([tomorrow] * later.num_rows))
    twin.lake.replace_day("scores", later, tomorrow, "f")
    moved = moved_scores(twin.lake, DS, tomorrow)
    assert sum(one.before - one.both for one in moved.values()) == 1
    for scenario, one in moved.items():
        scored = today.filter(pc.equal(today["scenario"], scenario))["score"].to_numpy()
        assert one.before == len(scored)
        assert one.sum_before == pytest.approx(scored.sum())
        assert one.changed == pytest.approx(one.sum_after)
    text = text_of(diff_points(twin.lake, DS, tomorrow))
    assert f"{DS} → {tomorrow}" in text
    assert re.search(r"^big +\d+ +\d+ ", text, re.M)
    with pytest.raises(DataError, match="nothing was published for 2019-01-01; the last days in scores"):
        diff_points(twin.lake, dt.date(2019, 1, 1), DS)


def test_roles_that_are_none_or_missing_stop_the_night_with_a_sentence(done: Done) -> None:
    log = done.log
    log.configure({**TREE, "scores": {"role": "'exam'"}})
    with pytest.raises(ConfigError, match=r"scores\.role gives exam, which is no role"):
        PRETRAIN.run(log.night(DS))
    log.configure({**TREE, "scores": {"role": "if(part = '4', 'test', 'train')"}})
    with pytest.raises(DataError, match=r"no row is there to choose by .* say in scores\.role what is validation"):
        PRETRAIN.run(log.night(DS))
    log.configure(TREE)
    assert np.all(pc.is_valid(log.lake.read("subjects")["role"]).to_numpy())
