"""The contract of every table: columns with types and comments, key, partitioning, constraints, retention.

Nobody else spells a path or a type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from landbridge.config.schema import Config

EVENT = "struct<item_id:string,scenario:string,event_type:string,outcome:double,ts:timestamp>"
RECOMMENDED = "struct<item_id:string,score:double,source:string>"
NEW_USER = "__new__"


@dataclass(frozen=True)
class Column:
    """A column: its Spark SQL type, what it means (with its unit), and whether it may be null."""

    type: str
    comment: str
    nullable: bool = True


@dataclass(frozen=True)
class Contract:
    """What a table promises to whoever reads it.

    `days` says for how long old versions of its files are kept: the window in which a run can be reproduced,
    and the longest time until the erasure of a person is complete.
    """

    name: str
    comment: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    partition: tuple[str, ...] = ()
    constraints: Mapping[str, str] = field(default_factory=dict)
    days: int = 30
    version: int = 1

    @property
    def properties(self) -> Mapping[str, str]:
        """Table properties; the features that delta-rs cannot read are off."""
        checks = {f"delta.constraints.{name}": rule for name, rule in self.constraints.items()}
        return MappingProxyType(
            {
                "delta.enableDeletionVectors": "false",
                "delta.deletedFileRetentionDuration": f"interval {self.days} days",
                "delta.logRetentionDuration": f"interval {self.days} days",
                "landbridge.contract": str(self.version),
                "landbridge.key": ",".join(self.key),
                **checks,
            }
        )


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
            _examples(config),
            _user_state(config),
            METRICS,
            RECOMMENDATIONS,
            LEDGER,
            LEASE,
        )
    }


def _required(type: str, comment: str) -> Column:
    return Column(type, comment, nullable=False)


_DS = _required("date", "The day, in the configured time zone.")
_SCENARIO = _required("string", "The scenario: a feed, a country, a product line.")


def _events(config: Config) -> Contract:
    values = {
        name: Column(_sql_type(column.type), f"Configured: {column.sql}") for name, column in config.data.values.items()
    }
    return Contract(
        "events",
        "Clean events, one row each.",
        {
            "event_id": _required("string", "SHA-256 of the raw row; equal rows are one event."),
            "ds": _DS,
            "ts": _required("timestamp", "When it happened."),
            "user_id": _required("string", "Who."),
            "item_id": _required("string", "With what."),
            "scenario": _SCENARIO,
            "event_type": _required("string", "What kind of event."),
            "outcome": _required("double", "What came of it; 1 is full success."),
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
            f"{kind}_id": _required("string", f"The {kind}."),
            "valid_from": _required("date", "First day with these attributes."),
            **attributes,
        },
        key=(f"{kind}_id", "valid_from"),
    )


def _features(config: Config) -> dict[str, Column]:
    return {name: Column("double", f"Feature: {sql}") for name, sql in config.features.user.items()}


def _examples(config: Config) -> Contract:
    return Contract(
        "examples",
        "Logged outcomes with the user's features as of the event; negatives are drawn later, by feed.",
        {
            "example_id": _required("string", "The event's id."),
            "ds": _DS,
            "ts": _required("timestamp", "When it happened."),
            "user_id": _required("string", "Who."),
            "item_id": _required("string", "With what."),
            "scenario": _SCENARIO,
            "event_type": _required("string", "What kind of event."),
            "outcome": _required("double", "What came of it."),
            "had": _required("boolean", "Whether the user has the item after this event."),
            "history": _required(
                f"array<{EVENT}>", "The user's last events strictly before ts, over all scenarios, oldest first."
            ),
            **_features(config),
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
            "ds": _DS,
            "user_id": _required("string", "Who."),
            "ts": _required("timestamp", "The end of ds: the moment the features are as of."),
            "scenarios": _required("array<string>", "Scenarios with an event of the user, sorted."),
            "had": _required("array<string>", "Items the user has, over all scenarios, sorted."),
            "history": _required(f"array<{EVENT}>", "The user's last events, over all scenarios, oldest first."),
            **running,
            **_features(config),
        },
        key=("ds", "user_id"),
        partition=("ds",),
    )


QUARANTINE = Contract(
    "quarantine",
    "Rows that broke a rule, as they came.",
    {
        "ds": _DS,
        "file": _required("string", "The file's name."),
        "row_hash": _required("string", "SHA-256 of the raw row."),
        "occurrence": _required("int", "Which copy of equal rows of the file, from 0."),
        "raw": _required("string", "The raw row as JSON."),
        "rules": _required("array<string>", "The rules it broke, sorted."),
    },
    key=("file", "row_hash", "occurrence"),
    partition=("ds",),
    constraints={"broke_a_rule": "size(rules) > 0"},
)

VOCABULARY = Contract(
    "vocabulary",
    "Ids of values; an id once given never changes, 0 is unknown.",
    {
        "field": _required("string", "item_id, scenario or event_type."),
        "value": _required("string", "The value."),
        "id": _required("long", "From 1, dense within the field."),
        "since": _required("date", "The first day of the value."),
    },
    key=("field", "value"),
    partition=("field",),
    constraints={"id_from_one": "id >= 1"},
)

STATISTICS = Contract(
    "statistics",
    "One day's sufficient statistics; what is fitted sums them over the training days only.",
    {
        "ds": _DS,
        "feature": _required("string", "item (value is the item), item.<name>, or user.<name> (value is empty)."),
        "scenario": _SCENARIO,
        "value": _required("string", "The item, or empty."),
        "count": _required("long", "Values counted."),
        "sum": _required("double", "Their sum."),
        "sum_squares": _required("double", "The sum of their squares."),
    },
    key=("ds", "feature", "scenario", "value"),
    partition=("ds",),
)

METRICS = Contract(
    "metrics",
    "How each contender did, with intervals that resample users.",
    {
        "ds": _DS,
        "scenario": _SCENARIO,
        "contender": _required("string", "Which contender."),
        "split": _required("string", "validation (judged with fit A) or test (fit B)."),
        "window": _required("int", "Which window of the split, from 0; -1 is all of them."),
        "seed": _required("int", "The seed of the fit."),
        "slice": _required("string", "all, or a part of the users."),
        "metric": _required("string", "auc, gauc, log_loss, recall, ndcg, hit_rate."),
        "k": _required("int", "Cut-off of ranking metrics; 0 where there is none."),
        "value": Column("double", "The metric; null where it is not defined."),
        "low": Column("double", "2.5 % bound over users."),
        "high": Column("double", "97.5 % bound over users."),
        "users": _required("long", "Users behind it."),
    },
    key=("ds", "scenario", "contender", "split", "window", "seed", "slice", "metric", "k"),
    partition=("ds",),
)

RECOMMENDATIONS = Contract(
    "recommendations",
    "The published lists: one row a user and scenario; the row __new__ is for whoever is unknown.",
    {
        "ds": _DS,
        "scenario": _SCENARIO,
        "user_id": _required("string", "Who, or __new__."),
        "items": _required(f"array<{RECOMMENDED}>", "Distinct items, best first; source is the contender."),
        "model_name": _required("string", "The registered model."),
        "model_version": _required("string", "Its version."),
        "run_id": _required("string", "The run that wrote it."),
    },
    key=("ds", "scenario", "user_id"),
    partition=("ds",),
)

LEDGER = Contract(
    "ledger",
    "What ran, on which versions, with which code and configuration.",
    {
        "ds": _DS,
        "step": _required("string", "The step."),
        "generation": _required("long", "Counts the runs of the step for ds, from 1."),
        "fingerprint": _required("string", "Hash of what it read, its configuration and its code."),
        "code": _required("string", "JSON: source file to hash, of those it imports."),
        "configuration": _required("string", "JSON: section to hash, of the science it depends on."),
        "reads": _required("string", "JSON: table, file or earlier step to digest of what was read."),
        "writes": _required("string", "JSON: table to version written."),
        "notes": _required("string", "JSON: counts and facts of the step."),
        "git_revision": _required("string", "The revision of the checkout, or empty."),
        "seconds": _required("double", "Wall clock."),
        "peak_memory_mb": _required("double", "Peak resident memory of this process and its children."),
    },
    key=("ds", "step", "generation"),
)

LEASE = Contract(
    "lease",
    "Who may write this lake, where the root is an object store; at most one row.",
    {
        "holder": _required("string", "A name no other process has."),
        "command": _required("string", "What it runs."),
        "since": _required("timestamp", "When it took the lease."),
        "expires": _required("timestamp", "When the lease ends unless renewed."),
    },
    key=("holder",),
    days=7,
)


def _sql_type(name: str) -> str:
    return {"long": "bigint"}.get(name, name)
