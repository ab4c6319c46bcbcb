"""What must hold of the table before anybody sees it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.errors import AuditError
from landbridge.lake.contracts import NEW_USER


@dataclass(frozen=True)
class Audited:
    """What the audit counted in a scenario: users with a list (``__new__`` apart), and those short of k items."""

    users: int
    short: int


def audit(made: DataFrame, served: DataFrame, catalogue: DataFrame, k: int, ds: dt.date) -> dict[str, Audited]:
    """Return what was counted by scenario.

    Parameters
    ----------
    made
        scenario, user_id, items: what is about to be published.
    served
        scenario, user_id, had of the audience.
    catalogue
        scenario, item_id: what the lists may hold.
    k
        Items a list has; fewer only where the catalogue without what the user had has fewer.

    Raises
    ------
    AuditError
        Naming each rule that is broken, the scenario, and how many rows break it. Nothing has been published.
    """
    judged = _judged(made, served, catalogue.distinct(), k)
    counts = judged.groupBy("scenario").agg(
        F.count("*").alias("rows"),
        F.sum(F.col("expected").cast("int")).alias("audience"),
        F.sum(F.col("is_new").cast("int")).alias("new"),
        F.sum((~F.col("is_new") & F.col("present") & (F.col("size") < k)).cast("int")).alias("short"),
        *[F.sum(rule.cast("int")).alias(name) for name, rule in _rules(k).items()],
    )
    found = [row.asDict() for row in counts.orderBy("scenario").collect()]  # one row a scenario
    broken = [
        f"{row['scenario']}: {row[name]} row(s) {_SAID[name]}" for row in found for name in _rules(k) if row[name]
    ]
    broken += [
        f"{row['scenario']}: the row {NEW_USER} is there {row['new']} time(s)" for row in found if row["new"] != 1
    ]
    if broken:
        raise AuditError(
            f"recommendations of {ds} are not published and the last ones stand, because " + "; ".join(broken[:12])
        )
    return {row["scenario"]: Audited(int(row["audience"]), int(row["short"])) for row in found}


def _judged(made: DataFrame, served: DataFrame, catalogue: DataFrame, k: int) -> DataFrame:
    """Return a row for every user who is served, or has a list, with what the rules look at."""
    key = ["scenario", "user_id"]
    lists = made.groupBy(key).agg(F.count("*").alias("copies"), F.first("items").alias("items"))
    expected = served.select(*key, "had", F.lit(True).alias("expected"))
    joined = lists.join(expected, key, "full").withColumn("had", F.coalesce("had", F.array().cast("array<string>")))
    foreign = joined.select(*key, F.explode("items.item_id").alias("item_id")).join(
        catalogue, ["scenario", "item_id"], "left_anti"
    )
    owned = (
        joined.where(F.size("items") < k)
        .select(*key, F.explode("had").alias("item_id"))
        .join(catalogue, ["scenario", "item_id"], "left_semi")
    )
    sizes = catalogue.groupBy("scenario").agg(F.count("*").alias("catalogue"))
    for counted, name in ((foreign, "foreign"), (owned, "owned")):
        joined = joined.join(counted.groupBy(key).agg(F.count("*").alias(name)), key, "left")
    ids, scores = F.col("items.item_id"), F.col("items.score")
    return joined.join(F.broadcast(sizes), "scenario", "left").select(
        "scenario",
        F.coalesce("expected", F.lit(False)).alias("expected"),
        F.col("items").isNotNull().alias("present"),
        (F.col("user_id") == NEW_USER).alias("is_new"),
        F.coalesce("copies", F.lit(0)).alias("copies"),
        F.size("items").alias("size"),
        F.size(F.array_distinct(ids)).alias("distinct"),
        F.size(F.array_intersect(ids, F.col("had"))).alias("had_again"),
        F.coalesce("foreign", F.lit(0)).alias("foreign"),
        (F.coalesce("catalogue", F.lit(0)) - F.coalesce("owned", F.lit(0))).alias("left"),
        F.forall(
            "items", lambda item: item["score"].isNotNull() & ~F.isnan(item["score"]) & (F.abs(item["score"]) < 1e300)
        ).alias("finite"),
        (scores == F.sort_array(scores, asc=False)).alias("descending"),
    )


def _rules(k: int) -> dict[str, Column]:
    """Each is true where a row breaks it."""
    present, is_new = F.col("present"), F.col("is_new")
    return {
        "missing": F.col("expected") & ~present,
        "uninvited": present & ~F.col("expected") & ~is_new,
        "repeated": F.col("copies") > 1,
        "wrong_size": present & (F.col("size") != F.least(F.lit(k), F.col("left"))),
        "twice": present & (F.col("distinct") != F.col("size")),
        "had_again": present & (F.col("had_again") > 0),
        "foreign": present & (F.col("foreign") > 0),
        "not_finite": present & ~F.col("finite"),
        "not_sorted": present & F.col("finite") & ~F.col("descending"),
    }


_SAID = {
    "missing": "of the audience have no list",
    "uninvited": "are of users who are not in the audience",
    "repeated": "are there more than once",
    "wrong_size": "hold another number of items than k or what the catalogue has left",
    "twice": "hold an item twice",
    "had_again": "hold an item that the user has already",
    "foreign": "hold an item that is not in the catalogue",
    "not_finite": "hold a score that is no number",
    "not_sorted": "are not in the order of their scores",
}
