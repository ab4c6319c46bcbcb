"""The lake as Spark sees it: DataFrames in, one atomic commit out."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from landbridge.errors import LakeError
from landbridge.lake.contracts import Contract
from landbridge.lake.expressions import complaint
from landbridge.lake.lake import FINGERPRINT, Lake

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class SparkLake:
    """The tables of a lake through a Spark session."""

    spark: SparkSession
    lake: Lake

    def table(self, name: str) -> DataFrame:
        """The table, at its pinned version if it has one; an empty frame of the contract where it does not exist."""
        contract = self.lake.contract(name)
        if not self.lake.exists(name):
            return self.spark.createDataFrame([], _ddl(contract))
        reader = self.spark.read.format("delta")
        version = dict(self.lake.at).get(name)
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.lake.path(name))

    def create(self, name: str) -> None:
        """Create the table with its contract unless it exists.

        delta-rs makes the same table in a hundredth of the time, but would not ask writers to keep constraints.
        """
        contract = self.lake.contract(name)
        if not contract.constraints:
            self.lake.create(name)
        elif not self.lake.exists(name):
            self._create(contract)

    def _create(self, contract: Contract) -> None:
        path = self.lake.path(contract.name)
        partition = f"PARTITIONED BY ({', '.join(contract.partition)})" if contract.partition else ""
        properties = ", ".join(f"'{key}' = '{_quoted(value)}'" for key, value in contract.properties.items())
        try:
            self.spark.sql(
                f"CREATE TABLE IF NOT EXISTS delta.`{path}` ({_ddl(contract)}) USING delta {partition} "
                f"COMMENT '{_quoted(contract.comment)}' TBLPROPERTIES ({properties})"
            )
        except (PySparkException, Py4JError) as error:
            raise LakeError(
                f"the table {contract.name} at {path} cannot be created: {complaint(error)}; "
                "free or unlock the place, then run the same command"
            ) from error

    def replace(self, name: str, rows: DataFrame, where: str, fingerprint: str) -> int:
        """Replace the rows for which `where` holds by `rows`, for which it holds, in one commit; return the version."""
        self.create(name)
        writer = self._selected(name, rows).write.format("delta").mode("overwrite").option("replaceWhere", where)
        return self._save(name, writer, fingerprint)

    def replace_days(self, name: str, rows: DataFrame, since: dt.date, until: dt.date, fingerprint: str) -> int:
        """Replace all days from `since` up to and with `until`."""
        return self.replace(name, rows, f"ds >= DATE '{since}' AND ds <= DATE '{until}'", fingerprint)

    def append(self, name: str, rows: DataFrame, fingerprint: str) -> int:
        """Append rows in one commit; return the version."""
        self.create(name)
        return self._save(name, self._selected(name, rows).write.format("delta").mode("append"), fingerprint)

    def merge(self, name: str, rows: DataFrame, key: Sequence[str], fingerprint: str) -> int:
        """Put rows in the place of those of the same key, and add the others, in one commit; return the version."""
        self.create(name)
        table = DeltaTable.forPath(self.spark, self.lake.path(name)).alias("old")
        same = " AND ".join(f"old.`{column}` = new.`{column}`" for column in key)
        merging = table.merge(self._selected(name, rows).alias("new"), same)
        self.spark.conf.set(_METADATA, json.dumps({FINGERPRINT: fingerprint}))
        try:
            merging.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
        except (PySparkException, Py4JError) as error:
            raise self._unwritten(name, error) from error
        finally:
            self.spark.conf.unset(_METADATA)
        return self.lake.version(name)

    def subjects(self, ds: dt.date) -> DataFrame:
        """The rows of the table `subjects` for a night."""
        from landbridge.lake.subjects import subjects

        return subjects(self, ds)

    def register_views(self) -> None:
        """Register every existing table and `recommendations_by_rank` (one row an item) as temporary views."""
        for name in self.lake.contracts:
            if self.lake.exists(name):
                self.table(name).createOrReplaceTempView(name)
        if self.lake.exists("recommendations"):
            by_rank(self.table("recommendations")).createOrReplaceTempView("recommendations_by_rank")

    def _selected(self, name: str, rows: DataFrame) -> DataFrame:
        columns = self.lake.contract(name).columns
        return rows.select([F.col(column).cast(kind.type).alias(column) for column, kind in columns.items()])

    def _save(self, name: str, writer: object, fingerprint: str) -> int:
        metadata = json.dumps({FINGERPRINT: fingerprint})
        try:
            writer.option("userMetadata", metadata).save(self.lake.path(name))  # type: ignore[attr-defined]
        except (PySparkException, Py4JError) as error:
            raise self._unwritten(name, error) from error
        return self.lake.version(name)

    def _unwritten(self, name: str, error: BaseException) -> LakeError:
        return LakeError(
            f"the table {name} at {self.lake.path(name)} was not written, its last version stands: "
            f"{complaint(error)}; free or unlock the place, then run the same command"
        )


def by_rank(recommendations: DataFrame) -> DataFrame:
    """One row an item: ds, scenario, user_id, rank (from 1), item_id, score, source, and the model's columns."""
    exploded = recommendations.select("*", F.posexplode("items").alias("position", "item"))
    return exploded.select(
        "ds",
        "scenario",
        "user_id",
        (F.col("position") + 1).alias("rank"),
        "item.item_id",
        "item.score",
        "item.source",
        "model_name",
        "model_version",
        "run_id",
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message, without the JVM's stack."""
    return complaint(error)


def _ddl(contract: Contract) -> str:
    return ", ".join(
        f"`{name}` {column.type}{'' if column.nullable else ' NOT NULL'} COMMENT '{_quoted(column.comment)}'"
        for name, column in contract.columns.items()
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
