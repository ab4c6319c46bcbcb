"""The step `group`: who is interested in what, scenario by scenario, and how groups flow between scenarios."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.days import FITS, days_of
from landbridge.config.groups import Groups
from landbridge.errors import DataError
from landbridge.feed.questions import LEARNED
from landbridge.group.clusters import Place, clustered, renumbered
from landbridge.group.flow import favourites, flow_of
from landbridge.group.interests import factors_of, interests_of, taken_of
from landbridge.lake.expressions import explained
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome, Step

TABLES = ("item_factors", "user_groups", "groups", "group_flow")


def run(night: Night) -> Outcome:
    """Write the day's groups of every fit, each of the events that the fit learns from and of no others."""
    settings = night.config.groups
    if settings is None:
        night.say("nobody is grouped: no section groups")
        return Outcome(notes={"left_out": ["no section groups"]})
    lake = night.spark_lake()
    with ExitStack() as kept, explained("the users cannot be grouped"):
        for name, rows in _tables(night, lake, settings, kept).items():
            _write(night, lake, name, rows)
    return _told(night, lake)


def _tables(night: Night, lake: SparkLake, settings: Groups, kept: ExitStack) -> Mapping[str, DataFrame]:
    """Return the rows of each table, but for the column ds; all fits at once, since many small jobs are slow."""
    taken = _kept(taken_of(_learned(night, lake), lake.table("vocabulary")), kept)
    factors = _kept(_factors(night, taken, settings), kept)
    interests = _kept(interests_of(taken, factors, settings.min_events), kept)
    if interests.isEmpty():
        raise DataError(
            f"up to {night.ds} nobody has {settings.min_events} events in a scenario that give him an item, so "
            "nobody can be grouped; lower groups.min_events, or correct features.had"
        )
    raw, centres = clustered(interests, settings, night.config.seed)
    raw = _kept(raw, kept)
    numbers = renumbered(raw, _before(night, lake, settings.count))
    users = _kept(_with_numbers(raw, numbers), kept)
    told = {(fit, scenario, number): centres[fit, scenario, old] for (fit, scenario, old), number in numbers.items()}
    return {
        "item_factors": factors.join(taken.select("item", "item_id").distinct(), "item"),
        "user_groups": users,
        "groups": _groups(users, taken, settings, told),
        "group_flow": flow_of(users, night.config.transfer.source, settings.smoothing),
    }


def _learned(night: Night, lake: SparkLake) -> DataFrame:
    """Return the examples, each once for every fit that learns from it, with the fit's name."""
    days, parted = days_of(night.config, night.ds), night.config.split.part is not None
    learns = [
        F.when(F.col("part").isin(list(LEARNED[fit])) if parted else F.col("ds") <= F.lit(days.until(fit)), fit)
        for fit in FITS
    ]
    examples = lake.table("examples").where(F.col("ds") <= F.lit(night.ds))
    return examples.withColumn("fit", F.explode(F.array_compact(F.array(*learns))))


def _factors(night: Night, taken: DataFrame, settings: Groups) -> DataFrame:
    """Return fit, item and vector; a fit that learns from nothing has none. Each is said, for it takes a while."""
    fits = sorted(row[0] for row in taken.select("fit").distinct().collect())
    none = taken.sparkSession.createDataFrame([], "item int, vector array<float>, fit string")
    found = [none]
    for fit in fits:
        begun = time.monotonic()
        factors = factors_of(taken.where(F.col("fit") == fit), settings, night.config.seed)
        found.append(factors.withColumn("fit", F.lit(fit)))
        night.say(f"  fit {fit}: {settings.factors} factors of every item in {time.monotonic() - begun:.1f} s")
    return reduce(DataFrame.unionByName, found)


def _with_numbers(users: DataFrame, numbers: Mapping[Place, int]) -> DataFrame:
    rows = [(*place, number) for place, number in numbers.items()]
    known = users.sparkSession.createDataFrame(rows, "fit string, scenario string, group int, number int")
    joined = users.join(F.broadcast(known), ["fit", "scenario", "group"])
    return joined.select("fit", "scenario", "user_id", F.col("number").alias("group"), "events")


def _groups(
    users: DataFrame, taken: DataFrame, settings: Groups, centres: Mapping[Place, NDArray[np.float64]]
) -> DataFrame:
    rows = [(*place, [float(value) for value in centre]) for place, centre in centres.items()]
    told = users.sparkSession.createDataFrame(rows, "fit string, scenario string, group int, centroid array<double>")
    key = ["fit", "scenario", "group"]
    sizes = users.groupBy(*key).agg(F.count("*").alias("users"))
    return told.join(sizes, key).join(favourites(taken, users, settings.items), key)


def _write(night: Night, lake: SparkLake, name: str, rows: DataFrame) -> None:
    key = [column for column in lake.lake.contract(name).key if column != "ds"]
    ordered = rows.withColumn("ds", F.lit(night.ds)).hint("rebalance", "ds").sortWithinPartitions(*key)
    lake.replace_days(name, ordered, night.ds, night.ds, night.fingerprint)


def _before(night: Night, lake: SparkLake, count: int) -> DataFrame | None:
    """Return who was in which group in fit A of the nearest earlier night, from which tonight's numbers are taken.

    That night may have had more groups; numbers that tonight has not are left out.
    """
    days = [day for day in lake.lake.days("user_groups") if day < night.ds]
    if not days:
        return None
    of_then = (F.col("ds") == F.lit(days[-1])) & (F.col("fit") == "A")
    return lake.table("user_groups").where(of_then & (F.col("group") < count))


def _told(night: Night, lake: SparkLake) -> Outcome:
    """Say how many users of how many groups are in each scenario by the last fit."""
    last = lake.table("groups").where((F.col("ds") == F.lit(night.ds)) & (F.col("fit") == FITS[-1]))
    counted = (
        last.groupBy("scenario").agg(F.count("*"), F.sum("users")).orderBy("scenario").collect()
    )  # a row a scenario
    for scenario, groups, users in counted:
        night.say(f"  {scenario}: {users:,} users in {groups} groups")
    notes = {"groups": {scenario: groups for scenario, groups, _ in counted}}
    return Outcome(notes, {"groups.users": float(sum(row[2] for row in counted))})


def _kept(rows: DataFrame, kept: ExitStack) -> DataFrame:
    """Return the rows, computed once for all that is asked of them until the step ends."""
    rows.persist()
    kept.callback(rows.unpersist)
    return rows


def _earlier(night: Night) -> Mapping[str, str]:
    """Return what names the earlier groups whose numbers tonight's take, for the fingerprint."""
    digests = {day: digest for day, digest in night.lake.digests("user_groups").items() if day < night.ds}
    return {f"groups of {day}": digests[day] for day in sorted(digests)[-1:]}


GROUP = Step(
    "group",
    reads=("examples", "vocabulary"),
    writes=TABLES,
    sections=("groups", "split", "transfer.source", "seed"),
    run=run,
    inputs=_earlier,
)
