"""The measures of scores that lie in files too large for one process, as Spark computes them: equal to the others.

Notes
-----
AUC is a sum over distinct scores, so rows become counts first. Where a score stands among all others is a cumulative
sum in ascending order, and no task may see all of it: the distinct scores are cut into ranges at quantiles, each range
is summed up by itself, the few sums of the ranges are added up, and each score gets the sum of the ranges before its
own. The cuts are numbers, not a sampled partitioning, so that a task that is run again sees the same range. A score
that very many rows share is one distinct score; a range is as long as there are distinct scores between two cuts.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from landbridge.evaluate.pointwise import BINS, NAMES

RANGES = 64
"""How many ranges the scores of a group are cut into, at most."""
_SMALL = 1e-7
_ERROR = 0.001


def pointwise_metrics(rows: DataFrame, by: Sequence[str], ranges: int = RANGES) -> DataFrame:
    """Return the measures of `evaluate.pointwise` by group: `by`, rows, then a column a measure; null is not defined.

    Parameters
    ----------
    rows
        user_id, label (1 or 0), score (a probability; no null and no NaN), and the columns of `by`.
    """
    score, label = F.col("score").cast("double"), F.col("label") > 0
    rows = rows.select(*by, "user_id", label.alias("label"), score.alias("score"))
    # Every measure but GAUC is a function of the scores and of how many rows of each kind have them.
    counts = rows.groupBy(*by, "score").agg(*_kinds())
    placed = cumulated(counts, by, _cuts(counts, ranges))
    found = placed.groupBy(*by).agg(*_of_order(), *_of_probabilities(), *_by_threshold())
    users = gauc(rows, by)
    # Without groups each side is one row.
    found = found.join(users, list(by), "left") if by else found.crossJoin(users)
    both = (F.col("positives") > 0) & (F.col("positives") < F.col("rows"))
    order = {name: F.when(both, F.col(name)) for name in ("auc", "gauc", "pr_auc", "ks")}
    return found.select(*by, "rows", *(order.get(name, F.col(name)).alias(name) for name in NAMES))


def ranking_metrics(rows: DataFrame, by: Sequence[str], k: int) -> DataFrame:
    """Return by group: units, ndcg, recall, hit_rate, mrr and map at k, each a mean over units.

    Parameters
    ----------
    rows
        A row an item that was taken: user_id, scenario, window, rank (from 0 in the full catalogue), and the columns of
        `by`. A unit is a user in a scenario and window.
    """
    unit = list(dict.fromkeys([*by, "scenario", "window", "user_id"]))
    inside = F.col("rank") < k
    # Hits are counted in the order of ranks: a unit is one user's list, never more than what one user took.
    ordered = Window.partitionBy(*unit).orderBy("rank")
    hits = rows.select(*unit, "rank", F.row_number().over(ordered).alias("hits"))
    ideal = F.aggregate(
        F.sequence(F.lit(1), F.least(F.lit(k), F.col("taken")).cast("int")),
        F.lit(0.0),
        lambda total, place: total + 1.0 / F.log2(place + F.lit(1.0)),
    )
    place = F.col("rank") + F.lit(1.0)
    units = hits.groupBy(*unit).agg(
        F.count(F.lit(1)).alias("taken"),
        F.sum(F.when(inside, 1.0 / F.log2(place + 1.0)).otherwise(0.0)).alias("gain"),
        F.sum(inside.cast("double")).alias("hit"),
        F.max(F.when(inside, 1.0 / place).otherwise(0.0)).alias("mrr"),
        F.sum(F.when(inside, F.col("hits") / place).otherwise(0.0)).alias("precision"),
    )
    values = {
        "ndcg": F.col("gain") / ideal,
        "recall": F.col("hit") / F.col("taken"),
        "hit_rate": (F.col("hit") > 0).cast("double"),
        "mrr": F.col("mrr"),
        "map": F.col("precision") / F.least(F.lit(k), F.col("taken")),
    }
    means = [F.avg(value).alias(name) for name, value in values.items()]
    return units.groupBy(*by).agg(F.count(F.lit(1)).alias("units"), *means)


def gauc(rows: DataFrame, by: Sequence[str]) -> DataFrame:
    """Return by group the mean AUC of single users with both kinds of rows; a window is one user's rows."""
    user = [*by, "user_id"]
    counts = rows.groupBy(*user, "score").agg(*_kinds())
    placed = counts.withColumn("below", _before("negative", Window.partitionBy(*user).orderBy("score")))
    shares = placed.groupBy(*user).agg(_share().alias("auc"))
    return shares.groupBy(*by).agg(F.avg("auc").alias("gauc"))


