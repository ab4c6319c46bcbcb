"""The contract of every table: columns with types and comments, key, partitioning, constraints, retention.

Nobody else spells a path or a type.
"""

from __future__ import annotations

from collections.abc import Mapping

from landbridge.config.pointwise import Pointwise
from landbridge.config.schema import Config
from landbridge.lake.contract import DS, SCENARIO, Column, Contract, required
from landbridge.lake.groups import GROUP_FLOW, GROUPS, ITEM_FACTORS, USER_GROUPS
from landbridge.lake.tables import (
    ASSOCIATIONS,
    ITEM_VECTORS,
    LEASE,
    LEDGER,
    METRICS,
    QUARANTINE,
    RECOMMENDATIONS,
    RECOMMENDED,
    REWRITES,
    SCORES,
    STATISTICS,
    SUBJECTS,
    USER_VECTORS,
    VOCABULARY,
)

EVENT = "struct<item_id:string,scenario:string,event_type:string,outcome:double,ts:timestamp>"
NEW_USER = "__new__"
__all__ = ["EVENT", "NEW_USER", "RECOMMENDED", "Column", "Contract", "contracts"]


def contracts(config: Config) -> dict[str, Contract]:
    """Return the contracts of all tables, by name; some columns come from the configuration."""
    return {
        table.name: table
        for table in (
            _events(config),
            _attributes("item", config.data.items),
            _attributes("user", config.data.users),
            QUARANTINE,
            VOCABULARY,
            STATISTICS,
            ITEM_VECTORS,
            ASSOCIATIONS,
            USER_VECTORS,
            REWRITES,
            ITEM_FACTORS,
            USER_GROUPS,
            GROUPS,
            GROUP_FLOW,
            _examples(config),
            _histories(config),
            _user_state(config),
            METRICS,
            RECOMMENDATIONS,
            SUBJECTS,
            SCORES,
            LEDGER,
            LEASE,
        )
    }


def _events(config: Config) -> Contract:
    values = {
        name: Column(_sql_type(column.type), f"Configured: {column.sql}") for name, column in config.data.values.items()
    }
    return Contract(
        "events",
        "Clean events, one row each.",
        {
            "event_id": required("string", "SHA-256 of the raw row; equal rows are one event."),
            "ds": DS,
            "ts": required("timestamp", "When it happened."),
            "user_id": required("string", "Who."),
            "item_id": required("string", "With what."),
            "scenario": SCENARIO,
            "event_type": required("string", "What kind of event."),
            "outcome": required("double", "What came of it; 1 is full success."),
            **values,
        },
        key=("event_id",),
        partition=("ds",),
    )


def _attributes(kind: str, configured: Mapping[str, str]) -> Contract:
    """The table of a `kind`, item or user: what it is, as of a day."""
    attributes = {name: Column("string", f"Configured: {sql}") for name, sql in configured.items()}
    return Contract(
        f"{kind}s",
        f"{kind.capitalize()}s; a row when attributes change.",
        {
            f"{kind}_id": required("string", f"The {kind}."),
            "valid_from": required("date", "First day with these attributes."),
            **attributes,
        },
        key=(f"{kind}_id", "valid_from"),
    )


def _features(config: Config) -> dict[str, Column]:
    return {name: Column("double", f"Feature: {sql}") for name, sql in config.features.user.items()}


def _examples(config: Config) -> Contract:
    if config.pointwise is not None:
        return _questions(config.pointwise)
    part = {} if config.split.part is None else {"part": required("string", "The part of the split.")}
    return Contract(
        "examples",
        "Logged outcomes; what was known of the user stands in histories, negatives are drawn later, by feed.",
        {
            "example_id": required("string", "The event's id."),
            "ds": DS,
            "ts": required("timestamp", "When it happened."),
            "user_id": required("string", "Who."),
            "item_id": required("string", "With what."),
            "scenario": SCENARIO,
            "event_type": required("string", "What kind of event."),
            "outcome": required("double", "What came of it."),
            "had": required("boolean", "Whether the user has the item after this event."),
            **part,
        },
        key=("example_id",),
        partition=("ds",),
    )


def _histories(config: Config) -> Contract:
    return Contract(
        "histories",
        "What was known of a user just before a moment, once for all examples of that moment in a scenario.",
        {
            "ds": DS,
            "user_id": required("string", "Who."),
            "ts": required("timestamp", "The moment: the features are as of then."),
            "scenario": SCENARIO,
            "history": required(
                f"array<{EVENT}>", "The user's last events strictly before ts, over all scenarios, oldest first."
            ),
            **_features(config),
        },
        key=("user_id", "ts", "scenario"),
        partition=("ds",),
    )


def _questions(task: Pointwise) -> Contract:
    """The examples of a pointwise task."""
    numbers = {name: Column("double", f"Number: {sql}") for name, sql in task.numbers.items()}
    categories = {name: Column("string", f"Category: {sql}") for name, sql in task.categories.items()}
    tags = {} if task.tags is None else {"tags": Column("array<string>", f"Tags of the item: {task.tags}")}
    return Contract(
        "examples",
        "Questions, one row each, with what came of them.",
        {
            "example_id": required("string", "The event's id."),
            "ds": DS,
            "ts": required("timestamp", "When it was asked."),
            "user_id": required("string", "Who."),
            "item_id": required("string", "About what."),
            "scenario": SCENARIO,
            "label": Column("double", "The answer, 1 or 0; null where it is not known yet."),
            "value": Column("double", "The graded answer behind the label; null where there is none."),
            "part": Column("string", "The part of the split, or the number of the fold; null where parts are days."),
            **numbers,
            **categories,
            **tags,
        },
        key=("example_id",),
        partition=("ds",),
    )


def _user_state(config: Config) -> Contract:
    running = {
        f"running_{name}": Column("double", f"Running aggregate: {rule}")
        for name, rule in config.features.running.items()
    }
    return Contract(
        "user_state",
        "What scoring needs of every user at the end of ds.",
        {
            "ds": DS,
            "user_id": required("string", "Who."),
            "ts": required("timestamp", "The end of ds: the moment the features are as of."),
            "scenarios": required("array<string>", "Scenarios with an event of the user, sorted."),
            "had": required("array<string>", "Items the user has, over all scenarios, sorted."),
            "history": required(f"array<{EVENT}>", "The user's last events, over all scenarios, oldest first."),
            **running,
            **_features(config),
        },
        key=("ds", "user_id"),
        partition=("ds",),
    )


def _sql_type(name: str) -> str:
    return {"long": "bigint"}.get(name, name)
