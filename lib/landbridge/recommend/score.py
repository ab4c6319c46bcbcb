"""Scores the audience on the executors: every Python worker opens the bundle once and sees Arrow batches only."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from threadpoolctl import threadpool_limits

from landbridge.contenders.scorer import LIST, Scorer
from landbridge.lake.contracts import RECOMMENDED
from landbridge.recommend.worker import folder_of

SCHEMA = f"scenario string, user_id string, items array<{RECOMMENDED}>"
_ARROW = pa.schema([("scenario", pa.string()), ("user_id", pa.string()), ("items", LIST)])


def scored(audience: DataFrame, bundle: str) -> DataFrame:
    """Return scenario, user_id, items of every row, sorted by scenario and user within its files.

    Parameters
    ----------
    audience
        Rows of `user_state` with the column scenario.
    bundle
        The bundle's folder where every executor can read it, or the name of an archive added to the application.
    """
    partitions = max(1, audience.sparkSession.sparkContext.defaultParallelism)
    ordered = audience.repartitionByRange(partitions, "scenario", "user_id").sortWithinPartitions("scenario", "user_id")

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = _opened(bundle)
        with threadpool_limits(1):
            for batch in batches:
                yield from lists(scorer, pa.Table.from_batches([batch]))

    return ordered.mapInArrow(score, SCHEMA)


def lists(scorer: Scorer, rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Return the lists of the rows, scenario by scenario."""
    for scenario in sorted(pc.unique(rows["scenario"]).to_pylist()):
        of_scenario = rows.filter(pc.equal(rows["scenario"], scenario))
        made = scorer.recommend(of_scenario, scenario)
        columns = [pa.array([scenario] * made.num_rows, pa.string()), made["user_id"], made["items"]]
        yield from pa.table(columns, schema=_ARROW).to_batches()


@cache
def _opened(bundle: str) -> Scorer:
    """Open the bundle, once in every worker."""
    return Scorer.load(folder_of(bundle))
