"""The measures of scores that a study kept, or anybody: a table computed by Spark, however many rows they have."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from rich.table import Table

from landbridge.errors import DataError
from landbridge.evaluate.in_spark import pointwise_metrics, ranking_metrics
from landbridge.lake.spark import first_line

ANSWERS, RANKS = ("user_id", "label", "score"), ("user_id", "scenario", "window", "rank")
"""The columns of the two kinds of scores."""


def measure(spark: SparkSession, scores: str, by: Sequence[str], k: int) -> DataFrame:
    """Return the measures of Parquet files of scores, by `by`: how many there are, then a column a measure.

    Parameters
    ----------
    scores
        A folder or pattern that Spark can read. Answers have user_id, label and score; ranked lists have user_id,
        scenario, window and rank (from 0), a row an item that was taken.
    k
        Length of a list.

    Raises
    ------
    DataError
        They cannot be read, or lack a column.
    """
    try:
        rows = spark.read.parquet(scores)
    except PySparkException as error:
        raise DataError(f"{scores} cannot be read as Parquet: {first_line(error)}; name a folder of scores") from error
    needed = RANKS if "rank" in rows.columns else ANSWERS
    missing = sorted({*needed, *by} - set(rows.columns))
    if missing:
        raise DataError(f"{scores} lacks {', '.join(missing)}; its columns: {', '.join(rows.columns)}")
    found = ranking_metrics(rows, by, k) if needed is RANKS else pointwise_metrics(rows, by)
    return found.orderBy(*by)


def shown(measures: DataFrame) -> Table:
    """Return the table for the screen; a dash is a measure that is not defined."""
    kinds = dict(measures.dtypes)
    table = Table(box=None)
    for name, kind in kinds.items():
        table.add_column(name, justify="left" if kind == "string" else "right")
    for row in measures.collect():  # one row a group
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
