"""Vectors of other modalities join those of texts in `item_vectors`: what is new or changed, nothing that is bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.modalities import Modality
from landbridge.encode.delivered import Delivery, Judgement, bad, delivery_of, good, judged, read, read_attribute
from landbridge.encode.texts import as_of
from landbridge.errors import ConfigError, DataError
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome


def join_all(night: Night) -> Outcome:
    """Join every modality; one that cannot be read is left out, and the night goes on with the vectors there are."""
    notes: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    left_out: list[str] = []
    for name, settings in night.config.modalities.items():
        joining = Joining(night, night.spark_lake(), name, settings)
        try:
            notes[name] = joining.run(left_out.append)
        except (ConfigError, DataError) as error:
            left_out.append(joining.without(str(error)))
        except (PySparkException, Py4JError) as error:
            left_out.append(joining.without(complaint(error)))
        if name in notes:
            metrics |= {f"modalities.{name}.{what}": float(notes[name][what]) for what in ("written", "have")}
    for sentence in left_out:
        night.say(sentence)
    return Outcome({"modalities": notes, "left_out": left_out}, metrics)


def signatures(night: Night) -> dict[str, str]:
    """Return what tells tonight's deliveries from others, by name, for the step's fingerprint."""
    given = night.config.modalities.items()
    return {f"modality {name}": _signature(night, one.path) for name, one in given if one.path is not None}


@dataclass(frozen=True)
class Joining:
    """A modality's part of a night."""

    night: Night
    lake: SparkLake
    name: str
    settings: Modality

    def run(self, remark: Callable[[str], None]) -> Mapping[str, Any]:
        """Judge what was delivered, write what is new or changed, and return the counts; `remark` hears what is odd.

        Raises
        ------
        DataError
            Nothing was delivered.
        ConfigError
            An expression does not fit the columns.
        """
        items = self.lake.table("items").where(F.col("valid_from") <= F.lit(self.night.ds))
        known = items.select("item_id").distinct()
        rows = judged(self._read(items, remark), self.name, self.settings.width, known).persist()
        try:
            found = Judgement.of(rows)
            self._quarantine(rows, found.bad)
            written = self._write(good(rows))
        finally:
            rows.unpersist()
        told = {"rows": found.rows, "bad": found.bad, "rules": dict(found.rules), "unknown": found.unknown}
        counts = {**told, "written": written, **self._coverage(known)}
        says = _sentence(self.name, counts)
        self.night.say(says)
        return {**counts, "says": says}

    def without(self, why: str) -> str:
        """What is said where nothing comes in."""
        return f"no new vectors of {self.name} tonight: {why}; those that items have stay"

    def _read(self, items: DataFrame, remark: Callable[[str], None]) -> DataFrame:
        where = f"{self.night.config.name}.yaml: modalities.{self.name}"
        if self.settings.path is None:
            return read_attribute(as_of(items, self.night.ds), self.settings, where)
        delivery = _delivery(self.night, self.settings.path)
        if delivery.day is not None and delivery.day < self.night.ds:
            remark(self.without(f"there is no {self.settings.path} of {self.night.ds}, the newest is {delivery.day}"))
        return read(self.lake.spark, self.settings, delivery, where)

    def _quarantine(self, rows: DataFrame, count: int) -> None:
        """Put tonight's bad rows in the place of what an earlier run of tonight put there."""
        file = f"modalities.{self.name}"
        where = f"ds = DATE '{self.night.ds}' AND file = '{file}'"
        if count or not self.lake.table("quarantine").where(where).isEmpty():
            self.lake.replace("quarantine", bad(rows, self.night.ds, file), where, self.night.fingerprint)

    def _write(self, vectors: DataFrame) -> int:
        """Merge the vectors that are new or have changed into `item_vectors`, and return how many."""
        changed = vectors.join(self._known(), ["item_id", "text_hash"], "left_anti").persist()
        try:
            count = changed.count()
            if count:
                marks = {"encoder": self.name, "revision": self.settings.identity, "ds": self.night.ds}
                marked = changed.withColumns({column: F.lit(value) for column, value in marks.items()})
                key = ("item_id", "encoder", "revision")
                self.lake.merge("item_vectors", marked, key, self.night.fingerprint)
        finally:
            changed.unpersist()
        return count

    def _known(self) -> DataFrame:
        same = (F.col("encoder") == self.name) & (F.col("revision") == self.settings.identity)
        return self.lake.table("item_vectors").where(same)

    def _coverage(self, items: DataFrame) -> dict[str, int]:
        """Return how many items have a vector now, and how many there are."""
        having = self._known().select("item_id", F.lit(1).alias("__has"))
        counts = F.count("__has").alias("have"), F.count("*").alias("items")
        found = items.join(having, "item_id", "left").agg(*counts).first()
        assert found is not None
        return found.asDict()


def _sentence(name: str, counts: Mapping[str, Any]) -> str:
    """What a person reads of a modality's night."""
    text = f"{name}: {counts['have']:,} of {counts['items']:,} items have a vector, {counts['written']:,} of them new"
    if counts["bad"]:
        rules = ", ".join(f"{rule} {rows:,}" for rule, rows in sorted(counts["rules"].items()))
        text += f"; {counts['bad']:,} of {counts['rows']:,} rows are in quarantine ({rules})"
    if counts["unknown"]:
        text += f"; {counts['unknown']:,} rows are of items that nothing else names, and wait for them"
    return text


def _delivery(night: Night, path: str) -> Delivery:
    return delivery_of(path, night.ds, night.spark_lake().spark if "://" in path else None)


def _signature(night: Night, path: str) -> str:
    try:
        return _delivery(night, path).signature
    except DataError as error:
        return str(error)
