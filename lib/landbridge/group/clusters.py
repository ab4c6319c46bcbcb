"""Clusters of interests: the groups of each scenario, and their numbers, which they keep from fit to fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.clustering import KMeans
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.optimize import linear_sum_assignment

from landbridge.config.days import FITS
from landbridge.config.groups import Groups

Place = tuple[str, str, int]
"""Fit, scenario and group."""


def clustered(interests: DataFrame, settings: Groups, seed: int) -> tuple[DataFrame, dict[Place, NDArray[np.float64]]]:
    """Return fit, scenario, user_id, events and group of every user, and the centre of each group.

    A scenario has `settings.count` groups, or fewer where they would have fewer than `settings.min_users` on the
    average; a group that nobody is in is left out.
    """
    sizes = interests.groupBy("fit", "scenario").count().collect()  # a row a scenario
    parts, centres = [], dict[Place, NDArray[np.float64]]()
    for fit, scenario, users in sorted(map(tuple, sizes)):
        own = interests.where((F.col("fit") == fit) & (F.col("scenario") == scenario))
        many = max(1, min(settings.count, users // settings.min_users))
        grouped, found = _together(own) if many == 1 else _apart(own, many, seed)
        parts.append(grouped.select("fit", "scenario", "user_id", "events", "group"))
        centres |= {(fit, scenario, group): centre for group, centre in enumerate(found)}
    return reduce(DataFrame.unionByName, parts), centres


def _apart(interests: DataFrame, many: int, seed: int) -> tuple[DataFrame, list[NDArray[np.float64]]]:
    means = KMeans(k=many, seed=seed, featuresCol="interest", predictionCol="group")
    model = means.fit(interests)
    return model.transform(interests), model.clusterCenters()


def _together(interests: DataFrame) -> tuple[DataFrame, list[NDArray[np.float64]]]:
    """Return the one group of a scenario of few users."""
    mean = interests.select(Summarizer.mean(F.col("interest")).alias("mean")).collect()[0]["mean"]
    return interests.withColumn("group", F.lit(0)), [mean.toArray()]


def renumbered(users: DataFrame, before: DataFrame | None) -> dict[Place, int]:
    """Return the number of each group: of those of its scenario in the fit before, the one with most users in common.

    Networks that are continued have learned something of each number. `before` are the users of the fit before the
    first, under their numbers.
    """
    after = F.create_map(*(F.lit(fit) for pair in pairwise(FITS) for fit in pair))
    group = F.col("group").alias("old")
    earlier = users.select(after[F.col("fit")].alias("fit"), "scenario", "user_id", group)
    if before is not None:
        earlier = earlier.unionByName(before.select(F.lit(FITS[0]).alias("fit"), "scenario", "user_id", group))
    both = users.join(earlier, ["fit", "scenario", "user_id"]).groupBy("fit", "scenario", "group", "old")
    alone = users.select("fit", "scenario", "group").distinct().withColumns({"old": group, "users": F.lit(0)})
    rows = both.agg(F.count("*").alias("users")).unionByName(alone).collect()  # a row a pair of groups at most
    numbers: dict[Place, int] = {}
    for fit, scenario in sorted({(row["fit"], row["scenario"]) for row in rows}):
        cells: dict[tuple[int, int], int] = defaultdict(int)
        for row in rows:
            if (row["fit"], row["scenario"]) == (fit, scenario):
                old = numbers.get((_before(fit), scenario, row["old"]), row["old"])
                cells[row["group"], old] += row["users"]
        numbers |= {(fit, scenario, one): number for one, number in _matched(cells).items()}
    return numbers


def _before(fit: str) -> str:
    """Return the fit that this one continues; none before the first."""
    earlier: dict[str, str] = {later: one for one, later in pairwise(FITS)}
    return earlier.get(fit, "")


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
