"""The contracts that are the same for every configuration."""

from __future__ import annotations

from landbridge.lake.contract import DS, SCENARIO, Column, Contract, required

RECOMMENDED = "struct<item_id:string,score:double,source:string>"

QUARANTINE = Contract(
    "quarantine",
    "Rows that broke a rule, as they came.",
    {
        "ds": DS,
        "file": required("string", "The file's name."),
        "row_hash": required("string", "SHA-256 of the raw row."),
        "occurrence": required("int", "Which copy of equal rows of the file, from 0."),
        "raw": required("string", "The raw row as JSON."),
        "rules": required("array<string>", "The rules it broke, sorted."),
    },
    key=("file", "row_hash", "occurrence"),
    partition=("ds",),
    constraints={"broke_a_rule": "size(rules) > 0"},
)

VOCABULARY = Contract(
    "vocabulary",
    "Ids of values; an id once given never changes, 0 is unknown.",
    {
        "field": required("string", "item_id, scenario or event_type."),
        "value": required("string", "The value."),
        "id": required("long", "From 1, dense within the field."),
        "since": required("date", "The first day of the value."),
    },
    key=("field", "value"),
    partition=("field",),
    constraints={"id_from_one": "id >= 1"},
)

STATISTICS = Contract(
    "statistics",
    "One day's sufficient statistics; what is fitted sums them over the training days only.",
    {
        "ds": DS,
        "feature": required("string", "item (value is the item), item.<name>, or user.<name> (value is empty)."),
        "scenario": SCENARIO,
        "value": required("string", "The item, or empty."),
        "count": required("long", "Values counted."),
        "sum": required("double", "Their sum."),
        "sum_squares": required("double", "The sum of their squares."),
    },
    key=("ds", "feature", "scenario", "value"),
    partition=("ds",),
)

ITEM_VECTORS = Contract(
    "item_vectors",
    "What a text encoder makes of an item's text, or another pipeline of its image; a row an item, encoder, revision.",
    {
        "item_id": required("string", "The item."),
        "encoder": required("string", "The model, as configured; of another modality its name."),
        "revision": required("string", "Of weights and settings: vectors of different revisions are not comparable."),
        "text_hash": required("string", "SHA-256 of the text that was encoded, or of the vector that came in."),
        "vector": required("array<float>", "The vector."),
        "ds": required("date", "The night on which it was encoded or came in."),
    },
    key=("item_id", "encoder", "revision"),
)

ASSOCIATIONS = Contract(
    "associations",
    "Which items go with which, over all scenarios: the nearest of every item among those at home in each scenario.",
    {
        "ds": DS,
        "item_id": required("string", "What a user may have."),
        "scenario": required("string", "Where it is at home: the scenario in which most users took it."),
        "other_id": required("string", "What goes with it."),
        "other_scenario": required("string", "Where that is at home."),
        "kind": required("string", "taken (by the same users), text (means the same), or an attribute (same value)."),
        "weight": required("float", "How close they are; comparable within a kind."),
    },
    key=("ds", "item_id", "other_id", "kind"),
    partition=("ds",),
)

USER_VECTORS = Contract(
    "user_vectors",
    "The same of a user's text, which names his last items; in the space of the items of the same revision.",
    {
        "user_id": required("string", "Who."),
        "encoder": required("string", "The model, as configured."),
        "revision": required("string", "Of weights and settings."),
        "text_hash": required("string", "SHA-256 of the text that was encoded."),
        "vector": required("array<float>", "The vector."),
        "ds": required("date", "The night on which it was encoded: of what the user did up to then."),
    },
    key=("user_id", "encoder", "revision"),
)

REWRITES = Contract(
    "rewrites",
    "What a chat model made of texts; a text is asked about once.",
    {
        "text_hash": required("string", "SHA-256 of the text that was asked about."),
        "revision": required("string", "Of model, instruction and parameters: to another it is another answer."),
        "model": required("string", "The model, as configured."),
        "answer": required("string", "What it made of the text."),
        "ds": required("date", "The night that asked."),
    },
    key=("text_hash", "revision"),
)

