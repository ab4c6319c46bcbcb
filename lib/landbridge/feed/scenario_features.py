"""What a scenario is, day by day: how large, at which price level, for which users.

With it a scenario of tomorrow has a place before it has a log of its own: networks have read every scenario when it was
young. A day's features come of earlier days alone, so that none knows the future.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.feed.distinct import Distinct
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.scaling import item_scaling, scaled
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake

_EPOCH = dt.date(1970, 1, 1)
_SIZE = ("events", "items", "users")
"""Of which the logarithms are features: events after which an item is had, distinct items, distinct users."""


@dataclass(frozen=True)
class ScenarioFeatures:
    """Scaled features of every scenario as of the start of each of D days, and of one more after them."""

    names: tuple[str, ...]
    begin_D: NDArray[np.int64]
    """The first moments of the days, in microseconds since the epoch."""
    value_SDF: NDArray[np.float32]
    """By scenario id; 0 is the unknown one, of which nothing has been seen."""

    @classmethod
    def fit(cls, lake: Lake, vocabulary: Vocabulary, config: Config, until: dt.date, known: dt.date | None) -> Self:
        """Sum up the days to `known`, and scale by what the days to `until` were."""
        if not config.features.scenario:
            return cls.none(vocabulary.size("scenario"))
        daily = _daily(lake, vocabulary, config, known)
        if len(daily) == 0:
            return cls.none(vocabulary.size("scenario"))
        first, last = int(daily["day"].min()), int(daily["day"].max())
        days = np.arange(first, last + 2)
        so_far = _SoFar(daily, days, vocabulary.size("scenario"))
        names, raw_SDF = _as_of(so_far, config)
        learned = raw_SDF[(so_far("events", "count") > 0) & (days <= days_since_epoch(until) + 1)]
        value_SDF = scaled(raw_SDF, *item_scaling(learned.astype(np.float32)))
        return cls(names, _beginnings(days, config.data.time_zone), value_SDF)

    @classmethod
    def none(cls, scenarios: int) -> Self:
        """No features at all."""
        return cls((), np.zeros(1, np.int64), np.zeros((scenarios, 1, 0), np.float32))

    @property
    def width(self) -> int:
        """The number of features F."""
        return int(self.value_SDF.shape[2])

    def of(self, scenario_B: NDArray[np.integer[Any]], ts_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return features BF of scenario ids as of the start of the day of each moment."""
        day_B = np.clip(np.searchsorted(self.begin_D, ts_B, side="right") - 1, 0, len(self.begin_D) - 1)
        known_B = np.where(np.asarray(scenario_B) < len(self.value_SDF), scenario_B, 0)
        return self.value_SDF[known_B, day_B]


def _beginnings(days: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Return the first moment of each day in a time zone, microseconds since the epoch."""
    where, dates = ZoneInfo(zone), [_EPOCH + dt.timedelta(days=int(day)) for day in days]
    seconds = [dt.datetime(day.year, day.month, day.day, tzinfo=where).timestamp() for day in dates]
    return np.asarray(np.rint(np.asarray(seconds) * 1e6), np.int64)


@dataclass(frozen=True)
class _SoFar:
    """Sums over the days before each day."""

    daily: pd.DataFrame
    day_D: NDArray[np.int64]
    scenarios: int

    def __call__(self, name: str, column: str) -> NDArray[np.float64]:
        """Return the sums SD of a column of the rows of a name."""
        rows = self.daily[self.daily["name"] == name]
        out = np.zeros((self.scenarios, len(self.day_D)))
        # What a day adds counts from the next day on.
        where = rows["scenario"].to_numpy(), rows["day"].to_numpy() - self.day_D[0] + 1
        np.add.at(out, where, rows[column].to_numpy())
        return np.cumsum(out, axis=1)


def _as_of(so_far: _SoFar, config: Config) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the features' names, and their raw values as of the start of each day, SDF; NaN where nothing is known."""
    names: list[str] = []
    columns: list[NDArray[np.float64]] = []
    if "size" in config.features.scenario:
        names += [f"log_{name}" for name in _SIZE]
        columns += [np.log1p(so_far(name, "count")) for name in _SIZE]
    for kind, told in (("items", config.features.item), ("users", config.features.user)):
        for name in told if kind in config.features.scenario else ():
            full = f"{kind[:-1]}.{name}"
            count, total, squares = (so_far(full, column) for column in ("count", "sum", "squares"))
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = total / count
                spread = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
            names += [f"mean_{full}", f"spread_{full}"]
            columns += [mean, spread]
    return tuple(names), np.stack(columns, axis=2)


def _daily(lake: Lake, vocabulary: Vocabulary, config: Config, until: dt.date | None) -> pd.DataFrame:
    """Return name, scenario, day, count, sum and squares: what each day adds to each scenario."""
    kinds = ["item"]
    kinds += [f"item.{name}" for name in config.features.item if "items" in config.features.scenario]
    kinds += [f"user.{name}" for name in config.features.user if "users" in config.features.scenario]
    columns = ["ds", "feature", "scenario", "value", "count", "sum", "sum_squares"]
    first = Distinct(vocabulary.size("scenario"), exact=True)
    parts = [pd.DataFrame({name: [] for name in ("name", "scenario", "day", "count", "sum", "squares")})]
    for batch in lake.scan("statistics", until=until, columns=columns, where=pc.field("feature").isin(kinds)):
        parts.append(_frame(batch, vocabulary))
        sold = batch.filter(pc.and_(pc.equal(batch["feature"], "item"), pc.greater(batch["count"], 0)))
        first.add(*_keys(sold, vocabulary, "value"))
    parts.append(first.daily().assign(name="items"))
    if "size" in config.features.scenario:
        people = Distinct(vocabulary.size("scenario"))
        for batch in lake.scan("examples", until=until, columns=["ds", "scenario", "user_id"]):
            people.add(*_keys(batch, vocabulary, "user_id"))
        parts.append(people.daily().assign(name="users"))
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True).fillna(0.0)
    whole["name"] = whole["name"].replace("item", "events")
    # Sorted by everything, so that sums do not depend on how the rows lie in files.
    return whole[whole["scenario"] > 0].sort_values(list(whole.columns), kind="stable")


def _frame(batch: pa.RecordBatch, vocabulary: Vocabulary) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": batch["feature"].to_pandas(),
            "scenario": vocabulary.encode("scenario", batch["scenario"]).astype(np.int64),
            "day": batch["ds"].cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64),
            "count": batch["count"].to_numpy(zero_copy_only=False).astype(np.float64),
            "sum": batch["sum"].to_numpy(zero_copy_only=False),
            "squares": batch["sum_squares"].to_numpy(zero_copy_only=False),
        }
    )


def _keys(
    batch: pa.RecordBatch, vocabulary: Vocabulary, column: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], Any]:
    scenario = vocabulary.encode("scenario", batch["scenario"]).astype(np.int64)
    return scenario, batch["ds"].cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64), batch[column]
