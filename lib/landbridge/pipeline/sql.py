"""Rows of a query over the lake's tables, for the screen."""

from __future__ import annotations

from pyspark.errors import PySparkException
from rich.table import Table

from landbridge.errors import ConfigError
from landbridge.lake.spark import SparkLake, first_line


def ask(spark_lake: SparkLake, query: str, rows: int) -> Table:
    """Return the first rows of a query; every table, and `recommendations_by_rank`, is a view of its name."""
    spark_lake.register_views()
    try:
        frame = spark_lake.spark.sql(query)
        found = frame.limit(rows + 1).collect()
    except PySparkException as error:
        raise ConfigError(
            f"the query was refused: {first_line(error)}; tables: {', '.join(spark_lake.lake.contracts)}"
        ) from error
    more = len(found) > rows
    table = Table(*frame.columns, caption=f"the first {rows} rows; --rows shows more" if more else None)
    for row in found[:rows]:
        table.add_row(*(str(value) for value in row))
    return table
