"""The nightly: look first, take the lake, run the steps, let the lake go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from landbridge.config.days import days_of
from landbridge.config.schema import Config
from landbridge.errors import ConfigError
from landbridge.pipeline.lock import locked
from landbridge.pipeline.night import Ended, git_revision, night_of, run_steps
from landbridge.pipeline.preflight import preflight
from landbridge.pipeline.steps import NAMES, since, steps_until
from landbridge.step import Night, Step


def nightly(
    config: Config,
    ds: dt.date,
    say: Callable[[str], None],
    wanted: Sequence[str] = NAMES,
    start: str | None = None,
    force: bool = False,
    wait: float = 0.0,
    steps: Sequence[Step] | None = None,
) -> tuple[Night, Ended]:
    """Run the steps of a night, each unless it is done already.

    Parameters
    ----------
    config, ds
        The configuration and the day.
    say
        Prints one line of progress.
    wanted
        The steps to look at; a scheduler names one, a person all.
    start
        The step from which everything is run even if done (``--from``).
    force
        Whether every wanted step is run even if done.
    wait
        Seconds to wait for another nightly on the same lake.
    steps
        All steps in order; those of Landbridge when left out.

    Returns
    -------
    The night, and what ran in how many seconds and what was skipped why.
    """
    if ds < config.data.reader.first_day:
        raise ConfigError(
            f"--ds {ds}: the first day with data is {config.data.reader.first_day} (data.reader.first_day)"
        )
    days_of(config, ds)
    preflight(config)
    from landbridge.tracking.run import Tracker

    everything = tuple(steps) if steps is not None else steps_until(wanted[-1], config)
    forced = frozenset(wanted) if force else since(start, everything) if start is not None else frozenset()
    night = night_of(config, ds, say)
    with locked(night.lake, wait):
        tracker = Tracker.open(config, ds, say, tags={"git_revision": git_revision()})
        try:
            ended = run_steps(night, everything, wanted, tracker, forced)
        except BaseException:
            tracker.close(failed=True)
            raise
        tracker.close()
    return night, ended
