"""Lists of a day, scored with a bundle: staged, audited, published in one commit. A night does it, and a rollback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
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
from landbridge.step import Night, Outcome

TABLE = "recommendations"


def publish(
    night: Night, bundle: Path, version: str, promote: Callable[[], None], scenarios: Sequence[str] | None = None
) -> Outcome:
    """Replace the night's day of the table by what a bundle makes of it; return what was counted.

    Parameters
    ----------
    bundle, version
        The bundle's folder, and the version of the registry that the rows name.
    promote
        Called when the audit has passed, before the commit.
    scenarios
        Those whose lists are made anew, all other rows of the day stay; every one of the bundle when left out.

    Raises
    ------
    AuditError
        If a rule of the table is broken; nothing was promoted, and the table stays as it is.
    LakeError
        If the files cannot be written, or the day cannot be committed.
    """
    lake, scorer = night.spark_lake(), Scorer.load(bundle)
    chosen = scorer.scenarios if scenarios is None else sorted(scenarios)
    states = lake.table("user_state").where(F.col("ds") == F.lit(night.ds))
    served = audience(states, chosen, night.config.recommend.audience)
    night.lake.create(TABLE)
    folder = staging(night.lake, TABLE, night.ds, night.fingerprint)
    lists = _named(scored(with_unknown(served, chosen), _within_reach(lake, bundle)), night, version)
    made = _staged(lake, lists if scenarios is None else _beside(lake, lists, night, chosen), folder)
    ours = made if scenarios is None else made.where(F.col("scenario").isin(chosen))
    counted = audit(ours, served, _catalogue(lake, scorer, chosen), scorer.k, night.ds)
    promote()
    publish_day(night.lake, TABLE, night.ds, folder, _files(made), night.fingerprint)
    _say(night, counted, scorer.k)
    return _outcome(counted, version)


def _named(lists: DataFrame, night: Night, version: str) -> DataFrame:
    """Return the lists with the columns that say which model and which run made them."""
    constants = {"model_name": night.config.name, "model_version": version, "run_id": night.run_id}
    return lists.select(
        "scenario", "user_id", "items", *[F.lit(value).alias(name) for name, value in constants.items()]
    )


def _beside(lake: SparkLake, lists: DataFrame, night: Night, chosen: Sequence[str]) -> DataFrame:
    """Return the lists and the day's rows of all other scenarios, as they are."""
    day = lake.table(TABLE).where((F.col("ds") == F.lit(night.ds)) & ~F.col("scenario").isin(list(chosen)))
    return day.select(lists.columns).sortWithinPartitions("scenario", "user_id").unionByName(lists)


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


def _staged(lake: SparkLake, rows: DataFrame, folder: str) -> DataFrame:
    """Write the table's files where no commit names them yet, and return them as they lie there."""
    path = f"{lake.lake.path(TABLE)}/{folder}"
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


def _catalogue(lake: SparkLake, scorer: Scorer, scenarios: Sequence[str]) -> DataFrame:
    """Return scenario, item_id of what the bundle's lists may hold."""
    parts = [
        pa.table({"scenario": pa.array([scenario] * len(items), pa.string()), "item_id": items})
        for scenario in scenarios
        for items in [scorer.catalogue(scenario)]
    ]
    return lake.spark.createDataFrame(pa.concat_tables(parts))


def _say(night: Night, counted: dict[str, Audited], k: int) -> None:
    users = sum(found.users for found in counted.values())
    night.say(f"{users:,} lists of {k} in {len(counted)} scenarios passed the audit and are published")
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
