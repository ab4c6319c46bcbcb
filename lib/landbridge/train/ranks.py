"""The processes that share a fit: sums over all of them, and a barrier. Horovod is imported only where it is used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor


class Ranks(ABC):
    """Who fits together."""

    rank: int
    size: int

    @abstractmethod
    def sum_(self, values: Tensor) -> Tensor:
        """Sum a flat tensor over all ranks, in place."""

    @abstractmethod
    def first_(self, values: Tensor) -> Tensor:
        """Overwrite a flat tensor with that of rank 0."""

    @abstractmethod
    def barrier(self) -> None:
        """Wait for all ranks."""

    def gather(self, rows: Tensor) -> tuple[Tensor, int]:
        """Return the rows [n, W] of all ranks below each other, in the order of the ranks, and where the own begin.

        Ranks may have different numbers of rows, none too.
        """
        count_R = torch.zeros(self.size)
        count_R[self.rank] = len(rows)
        count_R = self.sum_(count_R)
        begin = int(count_R[: self.rank].sum())
        whole = rows.new_zeros(int(count_R.sum()), rows.shape[1])
        whole[begin : begin + len(rows)] = rows
        return self.sum_(whole.reshape(-1)).view_as(whole), begin

    @property
    def leads(self) -> bool:
        """Whether this rank writes files."""
        return self.rank == 0


class Alone(Ranks):
    """One process, or one rank with a unit of its own."""

    rank, size = 0, 1

    def sum_(self, values: Tensor) -> Tensor:
        """Return the values: there is nothing to add."""
        return values

    def first_(self, values: Tensor) -> Tensor:
        """Return the values: this is rank 0."""
        return values

    def gather(self, rows: Tensor) -> tuple[Tensor, int]:
        """Return the rows: there are no others."""
        return rows, 0

    def barrier(self) -> None:
        """Return at once."""


class HorovodRanks(Ranks):
    """The ranks of a Horovod job."""

    def __init__(self) -> None:
        import horovod.torch as hvd

        hvd.init()
        self._hvd: Any = hvd
        self.rank, self.size = int(hvd.rank()), int(hvd.size())

    def sum_(self, values: Tensor) -> Tensor:
        """Sum by one allreduce of the flat tensor."""
        self._hvd.allreduce_(values, op=self._hvd.Sum, name="sum")
        return values

    def first_(self, values: Tensor) -> Tensor:
        """Broadcast from rank 0."""
        self._hvd.broadcast_(values, root_rank=0, name="first")
        return values

    def gather(self, rows: Tensor) -> tuple[Tensor, int]:
        """Return the rows of all ranks by an allgather, which takes different numbers of them."""
        count_R = self._hvd.allgather(torch.tensor([len(rows)]), name="counts")
        return self._hvd.allgather(rows.contiguous(), name="rows"), int(count_R[: self.rank].sum())

    def barrier(self) -> None:
        """Wait by an allreduce of one number."""
        self._hvd.allreduce_(torch.zeros(1), op=self._hvd.Sum, name="barrier")
