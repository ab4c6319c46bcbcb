"""The commands study and tune, from files of logs to the table; killed or repeated they run what is missing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.logs import _SPARK, CONF
from tests.snapshots import Snapshot

from landbridge.pipeline.cli import run

HEAD = ["number", "kind", "age", "colour", "answer"]
TREE = {
    "name": "answers",
    "data": {
        "reader": {"header": HEAD},
        "columns": {
            "user_id": {"type": "string", "sql": "number"},
            "item_id": {"type": "string", "sql": "kind"},
            "scenario": {"type": "string", "sql": "kind"},
            "outcome": {"type": "double", "sql": "answer"},
            "age": {"type": "double", "sql": "age"},
            "colour": {"type": "string", "sql": "colour"},
        },
    },
    "pointwise": {"label": "outcome = 1", "numbers": {"age": "age"}, "categories": {"colour": "colour"}},
    "split": {"part": "crc32(user_id) % 3"},
    "transfer": {"source": "many"},
    "study": {
        "contenders": ["constant", "logistic_joint"],
        "tune": {
            "contender": "logistic_joint",
            "trials": 2,
            "keys": {"pointwise.contenders.logistic.inverse_penalty": {"choices": [0.1, 1.0]}},
        },
    },
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, spark):
    """Rows of two scenarios whose answer hangs on age."""
    shop = Snapshot(tmp_path_factory.mktemp("study"), spark, TREE)
    draw = np.random.default_rng(0)
    age = draw.normal(0, 1, 240)
    answer = (draw.random(240) < 1 / (1 + np.exp(-3 * age))).astype(int)
    rows = [f"{n}\t{'many' if n % 3 else 'few'}\t{age[n]:.3f}\tred\t{answer[n]}" for n in range(240)]
    shop.put("ratings.tsv.gz", "\t".join(HEAD), *rows)
    return shop


def command(shop: Snapshot, name: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    profile = CONF.parent / "profiles" / "local.yaml"
    place = ["--conf", str(shop.folder / "conf.yaml"), "--profile", str(profile), "--root", str(shop.folder / "var")]
    place += ["--set", f"spark.conf={json.dumps(_SPARK)}", "--set", "spark.master=local[2]"]
    assert run([name, *place, *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_a_study_begins_with_the_logs_and_ends_with_the_table(shop, capsys):
    shown = command(shop, "study", capsys, "--seeds", "0", "--matrix")
    assert "[1/6] constant, seed 0, 0:" in shown
    assert "over constant" in shown
    folder: Path = shop.folder / "var" / "study" / "answers"
    with (folder / "table.csv").open() as file:
        table = {(row["scenario"], row["contender"]): row for row in csv.DictReader(file)}
    assert set(table) == {(s, c) for s in ("*", "few", "many") for c in ("constant", "logistic_joint")}
    assert float(table["*", "logistic_joint"]["value"]) > 0.8
    assert float(table["*", "logistic_joint"]["p"]) < 0.001
    assert len(list((folder / "scores").glob("*.parquet"))) == 6
    assert (folder / "matrix_logistic_joint.png").exists()
    again = command(shop, "study", capsys, "--seeds", "0-4")
    assert again.count(": done before") == 6
    assert (
        shown.split("over constant")[1].split("The table")[0] == again.split("over constant")[1].split("The table")[0]
    )


def test_a_search_prints_what_goes_into_the_configuration(shop, capsys):
    shown = command(shop, "tune", capsys)
    assert "[2/2] inverse_penalty" in shown
    assert "pointwise:\n  contenders:\n    logistic:\n      inverse_penalty:" in shown


def test_a_name_of_no_contender_is_refused(shop, capsys):
    shop_options = ["--conf", str(shop.folder / "conf.yaml"), "--profile", str(CONF.parent / "profiles" / "local.yaml")]
    command(shop, "study", capsys, "--contenders", "constant")
    root = ["--root", str(shop.folder / "var"), "--set", f"spark.conf={json.dumps(_SPARK)}"]
    assert run(["study", *shop_options, *root, "--contenders", "oracle"]) == 2
    assert "there is no contender oracle to study" in capsys.readouterr().err