METRICS = Contract(
    "metrics",
    "How each contender did, with intervals that resample users.",
    {
        "ds": DS,
        "scenario": SCENARIO,
        "contender": required("string", "Which contender."),
        "split": required("string", "validation (judged with fit A) or test (fit B)."),
        "window": required("int", "Which window of the split, from 0; -1 is all of them."),
        "seed": required("int", "The seed of the fit."),
        "slice": required("string", "all, or a part of the users."),
        "metric": required("string", "auc, log_loss ...; recall, ndcg ...; coverage, novelty, diversity; ks ..."),
        "k": required("int", "Cut-off of ranking metrics; 0 where there is none."),
        "value": Column("double", "The metric; null where it is not defined."),
        "low": Column("double", "2.5 % bound over users."),
        "high": Column("double", "97.5 % bound over users."),
        "users": required("long", "Users behind it."),
    },
    key=("ds", "scenario", "contender", "split", "window", "seed", "slice", "metric", "k"),
    partition=("ds",),
)

RECOMMENDATIONS = Contract(
    "recommendations",
    "The published lists: one row a user and scenario; the row __new__ is for whoever is unknown.",
    {
        "ds": DS,
        "scenario": SCENARIO,
        "user_id": required("string", "Who, or __new__."),
        "items": required(f"array<{RECOMMENDED}>", "Distinct items, best first; source is the contender."),
        "model_name": required("string", "The registered model."),
        "model_version": required("string", "Its version."),
        "run_id": required("string", "The run that wrote it."),
    },
    key=("ds", "scenario", "user_id"),
    partition=("ds",),
)

SUBJECTS = Contract(
    "subjects",
    "What a night of a pointwise task does with every example up to ds.",
    {
        "ds": DS,
        "example_id": required("string", "The example."),
        "scenario": SCENARIO,
        "subject_id": required("string", "What the example is about, as scores.subject says."),
        "role": required("string", "train, validation, test, or score: its label is not known tonight."),
    },
    key=("ds", "example_id"),
    partition=("ds",),
)

SCORES = Contract(
    "scores",
    "The published probabilities: one row a subject and scenario.",
    {
        "ds": DS,
        "scenario": SCENARIO,
        "subject_id": required("string", "What is scored: a loan, an offer, an enrolment."),
        "score": required("double", "The probability of the label, from 0 to 1."),
        "contender": required("string", "What the scenario publishes."),
        "model_name": required("string", "The registered model."),
        "model_version": required("string", "Its version."),
        "run_id": required("string", "The run that wrote it."),
    },
    key=("ds", "scenario", "subject_id"),
    partition=("ds",),
)

LEDGER = Contract(
    "ledger",
    "What ran, on which versions, with which code and configuration.",
    {
        "ds": DS,
        "step": required("string", "The step."),
        "generation": required("long", "Counts the runs of the step for ds, from 1."),
        "fingerprint": required("string", "Hash of what it read, its configuration and its code."),
        "code": required("string", "JSON: source file to hash, of those it imports."),
        "configuration": required("string", "JSON: section to hash, of the science it depends on."),
        "reads": required("string", "JSON: table, file or earlier step to digest of what was read."),
        "writes": required("string", "JSON: table to version written."),
        "notes": required("string", "JSON: counts and facts of the step."),
        "git_revision": required("string", "The revision of the checkout, or empty."),
        "seconds": required("double", "Wall clock."),
        "peak_memory_mb": required("double", "Peak resident memory of this process and its children."),
    },
    key=("ds", "step", "generation"),
)

LEASE = Contract(
    "lease",
    "Who may write this lake, where the root is an object store; at most one row.",
    {
        "holder": required("string", "A name no other process has."),
        "command": required("string", "What it runs."),
        "since": required("timestamp", "When it took the lease."),
        "expires": required("timestamp", "When the lease ends unless renewed."),
    },
    key=("holder",),
    days=7,
)
