"""What groups took, and where users of a group of one scenario stand in another."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def favourites(taken: DataFrame, users: DataFrame, many: int) -> DataFrame:
    """Return fit, scenario, group and items: those whose share of takers is most above that in the whole scenario."""
    had = taken.select("fit", "scenario", "user_id", "item_id").join(users, ["fit", "scenario", "user_id"])
    all_of = users.groupBy("fit", "scenario").agg(F.count("*").alias("all_users"))
    size_of = users.groupBy("fit", "scenario", "group").agg(F.count("*").alias("group_users"))
    takers = had.groupBy("fit", "scenario", "item_id").agg(F.count("*").alias("all_takers"))
    counted = had.groupBy("fit", "scenario", "group", "item_id").agg(F.count("*").alias("takers"))
    joined = counted.join(takers, ["fit", "scenario", "item_id"]).join(F.broadcast(all_of), ["fit", "scenario"])
    lift = F.col("takers") / F.col("group_users") - F.col("all_takers") / F.col("all_users")
    rated = joined.join(F.broadcast(size_of), ["fit", "scenario", "group"]).withColumn("lift", lift)
    order = Window.partitionBy("fit", "scenario", "group").orderBy(F.desc("lift"), F.desc("takers"), "item_id")
    best = rated.withColumn("place", F.row_number().over(order)).where(F.col("place") <= many)
    listed = F.sort_array(F.collect_list(F.struct("place", "item_id")))
    named = best.groupBy("fit", "scenario", "group").agg(listed.alias("listed"))
    return named.select("fit", "scenario", "group", F.col("listed.item_id").alias("items"))


def flow_of(users: DataFrame, source: str, smoothing: float) -> DataFrame:
    """Return fit, source, source_group, target, target_group, users, share: from transfer.source to others, and back.

    With n users of a source's group in some group of the target, m of them in one, and p the share of all the target's
    users that are in that one, the share is (m + smoothing p) / (n + smoothing).
    """
    sizes = users.groupBy("fit", "scenario", "group").agg(F.count("*").alias("size"))
    whole = Window.partitionBy("fit", "scenario")
    marginal = sizes.withColumn("marginal", F.col("size") / F.sum("size").over(whole)).drop("size")
    ones = sizes.select("fit", F.col("scenario").alias("source"), F.col("group").alias("source_group"))
    others = marginal.select("fit", F.col("scenario").alias("target"), F.col("group").alias("target_group"), "marginal")
    crosses = (F.col("source") == source) != (F.col("target") == source)
    grid = ones.join(F.broadcast(others), "fit").where(crosses)  # groups by groups
    here = users.select("fit", "user_id", F.col("scenario").alias("source"), F.col("group").alias("source_group"))
    there = users.select("fit", "user_id", F.col("scenario").alias("target"), F.col("group").alias("target_group"))
    key = ["fit", "source", "source_group", "target", "target_group"]
    both = here.join(there, ["fit", "user_id"]).where(crosses).groupBy(*key).agg(F.count("*").alias("users"))
    filled = grid.join(both, key, "left").fillna(0, ["users"])
    total = F.sum("users").over(Window.partitionBy("fit", "source", "source_group", "target"))
    share = (F.col("users") + smoothing * F.col("marginal")) / (total + smoothing)
    return filled.select(*key, "users", share.alias("share"))