def _of_order() -> list[Column]:
    """Rows, positives, AUC, average precision and KS, from the counts at and below every distinct score."""
    negatives, positives = F.col("all_n"), F.col("all_p")
    # With this score as the threshold: those at it and above.
    true, false = positives - F.col("under"), negatives - F.col("below")
    apart = F.try_divide(true, positives) - F.try_divide(false, negatives)
    return [
        F.sum(_some()).alias("rows"),
        F.sum("positive").alias("positives"),
        _share().alias("auc"),
        F.sum(F.try_divide(F.col("positive") * true, (true + false) * positives)).alias("pr_auc"),
        F.max(apart).alias("ks"),
    ]


def _of_probabilities() -> list[Column]:
    """Log loss and calibration; the bins are of equal width."""
    score, positive, negative = F.col("score"), F.col("positive"), F.col("negative")
    clipped = F.greatest(F.lit(_SMALL), F.least(F.lit(1.0 - _SMALL), score))
    loss = -(positive * F.log(clipped) + negative * F.log1p(-clipped))
    place = F.least(F.floor(score * BINS), F.lit(BINS - 1))
    errors = [F.abs(F.sum(F.when(place == bin_, _some() * score - positive).otherwise(0.0))) for bin_ in range(BINS)]
    return [
        (F.sum(loss) / F.sum(_some())).alias("log_loss"),
        F.try_divide(F.sum(_some() * score), F.sum("positive")).alias("pcoc"),
        (sum(errors[1:], errors[0]) / F.sum(_some())).alias("ece"),
    ]


def _by_threshold() -> list[Column]:
    """What a threshold of one half gives."""
    said = F.col("score") >= 0.5
    hit, told = F.sum(F.when(said, F.col("positive")).otherwise(0)), F.sum(F.when(said, _some()).otherwise(0))
    right = F.sum(F.when(said, F.col("positive")).otherwise(F.col("negative")))
    return [
        (right / F.sum(_some())).alias("accuracy"),
        _or_zero(hit, told).alias("precision"),
        _or_zero(hit, F.sum("positive")).alias("recall"),
        _or_zero(2 * hit, told + F.sum("positive")).alias("f1"),
    ]


def cumulated(counts: DataFrame, by: Sequence[str], cuts: Sequence[float]) -> DataFrame:
    """Add `below` and `under`, the negatives and positives of lower scores, and the group's totals `all_n` and `all_p`.

    `counts` has a row a distinct score of a group: `by`, score, positive, negative.
    """
    ranged = counts.withColumn("range", _range_of(cuts))
    sums = ranged.groupBy(*by, "range").agg(F.sum("negative").alias("range_n"), F.sum("positive").alias("range_p"))
    # A row a range: these windows see a few rows a group, whatever the data.
    group = Window.partitionBy(*by) if by else Window.partitionBy(F.lit(0))
    starts = sums.select(
        *by,
        "range",
        _before("range_n", group.orderBy("range")).alias("start_n"),
        _before("range_p", group.orderBy("range")).alias("start_p"),
        F.sum("range_n").over(group).alias("all_n"),
        F.sum("range_p").over(group).alias("all_p"),
    )
    lower = Window.partitionBy(*by, "range").orderBy("score")
    within = ranged.select(
        "*", _before("negative", lower).alias("lower_n"), _before("positive", lower).alias("lower_p")
    )
    joined = within.join(F.broadcast(starts), [*by, "range"])
    return joined.withColumns(
        {"below": F.col("start_n") + F.col("lower_n"), "under": F.col("start_p") + F.col("lower_p")}
    )


def _before(column: str, window: WindowSpec) -> Column:
    """Return the sum of a column over the rows before."""
    return F.coalesce(F.sum(column).over(window.rowsBetween(Window.unboundedPreceding, -1)), F.lit(0))


def _cuts(counts: DataFrame, ranges: int) -> list[float]:
    """Return scores between which lie about as many distinct scores, over all groups: a few numbers, ascending."""
    shares = [place / ranges for place in range(1, ranges)]
    return sorted(set(counts.approxQuantile("score", shares, _ERROR)))


def _range_of(cuts: Sequence[float]) -> Column:
    """Return the number of cuts that are below the score."""
    place = F.lit(0)
    for cut in cuts:
        place = place + (F.col("score") > F.lit(cut)).cast("int")
    return place


def _some() -> Column:
    return F.col("positive") + F.col("negative")


def _or_zero(part: Column, whole: Column) -> Column:
    return F.coalesce(F.try_divide(part, whole), F.lit(0.0))


def _kinds() -> list[Column]:
    label = F.col("label").cast("long")
    return [F.sum(label).alias("positive"), F.sum(1 - label).alias("negative")]


def _share() -> Column:
    """Return the share of pairs that are in the right order, ties counting one half; null without pairs."""
    wins = F.col("positive") * (F.col("below") + F.col("negative") / 2.0)
    return F.try_divide(F.sum(wins), F.sum("positive").cast("double") * F.sum("negative"))
