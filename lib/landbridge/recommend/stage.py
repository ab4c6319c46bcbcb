"""Files of a day that no commit names yet: what is written there can be audited before anybody sees it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, PythonException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.contenders.bundle import content_hash
from landbridge.errors import LakeError
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.lake.staged import StagedFile
from landbridge.step import Night


def within_reach(lake: SparkLake, bundle: Path) -> str:
    """Return the bundle's place for the executors: the folder itself on one machine, else an archive sent to them.

    It ends with the bundle's content, so that a worker that keeps what it has opened never takes it for another one.
    """
    context = lake.spark.sparkContext
    content = content_hash(bundle)[:16]
    if _is_local(context.master):
        return f"{bundle.resolve()}#{content}"
    name = f"bundle-{content}"
    archive = shutil.make_archive(str(bundle.with_name(name)), "zip", bundle)
    context.addArchive(f"{archive}#{name}")
    return name


def _is_local(master: str | None) -> bool:
    return (master or "").startswith("local")


def named(rows: DataFrame, night: Night, version: str) -> DataFrame:
    """Return the rows with the columns that say which model and which run made them."""
    constants = {"model_name": night.config.name, "model_version": version, "run_id": night.run_id}
    return rows.select("*", *[F.lit(value).alias(name) for name, value in constants.items()])


def beside(lake: SparkLake, name: str, rows: DataFrame, night: Night, scenarios: Sequence[str]) -> DataFrame:
    """Return the rows, which are of some scenarios, and the table's rows of the day of all others, as they are."""
    day = lake.table(name).where((F.col("ds") == F.lit(night.ds)) & ~F.col("scenario").isin(list(scenarios)))
    key = lake.lake.contract(name).key[-1]
    return day.select(rows.columns).sortWithinPartitions("scenario", key).unionByName(rows)


def staged(lake: SparkLake, name: str, rows: DataFrame, folder: str) -> DataFrame:
    """Write the table's files where no commit names them yet, and return them as they lie there."""
    path = f"{lake.lake.path(name)}/{folder}"
    try:
        rows.write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false").parquet(path)
    except (PySparkException, Py4JError) as error:
        raise LakeError(
            f"the files of {name} at {path} were not written, the last table stands: {_cause(error)}; "
            "free or unlock the place, then run the same command"
        ) from error
    return lake.spark.read.schema(rows.schema).parquet(path)


def _cause(error: Exception) -> str:
    """The line that says what went wrong: of a Python worker's error the last, of Spark's own the first."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip() if isinstance(error, PythonException) and lines else complaint(error)


def files_of(made: DataFrame, key: str) -> list[StagedFile]:
    """Return the files of the staged table with what the commit says of them: rows, bounds of scenario and key."""
    facts = made.select(
        "_metadata.file_name", "_metadata.file_size", "_metadata.file_modification_time", "scenario", key
    )
    rows = facts.groupBy("file_name", "file_size", F.unix_millis("file_modification_time").alias("modified")).agg(
        F.count("*").alias("rows"),
        F.min("scenario").alias("first_scenario"),
        F.max("scenario").alias("last_scenario"),
        F.min(key).alias("first"),
        F.max(key).alias("last"),
    )
    return [
        StagedFile(
            row.file_name,
            row.file_size,
            row.modified,
            row.rows,
            {"scenario": row.first_scenario, key: row["first"]},
            {"scenario": row.last_scenario, key: row["last"]},
        )
        for row in rows.orderBy("file_name").collect()
    ]  # one row a file
