"""The command line's shared options, and what a command is given of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from landbridge import config as configuration
from landbridge.config.schema import Config


class Day(click.ParamType):  # type: ignore[type-arg]  # generic for mypy, not when it runs
    """A date, as 2011-11-30."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Return the date, or fail with what was found."""
        try:
            return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is not a date; write it as 2011-11-30", param, ctx)


DAY = Day()


@dataclass(frozen=True)
class Place:
    """Which configuration a command works on."""

    conf: str
    profile: str
    overrides: tuple[str, ...]

    def load(self) -> Config:
        """Return the configuration, read and validated whole."""
        return configuration.load(self.conf, self.profile, self.overrides)

    def words(self) -> str:
        """The options as one would type them."""
        return " ".join([f"--conf {self.conf} --profile {self.profile}", *(f"--set {pair}" for pair in self.overrides)])


def placed(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--conf``, ``--profile``, ``--root`` and ``--set``, as one argument `place`."""

    @click.option(
        "--conf",
        default="conf/online_retail.yaml",
        show_default=True,
        help="What: data, features, models, how it is judged and published.",
    )
    @click.option(
        "--profile", default="local", show_default=True, help="Where: a name in profiles/ beside --conf, or a file."
    )
    @click.option("--root", metavar="DIR", help="Where tables and results lie; the profile's when left out.")
    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Overrides a key of the configuration, as train.processes=1. Repeatable.",
    )
    @wraps(function)
    def command(conf: str, profile: str, root: str | None, overrides: tuple[str, ...], **rest: Any) -> None:
        under = () if root is None else (f"root={root}",)
        function(place=Place(conf, profile, (*under, *overrides)), **rest)

    return command


ds_option = click.option(
    "--ds", type=DAY, required=True, help="The day: everything up to its end is known, nothing after it."
)
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for another writer of the lake.",
)
force_option = click.option("--force", is_flag=True, help="Run even what is done.")
