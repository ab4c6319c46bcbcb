"""The step `featurize`: events become vocabulary, statistics, examples, histories and the user state of ds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.pointwise import Pointwise
from landbridge.config.schema import Config
from landbridge.errors import DataError, LandbridgeError
from landbridge.featurize.baskets import as_of, baskets
from landbridge.featurize.pointwise import REFUSED, pointwise_examples
from landbridge.featurize.stale import COLUMNS, FEATURES, Stale, examples_notes, notes_of, stale
from landbridge.featurize.states import events_of, examples_of, histories_of, states_of
from landbridge.featurize.statistics import daily_statistics
from landbridge.featurize.vocabulary import new_values
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.lake.together import together
from landbridge.step import Night, Outcome, Step


def run(night: Night) -> Outcome:
    """Featurize the days that changed or follow one that changed; then write every user's state at the end of ds."""
    todo = stale(night.lake, night.config, night.ds)
    if todo.since is None and not todo.ids_are_current:
        _write_ids(night)
    if night.config.pointwise is not None:
        return _questions(night, night.config.pointwise, todo)
    if todo.since is None and todo.state_is_current:
        night.say("every day is featurized already")
        return Outcome(notes=notes_of(night.lake, todo, night.ds))
    night.say(
        f"examples {f'from {todo.since} on' if todo.since else 'are current'}; user state "
        f"{f'continues that of {todo.base}' if todo.base else 'from the first event on'}"
    )
    lake = night.spark_lake()
    with _explained():
        rows = history_of(lake, night.config, night.ds, todo.base).persist()
        try:
            if todo.since is not None:
                _write_days(night, lake, rows, todo.since)
            states = states_of(rows, _base(lake, todo.base), night.config, night.ds)
            lake.replace_days("user_state", states.hint("rebalance"), night.ds, night.ds, night.fingerprint)
        finally:
            rows.unpersist()
    return Outcome(notes=notes_of(night.lake, todo, night.ds))


def _questions(night: Night, task: Pointwise, todo: Stale) -> Outcome:
    """Write vocabulary and examples of the days that changed; a question has no history, so no state is kept."""
    if todo.since is None:
        night.say("every day is featurized already")
        return Outcome(notes=examples_notes(night.lake, todo, night.ds))
    night.say(f"examples from {todo.since} on")
    lake, since = night.spark_lake(), todo.since
    with _explained():
        events = lake.table("events").where(F.col("ds").between(F.lit(since), F.lit(night.ds)))
        examples = pointwise_examples(events, task, night.config).hint("rebalance", "ds")
        together(
            lambda: lake.append("vocabulary", _fresh(night, lake, events), night.fingerprint),
            lambda: lake.replace_days(
                "examples",
                examples.sortWithinPartitions("ds", "scenario", "user_id", "example_id"),
                since,
                night.ds,
                night.fingerprint,
            ),
        )
    return Outcome(notes=examples_notes(night.lake, todo, night.ds))


def history_of(lake: SparkLake, config: Config, ds: dt.date, base: dt.date | None) -> DataFrame:
    """Baskets of the days after `base` up to ds, with what was before each, and the states of `base`."""
    events = lake.table("events").where(F.col("ds") <= F.lit(ds))
    if base is not None:
        events = events.where(F.col("ds") > F.lit(base))
    running = [f"running_{name}" for name in config.features.running]
    return as_of(baskets(events, config), _base(lake, base).select("user_id", "ts", "history", *running), config)


def _base(lake: SparkLake, base: dt.date | None) -> DataFrame:
    states = lake.table("user_state")
    return states.where(F.lit(False)) if base is None else states.where(F.col("ds") == F.lit(base))


def _write_days(night: Night, lake: SparkLake, rows: DataFrame, since: dt.date) -> None:
    """Write vocabulary, statistics, examples and histories of the days from `since` to ds."""
    events = events_of(rows, night.config, since)
    fresh = _fresh(night, lake, events)
    statistics = daily_statistics(events, night.config)
    ordered = statistics.hint("rebalance", "ds").sortWithinPartitions("ds", "feature", "scenario", "value")
    examples, histories = (make(rows, night.config, since) for make in (examples_of, histories_of))
    together(
        lambda: lake.append("vocabulary", fresh, night.fingerprint),
        lambda: lake.replace_days("statistics", ordered, since, night.ds, night.fingerprint),
        lambda: lake.replace_days("examples", examples, since, night.ds, night.fingerprint),
        lambda: lake.replace_days("histories", histories, since, night.ds, night.fingerprint),
    )


def _write_ids(night: Night) -> None:
    """Give ids to items that catalogues list, where the events have not changed."""
    lake = night.spark_lake()
    fresh = _fresh(night, lake, lake.table("events").where(F.lit(False)))
    night.say(f"ids for what the table items has up to {night.ds}")
    lake.append("vocabulary", fresh, night.fingerprint)


def _fresh(night: Night, lake: SparkLake, events: DataFrame) -> DataFrame:
    items = None
    if night.config.data.catalogue is not None:
        items = lake.table("items").where(F.col("valid_from") <= F.lit(night.ds))
    fresh = new_values(events, lake.table("vocabulary"), items)
    return fresh.hint("rebalance", "field").sortWithinPartitions("field", "id")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except LandbridgeError as error:
        if REFUSED not in str(error):
            raise
        cause = error.__cause__ or error
        raise DataError(f"the events cannot be featurized: {complaint(cause)}; correct `split.part`") from error
    except (PySparkException, Py4JError) as error:
        raise DataError(
            f"the events cannot be featurized: {complaint(error)}; "
            "correct the expression of `features`, `pointwise` or `split` that fails on them"
        ) from error


FEATURIZE = Step(
    "featurize",
    reads=("events",),
    writes=("vocabulary", "statistics", "examples", "histories", "user_state"),
    sections=(
        "data",
        *(f"features.{name}" for name in sorted(FEATURES)),
        *(f"pointwise.{name}" for name in sorted(COLUMNS)),
        "split.part",
    ),
    run=run,
)
FEATURIZE_LISTED = replace(FEATURIZE, reads=("events", "items"))
"""Where catalogues list items: what they list gets ids too."""
