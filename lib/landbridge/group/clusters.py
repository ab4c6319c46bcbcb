"""Clusters of interests: the groups of each scenario, and their numbers, which they keep from fit to fit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.clustering import KMeans
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.optimize import linear_sum_assignment

from landbridge.config.groups import Groups

Centres = dict[tuple[str, int], NDArray[np.float64]]
"""Of a scenario's group."""


def clustered(interests: DataFrame, settings: Groups, seed: int) -> tuple[DataFrame, Centres]:
    """Return scenario, user_id, events and group of every user, and the centre of each group.

    A scenario has `settings.count` groups, or fewer where they would have fewer than `settings.min_users` on the
    average; a group that nobody is in is left out.
    """
    sizes = {row[0]: row[1] for row in interests.groupBy("scenario").count().collect()}  # a row a scenario
    parts, centres = [], Centres()
    for scenario, users in sorted(sizes.items()):
        own = interests.where(F.col("scenario") == scenario)
        many = max(1, min(settings.count, users // settings.min_users))
        grouped, found = _together(own) if many == 1 else _apart(own, many, seed)
        parts.append(grouped.select("scenario", "user_id", "events", "group"))
        centres |= {(scenario, group): centre for group, centre in enumerate(found)}
    return reduce(DataFrame.unionByName, parts), centres


def _apart(interests: DataFrame, many: int, seed: int) -> tuple[DataFrame, list[NDArray[np.float64]]]:
    means = KMeans(k=many, seed=seed, featuresCol="interest", predictionCol="group")
    model = means.fit(interests)
    return model.transform(interests), model.clusterCenters()


def _together(interests: DataFrame) -> tuple[DataFrame, list[NDArray[np.float64]]]:
    """Return the one group of a scenario of few users."""
    mean = interests.select(Summarizer.mean(F.col("interest")).alias("mean")).collect()[0]["mean"]
    return interests.withColumn("group", F.lit(0)), [mean.toArray()]


def renumbered(users: DataFrame, before: DataFrame | None) -> dict[tuple[str, int], int]:
    """Return the number of each group: of those of a scenario `before`, the one with which it shares most users.

    Networks that are continued have learned something of each number.
    """
    pairs = users.select("scenario", "group").distinct().withColumns({"old": F.lit(0), "users": F.lit(0)})
    if before is not None:
        earlier = before.select("scenario", "user_id", F.col("group").alias("old"))
        both = users.join(earlier, ["scenario", "user_id"]).groupBy("scenario", "group", "old")
        pairs = pairs.unionByName(both.agg(F.count("*").alias("users")))
    shared: dict[str, dict[tuple[int, int], int]] = {}
    for scenario, group, old, users_both in pairs.collect():  # a row a pair of groups at most
        cells = shared.setdefault(scenario, {})
        cells[group, old] = cells.get((group, old), 0) + users_both
    return {
        (scenario, group): number for scenario, cells in shared.items() for group, number in _matched(cells).items()
    }


def _matched(cells: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """Return group to number; without shared users each keeps its own."""
    groups = sorted({group for group, _ in cells})
    numbers = 1 + max(number for pair in cells for number in pair)
    users_GN = np.zeros((len(groups), numbers))
    for (group, old), users in cells.items():
        users_GN[groups.index(group), old] += users
    users_GN[np.arange(len(groups)), groups] += 0.5  # less than any user
    rows, columns = linear_sum_assignment(users_GN, maximize=True)
    return {groups[row]: int(column) for row, column in zip(rows, columns, strict=True)}
