"""The step recommend: every user of the audience gets the list of his scenario's route; audited, then published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, PythonException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.contenders.bundle import content_hash
from landbridge.contenders.scorer import Scorer
from landbridge.errors import LakeError
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.lake.staged import StagedFile, publish_day, staging
from landbridge.recommend.audience import audience, with_unknown
from landbridge.recommend.audit import Audited, audit
from landbridge.recommend.score import scored
from landbridge.step import Night, Outcome, Step
from landbridge.tracking import registry

TABLE = "recommendations"


def recommend(night: Night) -> Outcome:
    """Score, write, audit, publish.

    Raises
    ------
    AuditError
        If a rule of the table is broken; the last table and the alias champion stay as they are.
    """
    spark_lake, bundle = night.spark_lake(), night.models / "bundle"
    scorer = Scorer.load(bundle)
    version = registry.version_of(night, bundle)
    states = spark_lake.table("user_state").where(F.col("ds") == F.lit(night.ds))
    served = audience(states, scorer.scenarios, night.config.recommend.audience)
    lists = scored(with_unknown(served, scorer.scenarios), _within_reach(spark_lake, bundle))
    night.lake.create(TABLE)
    folder = staging(night.lake, TABLE, night.ds, night.fingerprint)
    made = _staged(
        spark_lake, lists, folder, {"model_name": night.config.name, "model_version": version, "run_id": night.run_id}
    )
    counted = audit(made, served, _catalogue(spark_lake, scorer), scorer.k, night.ds)
    registry.promote(night, bundle)
    publish_day(night.lake, TABLE, night.ds, folder, _files(made), night.fingerprint)
    _say(night, counted)
    return _outcome(counted, version)


def _within_reach(lake: SparkLake, bundle: Path) -> str:
    """Return the bundle's place for the executors: the folder itself on one machine, else an archive sent to them."""
    context = lake.spark.sparkContext
    if _is_local(context.master):
        return str(bundle.resolve())
    name = f"bundle-{content_hash(bundle)[:16]}"
    archive = shutil.make_archive(str(bundle.with_name(name)), "zip", bundle)
    context.addArchive(f"{archive}#{name}")
    return name


def _is_local(master: str | None) -> bool:
    return (master or "").startswith("local")


def _staged(lake: SparkLake, lists: DataFrame, folder: str, constants: dict[str, str]) -> DataFrame:
    """Write the table's files where no commit names them yet, and return them as they lie there."""
    path = f"{lake.lake.path(TABLE)}/{folder}"
    rows = lists.select(
        "scenario", "user_id", "items", *[F.lit(value).alias(name) for name, value in constants.items()]
    )
    try:
        rows.write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false").parquet(path)
    except (PySparkException, Py4JError) as error:
        raise LakeError(
            f"the files of {TABLE} at {path} were not written, the last table stands: {_cause(error)}; "
            "free or unlock the place, then run the same command"
        ) from error
    return lake.spark.read.schema(rows.schema).parquet(path)


def _cause(error: Exception) -> str:
    """The line that says what went wrong: of a Python worker's error the last, of Spark's own the first."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip() if isinstance(error, PythonException) and lines else complaint(error)


def _files(made: DataFrame) -> list[StagedFile]:
    """Return the files of the staged table with what the commit says of them."""
    facts = made.select(
        "_metadata.file_name", "_metadata.file_size", "_metadata.file_modification_time", "scenario", "user_id"
    )
    rows = facts.groupBy("file_name", "file_size", F.unix_millis("file_modification_time").alias("modified")).agg(
        F.count("*").alias("rows"),
        F.min("scenario").alias("first_scenario"),
        F.max("scenario").alias("last_scenario"),
        F.min("user_id").alias("first_user"),
        F.max("user_id").alias("last_user"),
    )
    return [
        StagedFile(
            row.file_name,
            row.file_size,
            row.modified,
            row.rows,
            {"scenario": row.first_scenario, "user_id": row.first_user},
            {"scenario": row.last_scenario, "user_id": row.last_user},
        )
        for row in rows.orderBy("file_name").collect()
    ]  # one row a file


def _catalogue(lake: SparkLake, scorer: Scorer) -> DataFrame:
    """Return scenario, item_id of what the bundle's lists may hold."""
    parts = [
        pa.table({"scenario": pa.array([scenario] * len(items), pa.string()), "item_id": items})
        for scenario in scorer.scenarios
        for items in [scorer.catalogue(scenario)]
    ]
    return lake.spark.createDataFrame(pa.concat_tables(parts))


def _say(night: Night, counted: dict[str, Audited]) -> None:
    users = sum(found.users for found in counted.values())
    night.say(
        f"{users:,} lists of {night.config.recommend.k} in {len(counted)} scenarios passed the audit and are published"
    )
    for scenario, found in counted.items():
        if found.short:
            night.say(
                f"{scenario}: {found.short} of {found.users} lists are shorter: the catalogue has no more for them"
            )


def _outcome(counted: dict[str, Audited], version: str) -> Outcome:
    return Outcome(
        notes={
            "users": {name: found.users for name, found in counted.items()},
            "short": {name: found.short for name, found in counted.items()},
            "model_version": version,
        },
        metrics={
            "users": float(sum(found.users for found in counted.values())),
            "short": float(sum(found.short for found in counted.values())),
        },
    )


RECOMMEND = Step(
    "recommend",
    ("user_state",),
    (TABLE,),
    ("name", "recommend.k", "recommend.audience", "data.time_zone"),
    recommend,
)
