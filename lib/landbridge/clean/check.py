"""`landbridge check`: the configuration against a sample of the data, before anything is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from landbridge.clean.audit import Counts, audit, count, observed
from landbridge.clean.catalogue import items_of
from landbridge.clean.files import expected_path, find, find_catalogue
from landbridge.clean.read import explained, read_catalogue, read_raw
from landbridge.clean.rows import cleaned, events_of
from landbridge.config.days import days_of
from landbridge.config.schema import Config
from landbridge.errors import ConfigError, DataError
from landbridge.lake.contracts import contracts
from landbridge.lake.expressions import expression

SAMPLE = 10_000


def check(config: Config, spark: SparkSession, ds: dt.date | None = None, rows: int = SAMPLE) -> list[str]:
    """Read rows of one day, apply everything that the configuration declares to them, and say what came of it.

    The day is `ds`, or the latest one before it that has a file, or the latest of all.

    Raises
    ------
    DataError
        Where no file is found, or it is not what the configuration says.
    ConfigError
        With the key, the expression and Spark's complaint.
    """
    since = config.data.reader.first_day if ds is None else days_of(config, ds).first
    files = find(config, since, ds or dt.date.max, spark)
    if not files:
        where = expected_path(config, ds) if ds is not None else config.data.reader.path
        raise DataError(
            f"there is no file: {where} matches nothing from {since} on; correct data.reader.path or first_day"
        )
    day = max(files)
    with explained(config.data.reader):
        raw = read_raw(spark, config.data, files[day]).limit(rows)
        watched, read = observed(raw)
        result = cleaned(watched, config).persist()
        try:
            counts = count(raw, read, result)
            audit(counts, [day], config)
            told = _features(events_of(result), config) + _newcomers(events_of(result), config)
        finally:
            result.unpersist()
    return [
        f"{files[day][0].path}: {counts.sentence()}{' (a sample)' if counts.read == rows else ''}",
        *_rules(counts),
        *told,
        *_catalogue(config, spark, day, rows),
    ]


def _catalogue(config: Config, spark: SparkSession, day: dt.date, rows: int) -> list[str]:
    """Compute what the newest catalogue up to the day tells of its first rows; without one, analyse its expressions."""
    catalogue = config.data.catalogue
    if catalogue is None:
        return []
    found = find_catalogue(config, config.data.reader.first_day, day, spark)
    files = found[max(found)] if found else []
    with explained(catalogue):
        items = items_of(read_catalogue(spark, config.data, catalogue, files).limit(rows), catalogue, config)
        counts = items.agg(F.count("*").alias("rows"), *(F.count(name).alias(name) for name in items.columns)).first()
    assert counts is not None
    if not files:
        return [f"data.catalogue: {catalogue.path} matches nothing up to {day}; items are those that have events"]
    sample = " (a sample)" if counts["rows"] == rows else ""
    return [
        f"{files[0].path}: {counts['rows']:,} rows, {counts['item_id']:,} of them with an item_id{sample}",
        *(f"data.catalogue.items.{name}: in {counts[name]:,} of {counts['rows']:,} rows" for name in config.data.items),
    ]


def _rules(counts: Counts) -> list[str]:
    return [f"rule {name}: {rows:,} of {counts.read:,} rows" for name, rows in counts.rules.items()]


def _features(events: DataFrame, config: Config) -> list[str]:
    """Analyse every expression over events, and compute those of the features on the sample."""
    file, features = f"{config.name}.yaml", config.features
    columns = events.select(*contracts(config)["events"].columns)
    for table, attributes in (("items", config.data.items), ("users", config.data.users)):
        for name, sql in attributes.items():
            expression(columns, sql, f"{file}: data.{table}.{name}")
    numbers = {f"features.item.{name}": sql for name, sql in features.item.items()}
    numbers |= {
        f"features.running.{name}": str(rule.sum or rule.min or rule.max) for name, rule in features.running.items()
    }
    values = {key: expression(columns, sql, f"{file}: {key}").cast("double") for key, sql in numbers.items()}
    values["features.had"] = expression(columns, features.had, f"{file}: features.had").cast("boolean").cast("double")
    values |= _split_and_questions(columns, config)
    _scoring(columns, config)
    found = columns.agg(*(F.avg(value).alias(key) for key, value in values.items())).first()
    assert found is not None
    return [
        f"{key}: mean {found[key]:.4g}" if found[key] is not None else f"{key}: no value in the sample"
        for key in values
    ]


def _newcomers(events: DataFrame, config: Config) -> list[str]:
    """Analyse what newcomers declare; say of each whether the sample knows it, and its neighbours.

    Raises
    ------
    ConfigError
        None of the scenarios that a newcomer is like is in the sample.
    """
    if not config.newcomers:
        return []
    file, contract = f"{config.name}.yaml", contracts(config)
    items = _typed(events, {name: one.type for name, one in contract["items"].columns.items()} | {"events": "bigint"})
    states = _typed(events, {name: one.type for name, one in contract["user_state"].columns.items()})
    seen = {row.scenario for row in events.select("scenario").distinct().collect()}  # one row a scenario
    told = []
    for name, newcomer in config.newcomers.items():
        key = f"newcomers.{name}"
        expression(items, newcomer.catalogue, f"{file}: {key}.catalogue")
        expression(states, newcomer.audience, f"{file}: {key}.audience")
        like = sorted(set(newcomer.like or seen) & seen)
        if not like:
            raise ConfigError(
                f"{file}: {key}.like names {', '.join(sorted(newcomer.like or ()))}, and the sample has none of them, "
                f"so it is nobody's neighbour; scenarios of the sample: {', '.join(sorted(seen))}"
            )
        told.append(
            f"{key}: has events already, so it is a scenario like any other; take it out of newcomers"
            if name in seen
            else f"{key}: no event in the sample; neighbours that have: {', '.join(like)}"
        )
    return told


def _typed(events: DataFrame, kinds: Mapping[str, str]) -> DataFrame:
    """Return columns of these types without values: for what is evaluated over tables that do not exist yet."""
    return events.select(*(F.lit(None).cast(kind).alias(name) for name, kind in kinds.items()))


def _split_and_questions(columns: DataFrame, config: Config) -> dict[str, Column]:
    """Analyse the expressions of the split and of a pointwise task; return those that are numbers."""
    file, task = f"{config.name}.yaml", config.pointwise
    if config.split.part is not None:
        expression(columns, config.split.part, f"{file}: split.part")
    if task is None:
        return {}
    for name, sql in task.categories.items():
        expression(columns, sql, f"{file}: pointwise.categories.{name}")
    if task.tags is not None:
        expression(columns, task.tags, f"{file}: pointwise.tags")
    told = {"label": task.label, **({} if task.value is None else {"value": task.value})}
    told |= {f"numbers.{name}": sql for name, sql in task.numbers.items()}
    return {
        f"pointwise.{key}": expression(columns, sql, f"{file}: pointwise.{key}").try_cast("double")
        for key, sql in told.items()
    }


def _scoring(columns: DataFrame, config: Config) -> None:
    """Analyse what is evaluated over running aggregates and user states, none of which exist yet."""
    file = f"{config.name}.yaml"
    running = columns.select("ts", *(F.lit(None).cast("double").alias(name) for name in config.features.running))
    for name, sql in config.features.user.items():
        kind = (
            running.select(expression(running, sql, f"{file}: features.user.{name}").alias("value"))
            .schema["value"]
            .dataType
        )
        if kind.typeName() in ("array", "map", "struct"):
            raise ConfigError(
                f"{file}: features.user.{name}: the expression `{sql}` is {kind.simpleString()}; a feature is a number"
            )
    states = {name: column.type for name, column in contracts(config)["user_state"].columns.items()} | {
        "scenario": "string"
    }
    expression(_typed(columns, states), config.recommend.audience, f"{file}: recommend.audience")
