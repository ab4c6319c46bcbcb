"""The table of a study: what each contender reached in each scenario, and what it has over the control.

The value is the mean over seeds; `std` is the standard deviation between them. The difference to the control is paired:
its standard error comes from each user's influence on it (evaluate.metrics.Auc; for a mean the user's share of the
deviation), averaged over seeds, so that the control and the contender meet the same users; what seeds add by chance is
added to it (variance between seeds over their number). p is two-sided, of Student's t with as many degrees of freedom
as there are users less one. Intervals are of 95 %.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from landbridge.errors import DataError
from landbridge.study.protocol import ALL, Entry, Facts, Measured, Protocol, Trial
from landbridge.study.store import Store


@dataclass(frozen=True)
class Row:
    """A contender in a scenario; NaN where something is not defined."""

    scenario: str
    contender: str
    crosses: bool
    measure: str
    rows: int
    users: int
    seeds: int
    value: float
    std: float
    low: float
    high: float
    control: str
    difference: float
    difference_low: float
    difference_high: float
    p: float
    validation: float
    seconds: float
    seconds_to_control: float
    examples_to_control: float


@dataclass(frozen=True)
class _Reached:
    """What a contender reached in one scenario: a value a seed, and the influence of users averaged over seeds."""

    value_S: NDArray[np.float64]
    user_ids: pa.StringArray
    influence_U: NDArray[np.float64]
    rows: int


def table_of(protocol: Protocol, entries: Sequence[Entry], facts: Mapping[Trial, Facts], store: Store) -> list[Row]:
    """Return the rows of the table, by scenario (all together first), then in the order of the contenders.

    The first of `entries` is the control.
    """
    return tables_of(protocol, entries, [entries[0].name], facts, store)[entries[0].name]


def tables_of(
    protocol: Protocol, entries: Sequence[Entry], controls: Sequence[str], facts: Mapping[Trial, Facts], store: Store
) -> dict[str, list[Row]]:
    """Return the table over each control, by its name; all scores are read once."""
    by_name = {entry.name: _reached(protocol, entry.name, facts, store) for entry in entries}
    scenarios = sorted({scenario for reached in by_name.values() for scenario in reached}, key=lambda s: (s != ALL, s))
    return {
        control: [
            _row(protocol.measure, scenario, entry, control, by_name, facts)
            for scenario in scenarios
            for entry in entries
            if scenario in by_name[entry.name]
        ]
        for control in controls
    }


def write_table(rows: Sequence[Row], file: Path) -> Path:
    """Write the table as CSV."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, [one.name for one in fields(Row)])
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in asdict(row).items()} for row in rows)
    return file


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def _reached(protocol: Protocol, name: str, facts: Mapping[Trial, Facts], store: Store) -> dict[str, _Reached]:
    """Measure the rows of every seed; those of one seed are in memory at a time."""
    seeds = sorted({trial.seed for trial in facts if trial.contender == name})
    by_scenario: dict[str, list[Measured]] = {}
    for seed in seeds:
        rows = store.rows(name, seed, protocol.parts)
        for scenario, one in ({} if rows is None else protocol.measured(rows)).items():
            by_scenario.setdefault(scenario, []).append(one)
    return {
        scenario: _Reached(
            np.array([one.value for one in some]),
            some[0].user_ids,
            np.mean([one.influence_U for one in some], axis=0),
            some[0].rows,
        )
        for scenario, some in by_scenario.items()
    }


def _row(
    measure: str,
    scenario: str,
    entry: Entry,
    control: str,
    by_name: Mapping[str, Mapping[str, _Reached]],
    facts: Mapping[Trial, Facts],
) -> Row:
    one, other = by_name[entry.name][scenario], by_name[control].get(scenario)
    value, low, high, _ = interval(one.value_S, one.influence_U)
    difference = (math.nan,) * 4
    if entry.name != control and other is not None and other.rows == one.rows:
        difference = paired(one.value_S, one.influence_U, other.value_S, _aligned(other, one, entry.name, control))
    validation, seconds = _means(entry.name, facts)
    return Row(
        scenario,
        entry.name,
        entry.crosses,
        measure,
        one.rows,
        len(one.user_ids),
        len(one.value_S),
        value,
        float(one.value_S.std(ddof=1)) if len(one.value_S) > 1 else math.nan,
        low,
        high,
        control,
        *difference,
        validation if scenario == ALL else math.nan,
        seconds,
        *(to_control(entry.name, control, facts) if scenario == ALL else (math.nan, math.nan)),
    )


def interval(value_S: NDArray[np.float64], influence_U: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return value, low, high and standard error of a mean over seeds, users resampled."""
    value, users = float(value_S.mean()), len(influence_U)
    if users < 2 or math.isnan(value):
        return value, math.nan, math.nan, math.nan
    between = float(value_S.var(ddof=1)) / len(value_S) if len(value_S) > 1 else 0.0
    error = math.sqrt(float(influence_U @ influence_U) * users / (users - 1) + between)
    reach = float(stats.t.ppf(0.975, users - 1)) * error
    return value, value - reach, value + reach, error


def paired(
    one_S: NDArray[np.float64],
    one_U: NDArray[np.float64],
    other_S: NDArray[np.float64],
    other_U: NDArray[np.float64],
) -> tuple[float, float, float, float]:
    """Return the difference one - other, its interval, and p. Influences are of the same users."""
    difference = float(one_S.mean() - other_S.mean())
    # What seeds add: where both have seeds they are independent draws, whatever their numbers.
    between = sum(float(values.var(ddof=1)) / len(values) for values in (one_S, other_S) if len(values) > 1)
    _, low, high, error = interval(np.array([difference]), one_U - other_U)
    if math.isnan(error):
        return difference, math.nan, math.nan, math.nan
    error = math.sqrt(error**2 + between)
    reach = float(stats.t.ppf(0.975, len(one_U) - 1)) * error
    if error == 0:
        return difference, low, high, 1.0 if difference == 0 else 0.0
    p = 2.0 * float(stats.t.sf(abs(difference) / error, len(one_U) - 1))
    return difference, difference - reach, difference + reach, p


def _aligned(other: _Reached, one: _Reached, name: str, control: str) -> NDArray[np.float64]:
    if not other.user_ids.equals(one.user_ids):
        raise DataError(
            f"{name} and {control} were not judged on the same users, so they cannot be compared; run the study anew"
        )
    return other.influence_U


def _means(name: str, facts: Mapping[Trial, Facts]) -> tuple[float, float]:
    """Return the mean over trials of the measure on validation rows, and over seeds of the seconds of all parts."""
    own = {trial: kept for trial, kept in facts.items() if trial.contender == name}
    reached = [kept.validation for kept in own.values() if not math.isnan(kept.validation)]
    seconds = sum(kept.seconds for kept in own.values()) / len({trial.seed for trial in own})
    return float(np.mean(reached)) if reached else math.nan, seconds


def to_control(name: str, control: str, facts: Mapping[Trial, Facts]) -> tuple[float, float]:
    """Return seconds and examples until the control's measure on validation rows was reached.

    The mean over trials of those with a curve; NaN unless all of them reached it.
    """
    goals = {trial.part: kept.validation for trial, kept in facts.items() if trial.contender == control}
    found = []
    for trial, kept in facts.items():
        if trial.contender != name or not kept.curve:
            continue
        goal = goals.get(trial.part, math.nan)
        found.append(next(((at, many) for at, many, value in kept.curve if value >= goal), (math.nan, math.nan)))
    if not found:
        return math.nan, math.nan
    seconds, examples = np.mean(found, axis=0)
    return float(seconds), float(examples)
