"""Which days have to be featurized, and from which earlier state.

An example depends on its own day and on every day before it. So each day of events has a chain: a hash of the
recipe and of the content of all days up to and with it. The ledger's notes of former nights say from which chain a day
of `examples` and `histories`, or a partition of `user_state`, was made, and the digest of what came of it. A day is
current when one of these records agrees with both the events and the table of now; their order does not matter.
Where the ledger has no record, the day is made again, which changes nothing but time.

Where catalogues list items, a day may be loaded again and hold the same events; then it is clean that says what its
content is, and not the names of its files.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge.config.schema import Config
from landbridge.lake.lake import Lake
from landbridge.lake.notes import step_notes

_FIRST = dt.date.min
COLUMNS = {"label", "value", "numbers", "categories", "tags"}
"""The keys of `pointwise` that columns of `examples` are made of."""
FEATURES = {"history", "had", "running", "user", "item"}
"""The keys of `features` that this room reads."""


@dataclass(frozen=True)
class Stale:
    """What a night has to do.

    `since` is the first day whose examples are made anew, None where all are current; `base` is the day of the user
    state to start from, None for the beginning of time; `state_is_current` says that ds's state needs nothing,
    `ids_are_current` that the table `items` is the one by which ids were given.
    """

    chains: Mapping[dt.date, str]
    since: dt.date | None
    base: dt.date | None
    state_is_current: bool
    ids_are_current: bool

    def chain_at(self, day: dt.date) -> str:
        """The chain of everything up to the end of a day."""
        return self.chains[max(known for known in self.chains if known <= day)]


def recipe(config: Config) -> str:
    """Hash of what the configuration says of the tables, and of this room's source files."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    code = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    features = config.features.model_dump_json(include=FEATURES)
    task = "" if config.pointwise is None else config.pointwise.model_dump_json(include=COLUMNS)
    return _hash(f"{code} {config.data.time_zone} {features} {config.split.part} {task}")


def stale(lake: Lake, config: Config, ds: dt.date) -> Stale:
    """Compare events, examples and user states with what former nights say they made."""
    chains = _chains(lake, config, ds)
    examples, states = _records(lake, "examples"), _records(lake, "user_state")
    made, kept = _made(lake), lake.digests("user_state")
    days = sorted(day for day in {*chains, *made} if _FIRST < day <= ds)
    has_ids = config.data.catalogue is None or (ds, lake.digest("items"), "") in _records(lake, "items")
    todo = Stale(chains, None, None, False, has_ids)

    def is_current(day: dt.date) -> bool:
        return day in chains and (day, chains[day], made.get(day, "")) in examples

    since = next((day for day in days if not is_current(day)), None)
    until = ds if since is None else since - dt.timedelta(days=1)
    usable = [day for day, digest in kept.items() if day <= until and (day, todo.chain_at(day), digest) in states]
    base = max(usable, default=None)
    return Stale(chains, since, base, base == ds, has_ids)


def notes_of(lake: Lake, todo: Stale, ds: dt.date) -> dict[str, Any]:
    """What the ledger has to remember of this night: per day made anew, its chain and the digest of its partition."""
    state = {ds.isoformat(): [todo.chain_at(ds), lake.digests("user_state").get(ds, "")]}
    return {**examples_notes(lake, todo, ds), "user_state": state}


def examples_notes(lake: Lake, todo: Stale, ds: dt.date) -> dict[str, Any]:
    """The same of `examples`, `histories` and ids alone."""
    made = _made(lake)
    anew = [] if todo.since is None else [day for day in todo.chains if todo.since <= day]
    listed = {"items": {ds.isoformat(): [lake.digest("items"), ""]}} if lake.config.data.catalogue else {}
    return {"examples": {day.isoformat(): [todo.chains[day], made.get(day, "")] for day in anew}, **listed}


def _made(lake: Lake) -> dict[dt.date, str]:
    """The digest of each day of `examples`, and of `histories` where there are any."""
    histories = lake.digests("histories")
    return {day: digest + histories.get(day, "") for day, digest in lake.digests("examples").items()}


def _chains(lake: Lake, config: Config, ds: dt.date) -> dict[dt.date, str]:
    chains = {_FIRST: recipe(config)}
    chain = chains[_FIRST]
    contents = _contents(lake) if config.data.catalogue else {}
    for day, digest in sorted(lake.digests("events").items()):
        if day <= ds:
            chain = chains[day] = _hash(f"{chain} {day} {contents.get((day, digest), digest)}")
    return chains


def _contents(lake: Lake) -> dict[tuple[dt.date, str], str]:
    """The content of a day of events by its digest: the same where a day was loaded again for its catalogue alone."""
    told = (pair for note in step_notes(lake, "clean") for pair in note.get("files", {}).items())
    return {(dt.date.fromisoformat(day), of[1]): of[2] for day, of in told if len(of) > 2}


def _records(lake: Lake, table: str) -> set[tuple[dt.date, str, str]]:
    notes = step_notes(lake, "featurize")
    return {
        (dt.date.fromisoformat(day), told[0], told[1]) for note in notes for day, told in note.get(table, {}).items()
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
