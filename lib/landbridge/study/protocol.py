"""What a study asks of a task: its trials, how one is run, and how the scores of one contender are measured.

`PointStudy` is the protocol of pointwise tasks, `RankingStudy` (windows) and `PartStudy` (declared parts) are those of
ranking tasks; runner, store, table, plots and tracking are the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.errors import ConfigError

ALL = "*"
"""The name under which all scenarios together stand among the scenarios."""
ALONE, EVERY = "alone", "all"
"""Contenders of a matrix that are no scenario: nothing crosses, and everything does."""


@dataclass(frozen=True)
class Trial:
    """One fit and what it is judged on: `part` is ``test``, the number of a fold, or a window."""

    contender: str
    seed: int
    part: str

    def __str__(self) -> str:
        return f"{self.contender}, seed {self.seed}, {self.part}"


@dataclass(frozen=True)
class Scored:
    """What a trial gives: one row for each judged row, with every column the table is made from.

    Attributes
    ----------
    rows
        Pointwise: example_id, user_id, scenario, label, fold, score, and what slices need. Ranking: user_id, scenario,
        window, item_id, rank (from 0 in the full catalogue), catalogue (its size), score, and what slices need. The
        runner adds contender and seed.
    seconds
        Of fitting and scoring the judged rows.
    validation
        The measure on held-out rows, all scenarios together; NaN where it was not asked for.
    curve
        (seconds, examples, measure on held-out rows) while it learned; empty where it does not learn in steps.
    left_out
        Why there are no rows, or why there are none of some scenarios.
    smaller
        Of a model that stands in for a larger one: what that costs and saves (`study.smaller`).
    """

    rows: pa.Table | None
    seconds: float
    validation: float = float("nan")
    curve: tuple[tuple[float, int, float], ...] = ()
    left_out: tuple[str, ...] = ()
    smaller: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, parts: Sequence[Self]) -> Self:
        """Return what several fits of one trial give together: each has judged rows of its own."""
        tables = [one.rows for one in parts if one.rows is not None]
        left_out = tuple(sentence for one in parts for sentence in one.left_out)
        return cls(pa.concat_tables(tables) if tables else None, sum(one.seconds for one in parts), left_out=left_out)


@dataclass(frozen=True)
class Measured:
    """A measure on some rows, and what each user does to it.

    `influence_U` is the derivative of the value by the user's weight: resampling users changes the value by the sum of
    (weight - 1) * influence to first order. `user_ids` are ascending.
    """

    value: float
    user_ids: pa.StringArray
    influence_U: NDArray[np.float64]
    rows: int


@dataclass(frozen=True)
class Entry:
    """A contender of a study: whether it learns from other scenarios, and whether seeds change it.

    `by_name`: it is studied only where it is named, because it takes long.
    """

    name: str
    crosses: bool
    seeded: bool
    by_name: bool = False


@dataclass(frozen=True)
class Metric:
    """A further number: of a scenario (or all, ``*``) and a slice of its rows."""

    scenario: str
    slice: str
    name: str
    value: float
    rows: int


class Protocol(ABC):
    """A task as a study sees it."""

    config: Config
    measure: str
    """The name of the measure that the table is about: auc, or ndcg@10. Higher is better."""
    aim: str = ALL
    """The row of `measured` that a search of hyper-parameters makes as high as it can."""

    @property
    @abstractmethod
    def parts(self) -> Sequence[str]:
        """The parts of each (contender, seed): its folds or windows, or ``test`` alone."""

    @property
    def searched(self) -> Sequence[str]:
        """The parts that a search of hyper-parameters is judged on, together."""
        return self.parts[:1]

    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """All contenders there are, in the order of the table."""

    @abstractmethod
    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return all that the trial's scores depend on, name to hash: data, configuration, code."""

    def expect(self, trials: Sequence[Trial], say: Callable[[str], None]) -> None:  # noqa: B027  (most note nothing)
        """Note all trials that are about to be run, and where to speak, for who fits several together."""

    @abstractmethod
    def run(self, trial: Trial) -> Scored:
        """Fit and score."""

    @abstractmethod
    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return the measure by scenario, and under ``*`` of all, of one contender's and seed's rows of all parts.

        All contenders are judged on the same rows, so their users are the same.
        """

    def metrics(self, rows: pa.Table) -> Sequence[Metric]:
        """Return further numbers of one contender's and seed's rows; not needed for the table."""
        return ()

    def matrix(self, contender: str) -> Protocol:
        """Return the protocol whose contenders are the sources of knowledge for `contender`.

        It has a contender ``alone`` for the control, ``all``, and one for each scenario as the only source.
        """
        raise ConfigError(f"there is no matrix of sources and targets for the task of {self.config.name}")

    def left_out(self) -> Protocol:
        """Return the protocol that judges each scenario by what was fitted on the others, without any row of it."""
        raise ConfigError(f"study --left-out: no scenario can be left out of the task of {self.config.name}")

    def choosing(self, part: str) -> Protocol:
        """Return the protocol whose scores decide what `part` publishes: no row of `part` is fitted or judged in it."""
        raise ConfigError(f"study.published: nothing decides what to publish for the task of {self.config.name}")

    def searching(self, config: Config) -> Protocol:
        """Return the protocol under a changed configuration, judged on validation rows: no test row is touched."""
        raise ConfigError(f"there is no search of hyper-parameters for the task of {self.config.name}")


def check_crosses(crossing: Sequence[str], name: str) -> None:
    """Refuse a matrix of a contender that is not among those that learn from other scenarios, with a `ConfigError`."""
    if name not in crossing:
        raise ConfigError(f"study.matrix: {name} does not learn from other scenarios; those: {', '.join(crossing)}")


@dataclass(frozen=True)
class Facts:
    """What is kept of a trial beside its rows."""

    fingerprint: Mapping[str, str]
    seconds: float
    validation: float
    curve: tuple[tuple[float, int, float], ...] = ()
    left_out: tuple[str, ...] = ()
    rows: int = 0
    smaller: Mapping[str, Any] | None = None
