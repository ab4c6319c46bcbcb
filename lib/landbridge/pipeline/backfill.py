"""Nights of the past, one after the other, each warm-starting from the one before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from landbridge.errors import ConfigError, LandbridgeError


def backfill(
    first: dt.date, last: dt.date, run: Callable[[dt.date], None], say: Callable[[str], None], resume: str
) -> int:
    """Run every day from `first` up to and with `last`; return how many. The first failure ends it.

    Parameters
    ----------
    run
        Runs the nightly of a day.
    resume
        The command without its ``--from``, for the sentence that says how to go on.

    Raises
    ------
    LandbridgeError
        What the day raised, with the command that resumes.
    """
    if last < first:
        raise ConfigError(f"--from {first} --to {last}: the last day lies before the first")
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    for number, day in enumerate(days):
        say(f"== {day} ({number + 1} of {len(days)})")
        try:
            run(day)
        except LandbridgeError as error:
            error.args = (
                f"{error}\nbackfill stopped at {day}, {number} of {len(days)} days are done; "
                f"resume with: {resume} --from {day}",
                *error.args[1:],
            )
            raise
    return len(days)
