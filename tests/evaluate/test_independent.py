"""The pipeline's figures against another opinion, from the raw retail files."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
from tests.independent import expected, purchases
from tests.nights import fit_simple, night_of

from landbridge.clean.step import CLEAN
from landbridge.config import load
from landbridge.config.days import days_of
from landbridge.evaluate.metrics import RANKING
from landbridge.evaluate.step import judge_all
from landbridge.evaluate.table import ALL_WINDOWS, rows_of
from landbridge.featurize.step import FEATURIZE
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake
from landbridge.lake.spark import SparkLake

ROOT = Path(__file__).parents[2]
DS, DAYS = dt.date(2011, 11, 30), 45


@pytest.fixture(scope="module")
def night(tmp_path_factory, spark):
    """Forty-five days of the real logs, cleaned and featurized by Spark, with simple contenders of fit B."""
    root = tmp_path_factory.mktemp("independent")
    config = load(
        ROOT / "conf" / "online_retail.yaml",
        "local",
        [
            f"root={root}",
            f"days={DAYS}",
            f"data.reader.path={ROOT}/tests/data/online_retail/{{ds}}.csv.gz",
            "split={validation_days: 7, test_days: 21}",
            "guard.windows=1",
            "evaluate.resamples=50",
            "evaluate.candidates=10",
            "contenders.item_item.neighbours=200",
            # Pools of the others have no closed form to compare with; without parts they do not compete.
            "contenders.trend={alone: {}, across: {}}",
            "contenders.blend={alone: {}, across: {}}",
        ],
    )
    lake = Lake(config)
    made = dataclasses.replace(night_of(config, lake, DS, []), spark_lake=lambda: SparkLake(spark, lake))
    CLEAN.run(made)
    FEATURIZE.run(made)
    fit_simple(config, lake, DS, made.models, fits=("B",))
    return made


@pytest.mark.system
@pytest.mark.timeout(900)
def test_simple_contenders_reach_what_numpy_says(night):
    days = days_of(night.config, DS)
    words = Vocabulary.load(night.lake).values("item_id").to_pylist()
    lines = purchases(ROOT / "tests" / "data" / "online_retail", days.first, DS)
    other = expected(lines, days.validation_until, DS, {word: number for number, word in enumerate(words)})
    scenarios = Vocabulary.load(night.lake).values("scenario").to_pylist()
    rows = rows_of(judge_all(night, scenarios), night.config)
    ours = {
        (row.scenario, row.contender, row.metric, row.k): row.value
        for row in rows
        if row.split == "test" and row.window == ALL_WINDOWS and row.metric in RANKING
    }
    assert ours.keys() == other.keys()
    assert ours == pytest.approx(other, abs=1e-6)
    assert other["targets", "ease_across", "ndcg", 10] > 0.05
