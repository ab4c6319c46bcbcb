"""What a smaller model costs and saves beside the one that it stands in for, on the judged rows.

Rows are scored in turns, and the best of a few rounds counts, in seconds of the processor: other work on the machine
then says little. The difference of AUC is paired by user, as in the table.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.contenders.pointwise.base import PointFitted
from landbridge.evaluate.pointwise import auc_of
from landbridge.feed.rows import Rows
from landbridge.study.protocol import Facts, Trial
from landbridge.study.table import interval

ROUNDS = 3


@dataclass(frozen=True)
class Smaller:
    """Of a smaller model and of what it stands in for: rows a second of the processor, and bytes when saved.

    `difference` is the smaller one's AUC less the other's, `error` the standard error of that, users resampled.
    """

    stands_for: str
    rate: float
    other_rate: float
    size: int
    other_size: int
    difference: float
    error: float

    @classmethod
    def of(cls, fitted: PointFitted, rows: Rows) -> Smaller | None:
        """Measure; None where the fitted stands in for nothing, or there are no rows of both answers."""
        label_N = rows.label_N > 0
        if fitted.stands_for is None or not label_N.any() or label_N.all():
            return None
        name, other = fitted.stands_for
        both = (fitted, other)
        _, user_N = np.unique(rows.cluster_N, return_inverse=True)
        users = int(user_N.max()) + 1
        seconds = [math.inf, math.inf]
        for _ in range(ROUNDS):
            for place, one in enumerate(both):
                begun = time.process_time()
                one.probability(rows)
                seconds[place] = min(seconds[place], time.process_time() - begun)
        own, beside = (auc_of(label_N, one.probability(rows), user_N, users) for one in both)
        difference = own.value - beside.value
        error = interval(np.array([difference]), own.influence_U - beside.influence_U)[3]
        rates, sizes = [len(rows) / max(one, 1e-9) for one in seconds], [_bytes(one) for one in both]
        return cls(name, rates[0], rates[1], sizes[0], sizes[1], difference, error)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def sentence_of(some: Sequence[Mapping[str, Any]]) -> str:
    """Return what the trials of one contender say together; what seeds add by chance is added to the interval."""
    every = [Smaller(**one) for one in some]
    rate, other, size, whole, difference, error = (
        float(np.mean([getattr(one, name) for one in every]))
        for name in ("rate", "other_rate", "size", "other_size", "difference", "error")
    )
    between = float(np.var([one.difference for one in every], ddof=1)) / len(every) if len(every) > 1 else 0.0
    reach = 1.96 * math.sqrt(error**2 + between)
    return (
        f"in place of {every[0].stands_for}: {rate:,.0f} rows a second of the processor against {other:,.0f} "
        f"({rate / other:.1f} times as many), {size / 1e6:.2f} MB against {whole / 1e6:.2f}, auc {difference:+.4f} "
        f"[{difference - reach:+.4f}, {difference + reach:+.4f}]"
    )


def lines_of_smaller(facts: Mapping[Trial, Facts]) -> list[str]:
    """Return a line for each contender that stands in for another one."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for trial, kept in facts.items():
        if kept.smaller is not None:
            by_name.setdefault(trial.contender, []).append(kept.smaller)
    return [f"{name} {sentence_of(some)}" for name, some in by_name.items()]


def _bytes(fitted: PointFitted) -> int:
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder))
        return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
