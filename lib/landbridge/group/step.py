"""The step `group`: who is interested in what, scenario by scenario, and how groups flow between scenarios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.days import FITS, Fit, days_of
from landbridge.config.groups import Groups
from landbridge.errors import DataError
from landbridge.feed.questions import LEARNED
from landbridge.group.clusters import Centres, clustered, renumbered
from landbridge.group.flow import favourites, flow_of
from landbridge.group.interests import factors_of, interests_of, taken_of
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome, Step

TABLES = ("item_factors", "user_groups", "groups", "group_flow")


@dataclass(frozen=True)
class Grouped:
    """What one fit has of each table, but for the columns ds and fit."""

    tables: Mapping[str, DataFrame]

    @property
    def users(self) -> DataFrame:
        """Who is in which group."""
        return self.tables["user_groups"]


def run(night: Night) -> Outcome:
    """Write the day's groups of every fit, each of the events that the fit learns from and of no others."""
    settings = night.config.groups
    if settings is None:
        night.say("nobody is grouped: no section groups")
        return Outcome(notes={"left_out": ["no section groups"]})
    lake, found = night.spark_lake(), dict[str, Grouped]()
    with ExitStack() as kept, _explained():
        before = _before(night, lake, settings.count)
        for fit in FITS:
            taken = _kept(taken_of(_learned(night, lake, fit), lake.table("vocabulary")), kept)
            grouped = None if taken.isEmpty() else _grouped(taken, night, settings, before, kept)
            if grouped is not None:
                found[fit], before = grouped, grouped.users
        if not found:
            raise DataError(
                f"up to {night.ds} nobody has {settings.min_events} events in a scenario that give him an item, so "
                "nobody can be grouped; lower groups.min_events, or correct features.had"
            )
        _write(night, lake, found)
    return _told(night, lake)


def _learned(night: Night, lake: SparkLake, fit: Fit) -> DataFrame:
    """Return the examples that a fit learns from."""
    examples = lake.table("examples").where(F.col("ds") <= F.lit(days_of(night.config, night.ds).until(fit)))
    if night.config.split.part is None:
        return examples
    return examples.where(F.col("part").isin(list(LEARNED[fit])))


def _grouped(
    taken: DataFrame, night: Night, settings: Groups, before: DataFrame | None, kept: ExitStack
) -> Grouped | None:
    """Return what a fit has of each table; None where nobody has enough events."""
    seed = night.config.seed
    factors = _kept(factors_of(taken, settings, seed), kept)
    interests = _kept(interests_of(taken, factors, settings.min_events), kept)
    if interests.isEmpty():
        return None
    raw, centres = clustered(interests, settings, seed)
    numbers = renumbered(raw, before)
    users = _kept(_with_numbers(raw, numbers), kept)
    names = taken.select("item", "item_id").distinct()
    tables = {
        "item_factors": factors.join(names, "item"),
        "user_groups": users,
        "groups": _groups(users, taken, settings, {place: centres[old] for old, place in _places(numbers).items()}),
        "group_flow": flow_of(users, night.config.transfer.source, settings.smoothing),
    }
    return Grouped(tables)


def _places(numbers: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], tuple[str, int]]:
    return {(scenario, group): (scenario, number) for (scenario, group), number in numbers.items()}


def _with_numbers(users: DataFrame, numbers: Mapping[tuple[str, int], int]) -> DataFrame:
    rows = [(scenario, group, number) for (scenario, group), number in numbers.items()]
    known = users.sparkSession.createDataFrame(rows, "scenario string, group int, number int")
    joined = users.join(F.broadcast(known), ["scenario", "group"])
    return joined.select("scenario", "user_id", F.col("number").alias("group"), "events")


def _groups(users: DataFrame, taken: DataFrame, settings: Groups, centres: Centres) -> DataFrame:
    rows = [(scenario, group, [float(value) for value in centre]) for (scenario, group), centre in centres.items()]
    told = users.sparkSession.createDataFrame(rows, "scenario string, group int, centroid array<double>")
    sizes = users.groupBy("scenario", "group").agg(F.count("*").alias("users"))
    named = favourites(taken, users, settings.items)
    return told.join(sizes, ["scenario", "group"]).join(named, ["scenario", "group"])


def _write(night: Night, lake: SparkLake, found: Mapping[str, Grouped]) -> None:
    for name in TABLES:
        parts = [grouped.tables[name].withColumn("fit", F.lit(fit)) for fit, grouped in found.items()]
        rows = reduce(DataFrame.unionByName, parts).withColumn("ds", F.lit(night.ds))
        key = [column for column in lake.lake.contract(name).key if column != "ds"]
        lake.replace_days(
            name, rows.hint("rebalance", "ds").sortWithinPartitions(*key), night.ds, night.ds, night.fingerprint
        )


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


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise DataError(f"the users cannot be grouped: {complaint(error)}") from error


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
