"""A step's fingerprint: what it reads, the science it depends on, the code it runs. Equal ones, equal results."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from landbridge.code import code_of
from landbridge.config.schema import Config
from landbridge.errors import ConfigError, LakeError
from landbridge.pipeline.ledger import Ledger
from landbridge.pipeline.steps import FILES
from landbridge.step import Night, Step

_UNREAD = frozenset({"ledger"})
"""The ledger grows by every step; whoever prints it does not depend on it."""


@dataclass(frozen=True)
class Fingerprint:
    """The parts of a fingerprint, each a name to a hash, and their common hash."""

    reads: Mapping[str, str]
    configuration: Mapping[str, str]
    code: Mapping[str, str]

    @property
    def value(self) -> str:
        """The hash of all parts."""
        return _hash({"reads": dict(self.reads), "configuration": dict(self.configuration), "code": dict(self.code)})


def fingerprint_of(step: Step, steps: Sequence[Step], night: Night, ledger: Ledger) -> Fingerprint:
    """Return the fingerprint the step would have if it ran now.

    A table partitioned by day counts up to the night's day. Any other table, and files outside the lake, count by the
    fingerprint of the step that wrote them for this day: later nights add to them without changing this one.

    Raises
    ------
    LakeError
        An earlier step that this one reads from has not run for the day.
    """
    reads = {table: night.lake.digest(table, until=night.ds) for table in _by_content(step, night)}
    for name in upstream(step, steps, night):
        row = ledger.last(night.ds, name)
        if row is None:
            raise LakeError(
                f"{step.name} needs what {name} writes for {night.ds}, and {name} has not run: "
                f"run `landbridge {name} --ds {night.ds}` or the whole nightly first"
            )
        reads[f"step {name}"] = row.fingerprint
    reads.update({f"input {name}": digest for name, digest in _folded(step.inputs(night)).items()})
    return Fingerprint(reads, configuration_of(night.config, step.sections), code_of(step.run.__module__))


def upstream(step: Step, steps: Sequence[Step], night: Night) -> tuple[str, ...]:
    """Return the earlier steps whose fingerprints stand for tables without days and for files."""
    names = [other.name for other in steps]
    earlier = steps[: names.index(step.name)] if step.name in names else ()
    wanted = set(_tables(step)) - set(_by_content(step, night))
    return tuple(
        other.name for other in earlier if wanted & set(other.writes) or other.name in FILES.get(step.name, ())
    )


def configuration_of(config: Config, sections: Iterable[str]) -> dict[str, str]:
    """Return section to hash; a section is a key of the tree, with dots for keys below."""
    tree = config.model_dump(mode="json")
    return {section: _hash(_at(tree, section)) for section in sorted(set(sections))}


def difference(now: Fingerprint, before: Fingerprint) -> str:
    """Return the first reason for which two fingerprints of a step differ, as a person would say it."""
    for kind, new, old in (
        ("configuration", now.configuration, before.configuration),
        ("reads", now.reads, before.reads),
        ("code", now.code, before.code),
    ):
        changed = sorted(name for name in {*new, *old} if new.get(name) != old.get(name))
        if changed:
            return _said(kind, changed)
    return "nothing changed"


def _said(kind: str, changed: Sequence[str]) -> str:
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    name = changed[0]
    if kind == "configuration":
        return f"the configuration section {name} changed{more}"
    if kind == "code":
        return f"the code of {name} changed{more}"
    label, _, rest = name.partition(" ")
    words = {"step": f"{rest} ran anew", "input": f"the input {rest} changed"}
    return words.get(label, f"the table {name} changed") + more


def _tables(step: Step) -> tuple[str, ...]:
    return tuple(table for table in step.reads if table not in step.writes and table not in _UNREAD)


def _by_content(step: Step, night: Night) -> tuple[str, ...]:
    return tuple(table for table in _tables(step) if night.lake.contract(table).partition == ("ds",))


def _folded(inputs: Mapping[str, str], most: int = 500) -> Mapping[str, str]:
    """Many inputs become one, so that a row of the ledger stays small."""
    return inputs if len(inputs) <= most else {f"{len(inputs)} files": _hash(dict(inputs))}


def _at(tree: Any, section: str) -> Any:
    for key in section.split("."):
        if tree is None:  # a section that is left out has no keys
            return None
        if not isinstance(tree, dict) or key not in tree:
            raise ConfigError(f"a step depends on the configuration section {section}, which does not exist")
        tree = tree[key]
    return tree


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)
