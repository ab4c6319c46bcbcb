"""Spark and delta-rs read what the other one wrote, and each refuses what breaks a contract."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from landbridge.config import Config
from landbridge.errors import LakeError
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.lake.spark import SparkLake

DS = dt.date(2011, 11, 30)
AT = dt.datetime(2011, 11, 30, 10, 15, 0, 123456, tzinfo=dt.UTC)


@pytest.fixture
def spark_lake(spark: SparkSession, config: Config) -> SparkLake:
    return SparkLake(spark, Lake(config))


def quarantined(*rules: str, ds: dt.date = DS) -> str:
    listed = ", ".join(f"'{rule}'" for rule in rules)
    return (f"SELECT DATE '{ds}' ds, 'a.csv' file, 'h' row_hash, 0 occurrence, '{{}}' raw, "
            f"cast(array({listed}) as array<string>) rules")  # fmt: skip


def history(lake: Lake) -> pa.Table:
    features = dict.fromkeys(lake.config.features.user, 0.5)
    past = {"item_id": "1", "scenario": "Germany", "event_type": "purchase", "outcome": 1.0, "ts": AT}
    row = {"ds": DS, "ts": AT, "user_id": "é", "scenario": "Germany", "history": [past], **features}
    return pa.Table.from_pylist([row], schema=arrow_schema(lake.contract("histories")))


def test_delta_rs_reads_what_spark_wrote(spark_lake: SparkLake, spark: SparkSession) -> None:
    rows = history(spark_lake.lake)
    spark_lake.replace_days("histories", spark.createDataFrame(rows), DS, DS, "print")
    read = spark_lake.lake.read("histories")
    assert read.cast(rows.schema).to_pylist() == rows.to_pylist()
    assert spark_lake.lake.fingerprint("histories") == "print"
    assert spark_lake.lake.days("histories") == [DS]
    assert spark_lake.lake.delta("histories").metadata().configuration["landbridge.contract"] == "1"


def test_spark_reads_what_delta_rs_wrote(spark_lake: SparkLake) -> None:
    items = [{"item_id": item, "score": 1.0, "source": "ease"} for item in "ab"]
    row = {"ds": DS, "scenario": "Germany", "user_id": "u", "items": items,
           "model_name": "m", "model_version": "1", "run_id": "r"}  # fmt: skip
    table = pa.Table.from_pylist([row], schema=arrow_schema(spark_lake.lake.contract("recommendations")))
    spark_lake.lake.replace_day("recommendations", table, DS, "print")
    assert spark_lake.table("recommendations").toArrow().to_pylist() == [row]
    spark_lake.register_views()
    ranks = spark_lake.spark.sql("SELECT rank, item_id FROM recommendations_by_rank ORDER BY rank").collect()
    assert [tuple(one) for one in ranks] == [(1, "a"), (2, "b")]


def test_columns_carry_their_comments(spark_lake: SparkLake, spark: SparkSession) -> None:
    spark_lake.create("quarantine")
    columns = {field.name: field.metadata.get("comment") for field in spark_lake.table("quarantine").schema}
    assert columns["rules"] == "The rules it broke, sorted."


def test_a_constraint_is_enforced_and_the_last_version_stands(spark_lake: SparkLake, spark: SparkSession) -> None:
    spark_lake.replace_days("quarantine", spark.sql(quarantined("no_customer")), DS, DS, "a")
    with pytest.raises(LakeError, match=r"quarantine at .* was not written, its last version stands"):
        spark_lake.replace_days("quarantine", spark.sql(quarantined()), DS, DS, "b")
    assert spark_lake.lake.fingerprint("quarantine") == "a"
    assert spark_lake.lake.read("quarantine").num_rows == 1


def test_a_null_where_the_contract_has_none_is_refused(spark_lake: SparkLake, spark: SparkSession) -> None:
    rows = spark.sql(quarantined("x")).withColumn("raw", F.lit(None).cast("string"))
    with pytest.raises(LakeError, match="was not written"):
        spark_lake.replace_days("quarantine", rows, DS, DS, "a")


def test_spark_refuses_rows_outside_of_what_it_replaces(spark_lake: SparkLake, spark: SparkSession) -> None:
    with pytest.raises(LakeError, match="was not written"):
        spark_lake.replace_days("quarantine", spark.sql(quarantined("x", ds=DS + dt.timedelta(days=1))), DS, DS, "a")


def test_a_pinned_version_is_what_spark_reads(spark_lake: SparkLake, spark: SparkSession) -> None:
    version = spark_lake.replace_days("quarantine", spark.sql(quarantined("x")), DS, DS, "a")
    spark_lake.replace_days("quarantine", spark.sql(quarantined("y")), DS, DS, "b")
    pinned = SparkLake(spark, spark_lake.lake.pinned(quarantine=version))
    assert [row.rules for row in pinned.table("quarantine").collect()] == [["x"]]


def test_a_table_that_is_not_there_is_empty_with_its_columns(spark_lake: SparkLake) -> None:
    empty = spark_lake.table("events")
    assert empty.columns == list(spark_lake.lake.contract("events").columns)
    assert empty.count() == 0
