"""Who is served: rows of `user_state` for every scenario, and one row for whoever is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.lake.contracts import NEW_USER
from landbridge.lake.expressions import expression


def audience(
    user_state: DataFrame, scenarios: Sequence[str], sql: str, newcomers: Mapping[str, str] = MappingProxyType({})
) -> DataFrame:
    """Return scenario and the columns of `user_state` of every user whom the scenario serves.

    Parameters
    ----------
    user_state
        The states of one day.
    scenarios
        The scenarios that have a route.
    sql
        ``recommend.audience``: over the columns of `user_state` and ``scenario``.
    newcomers
        The same of single scenarios without a log: ``newcomers.<name>.audience``.
    """
    everywhere = user_state.withColumn("scenario", F.explode(F.array(*[F.lit(scenario) for scenario in scenarios])))
    wanted = expression(everywhere, sql, "recommend.audience")
    for name, own in newcomers.items():
        condition = expression(everywhere, own, f"newcomers.{name}.audience")
        wanted = F.when(F.col("scenario") == F.lit(name), condition).otherwise(wanted)
    return everywhere.where(wanted)


def with_unknown(served: DataFrame, scenarios: Sequence[str]) -> DataFrame:
    """Return the rows and one for whoever is unknown in each scenario: no history, no features."""
    spark = served.sparkSession
    names = spark.createDataFrame([(scenario,) for scenario in scenarios], "scenario string")
    moment = served.agg(F.max("ts").alias("moment"))
    empty = {"user_id": F.lit(NEW_USER), "ts": F.coalesce("moment", F.to_timestamp(F.lit("1970-01-01")))}
    columns = [
        _of(field.name, field.dataType.simpleString(), empty).alias(field.name) for field in served.schema.fields
    ]
    return served.unionByName(names.join(F.broadcast(moment)).select(columns))


def _of(name: str, kind: str, given: dict[str, Column]) -> Column:
    if name == "scenario":
        return F.col("scenario")
    if name in given:
        return given[name]
    return F.array().cast(kind) if kind.startswith("array") else F.lit(None).cast(kind)
