"""`landbridge measure`: scores as a study keeps them, measured by Spark as a study measures them in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from landbridge.errors import DataError
from landbridge.evaluate.pointwise import NAMES, all_metrics
from landbridge.pipeline.measure import measure, shown


@pytest.fixture
def answers(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """Two files of scores, one a contender, and what is in them."""
    draw, parts = np.random.default_rng(2), []
    for contender in ("simple", "joint"):
        rows = pd.DataFrame({"user_id": draw.integers(0, 40, 800).astype(str), "scenario": "s", "contender": contender})
        rows["score"] = draw.random(800).astype(np.float32)
        rows["label"] = (draw.random(800) < rows.score).astype(np.float32)
        rows.to_parquet(tmp_path / f"{contender}.0.parquet")
        parts.append(rows)
    return tmp_path, pd.concat(parts)


def test_answers_are_measured_as_in_memory(spark: SparkSession, answers: tuple[Path, pd.DataFrame]) -> None:
    folder, rows = answers
    found = measure(spark, str(folder), ["contender"], 10).toPandas().set_index("contender")
    assert list(found.index) == ["joint", "simple"]
    for contender, own in rows.groupby("contender"):
        user = own.user_id.astype("category").cat.codes.to_numpy().astype(np.intp)
        expected = all_metrics(own.label.to_numpy() > 0, own.score.to_numpy(), user)
        for name in NAMES:
            assert found[name][contender] == pytest.approx(expected[name], abs=1e-6), name


def test_lists_are_measured_at_k(spark: SparkSession, tmp_path: Path) -> None:
    columns = ("user_id", "scenario", "window", "rank", "contender")
    rows = [("a", "s", "0", 0.0, "c"), ("a", "s", "0", 5.0, "c"), ("b", "s", "0", 2.0, "c")]
    pd.DataFrame(rows, columns=list(columns)).to_parquet(tmp_path / "c.0.parquet")
    found = measure(spark, str(tmp_path), ["contender"], 3)
    row = found.collect()[0]
    assert (row.units, row.recall, row.hit_rate) == (2, pytest.approx(0.75), 1.0)
    gains = 1 / (1 + 1 / np.log2(3)), 1 / 2
    assert row.ndcg == pytest.approx(sum(gains) / 2)
    console = Console(width=100, record=True)
    console.print(shown(found))
    assert "0.7500" in console.export_text()


def test_what_is_no_score_is_a_sentence(spark: SparkSession, answers: tuple[Path, pd.DataFrame]) -> None:
    folder, _ = answers
    with pytest.raises(DataError, match="lacks fold; its columns: user_id, scenario, contender, score, label"):
        measure(spark, str(folder), ["fold"], 10)
    with pytest.raises(DataError, match=r"nowhere cannot be read as Parquet: .*; name a folder of scores"):
        measure(spark, str(folder / "nowhere"), [], 10)
