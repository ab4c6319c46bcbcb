"""Which days a night learns from and judges on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from landbridge.config.schema import Config
from landbridge.errors import ConfigError

Fit = Literal["A", "B", "C"]
FITS: tuple[Fit, ...] = ("A", "B", "C")


@dataclass(frozen=True)
class Window:
    """Days after `since` up to and with `until`, judged by a fit that knows nothing after its own last day.

    Where the split declares parts it is the part `split`, of whatever day, judged by a fit that knows the parts before.
    """

    split: Literal["validation", "test"]
    index: int
    fit: Fit
    since: dt.date
    until: dt.date


@dataclass(frozen=True)
class Days:
    """The days of one night. A fit knows the days up to and with `until(fit)`; all of them where parts are declared."""

    first: dt.date
    train_until: dt.date
    validation_until: dt.date
    ds: dt.date

    def until(self, fit: Fit) -> dt.date:
        """The last day that the fit learns from."""
        return {"A": self.train_until, "B": self.validation_until, "C": self.ds}[fit]


def days_of(config: Config, ds: dt.date) -> Days:
    """Return the days of the night of `ds`.

    Raises
    ------
    ConfigError
        If the data is a snapshot of another day.
    """
    first = config.data.reader.first_day
    if config.data.reader.is_snapshot and ds != first:
        raise ConfigError(
            f"--ds {ds}: {config.data.reader.path} is a snapshot (there is no {{ds}} in data.reader.path), "
            f"and all of it belongs to {first} (data.reader.first_day): run --ds {first}"
        )
    if config.days is not None:
        first = max(first, ds - dt.timedelta(days=config.days - 1))
    if config.split.part is not None:
        return Days(first, ds, ds, ds)
    validation_until = ds - dt.timedelta(days=config.split.test_days)
    train_until = validation_until - dt.timedelta(days=config.split.validation_days)
    return Days(first, train_until, validation_until, ds)


def windows_of(config: Config, ds: dt.date) -> list[Window]:
    """Return the validation windows in order, then the test window; where parts are declared, each is one part."""
    if config.split.part is not None:
        return [Window("validation", 0, "A", ds, ds), Window("test", 0, "B", ds, ds)]
    days = days_of(config, ds)
    length = dt.timedelta(days=config.split.validation_days // config.guard.windows)
    starts = [days.train_until + index * length for index in range(config.guard.windows)]
    validation = [Window("validation", index, "A", start, start + length) for index, start in enumerate(starts)]
    return [*validation, Window("test", 0, "B", days.validation_until, ds)]
