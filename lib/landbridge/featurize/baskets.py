"""Events of one user and one moment are a basket: they do not see each other, and all of them see what was before.

Working on baskets instead of events makes "before" a matter of time and not of rows, and one history serves all
events of a basket.
"""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from landbridge.config.schema import Config
from landbridge.config.science import Running
from landbridge.featurize.pointwise import part_of
from landbridge.lake.expressions import expression

HISTORY = ("item_id", "scenario", "event_type", "outcome", "ts")


def baskets(events: DataFrame, config: Config) -> DataFrame:
    """Return a row for each user and moment: user_id, ts, ds, `events`, `history` and `running_<name>`.

    `events` holds all events of the basket by event_id, with `had`, `part` where the split declares parts, and what
    statistics are made of (`item_<name>`).
    `running_<name>` is the basket's own part of the aggregate, added up in the order of event_id, so that it is
    the same to the last bit every time.
    """
    features = config.features
    had = F.coalesce(_configured(events, config, features.had, "had").cast("boolean"), F.lit(False))
    columns = {name: F.col(name) for name in ("event_id", *HISTORY)} | {"had": had}
    columns |= {
        f"item_{name}": _configured(events, config, sql, f"item.{name}").try_cast("double")
        for name, sql in features.item.items()
    }
    columns |= {
        f"running_{name}": _configured(events, config, _sql(rule), f"running.{name}").try_cast("double")
        for name, rule in features.running.items()
    }
    if config.split.part is not None:
        columns["part"] = part_of(events, config)
    collected = F.array_sort(F.collect_list(F.struct(*(value.alias(name) for name, value in columns.items()))))
    grouped = events.groupBy("user_id", "ts").agg(F.min("ds").alias("ds"), collected.alias("events"))
    own = {f"running_{name}": _folded(name, rule) for name, rule in features.running.items()}
    latest = F.slice("events", F.greatest(F.size("events") - features.history + 1, F.lit(1)), features.history)
    return grouped.select(
        "user_id",
        "ts",
        "ds",
        "events",
        F.transform(latest, _remembered).alias("history"),
        *(value.alias(name) for name, value in own.items()),
    )


def as_of(found: DataFrame, base: DataFrame, config: Config) -> DataFrame:
    """Add to each basket what the user had done strictly before it.

    Parameters
    ----------
    found
        `baskets` of the days after the base.
    base
        One row a user who was known before: user_id, ts, `history`, `running_<name>`. It comes before all baskets.

    Returns
    -------
    DataFrame
        Baskets and base rows (those have no `events`) with `before_history`, `before_<name>`, the same after the basket
        as `after_history`, `after_<name>`, and `is_last`, true on a user's last row.
    """
    rows = base.unionByName(found, allowMissingColumns=True).withColumn("is_new", F.col("events").isNotNull())
    # The last L baskets hold the last L events, so a window of L rows is enough however long a user has been here.
    user = Window.partitionBy("user_id").orderBy("is_new", "ts")
    recent, all_before = user.rowsBetween(-config.features.history, -1), user.rowsBetween(Window.unboundedPreceding, -1)
    before: dict[str, Column] = {"before_history": _last(F.flatten(F.collect_list("history").over(recent)), config)}
    for name, rule in config.features.running.items():
        before[f"before_{name}"] = _aggregate(rule, f"running_{name}").over(all_before)
    rows = rows.withColumns({**before, "is_last": F.lead("is_new").over(user).isNull()})
    after = {"after_history": _last(F.concat("before_history", "history"), config)}
    for name, rule in config.features.running.items():
        after[f"after_{name}"] = _joined(rule, F.col(f"before_{name}"), F.col(f"running_{name}"))
    return rows.withColumns(after)


def user_features(rows: DataFrame, config: Config, prefix: str) -> DataFrame:
    """Add the configured user features: expressions over the running aggregates (columns `prefix` + name) and ts."""
    plain = rows.select("ts", *(F.col(f"{prefix}{name}").alias(name) for name in config.features.running))
    for name, sql in config.features.user.items():
        expression(plain, sql, f"{config.name}.yaml: features.user.{name}")
    # The names of the configuration are put in place of the prefixed ones for as long as the expressions are evaluated.
    kept = F.struct(*(F.col(f"`{column}`") for column in rows.columns)).alias("__row")
    named = rows.select(kept, "ts", *(F.col(f"{prefix}{name}").alias(name) for name in config.features.running))
    features = (F.expr(sql).try_cast("double").alias(name) for name, sql in config.features.user.items())
    return named.select("__row.*", *features)


def end_of(ds: dt.date, time_zone: str) -> Column:
    """The moment at which a day ends in a time zone."""
    return F.to_utc_timestamp(F.lit(ds + dt.timedelta(days=1)).cast("timestamp"), time_zone)


def _configured(events: DataFrame, config: Config, sql: str, key: str) -> Column:
    return expression(events, sql, f"{config.name}.yaml: features.{key}")


def _remembered(event: Column) -> Column:
    return F.struct(*(event[name].alias(name) for name in HISTORY))


def _last(events: Column, config: Config) -> Column:
    length = config.features.history
    return F.slice(events, F.greatest(F.size(events) - length + 1, F.lit(1)), length)


def _sql(rule: Running) -> str:
    return str(rule.sum or rule.min or rule.max)


def _aggregate(rule: Running, column: str) -> Column:
    if rule.sum is not None:
        return F.sum(column)
    return F.min(column) if rule.min is not None else F.max(column)


def _folded(name: str, rule: Running) -> Column:
    values = F.filter(F.transform("events", lambda event: event[f"running_{name}"]), lambda value: value.isNotNull())
    if rule.min is not None:
        return F.array_min(values)
    if rule.max is not None:
        return F.array_max(values)
    total = F.aggregate(values, F.lit(0.0), lambda total, value: total + value)
    return F.when(F.size(values) > 0, total)


def _joined(rule: Running, before: Column, own: Column) -> Column:
    if rule.sum is not None:
        return F.coalesce(before + own, before, own)
    return F.least(before, own) if rule.min is not None else F.greatest(before, own)
