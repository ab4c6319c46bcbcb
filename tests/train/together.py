"""Several ranks in one process, a thread each: real sums over real partners, without Horovod."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch import Tensor

from landbridge.train.ranks import Ranks


class Here(Ranks):
    """One of the ranks; it waits for the others wherever it asks."""

    def __init__(self, rank: int, size: int, meeting: threading.Barrier, told: list[Any]) -> None:
        self.rank, self.size, self._meeting, self._told = rank, size, meeting, told

    def sum_(self, values: Tensor) -> Tensor:
        """Sum over the threads, in the order of the ranks."""
        everybody = self._meet(values.clone())
        values.copy_(sum(everybody[1:], everybody[0]))
        return values

    def first_(self, values: Tensor) -> Tensor:
        """Overwrite with what rank 0 has."""
        values.copy_(self._meet(values.clone())[0])
        return values

    def barrier(self) -> None:
        """Wait for the other threads."""
        self._meet(None)

    def _meet(self, what: Any) -> list[Any]:
        self._told[self.rank] = what
        self._meeting.wait(timeout=60)
        everybody = list(self._told)
        self._meeting.wait(timeout=60)
        return everybody


def together(size: int, work: Callable[[Ranks], Any]) -> list[Any]:
    """Return what each of `size` ranks makes of `work`."""
    meeting, told = threading.Barrier(size), [None] * size
    ranks = [Here(rank, size, meeting, told) for rank in range(size)]
    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(work, ranks))
