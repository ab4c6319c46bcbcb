"""Top-k: the best 100 of 20,000 items by factors of 64, what the user has left out, written as Parquet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse
from tests.bench import topk_peers as peers
from tests.bench.rounds import Contender, Role, Work
from tests.bench.topk_peers import ITEMS, Factors, Found, K

from landbridge.contenders.base import Fitted
from landbridge.contenders.folder import top_k
from landbridge.contenders.scorer import BLOCK as NIGHTLY
from landbridge.feed.states import Catalogue, States, of_had

_CHECKED = 64
"""Users whose lists are compared before anything is timed."""


@dataclass(frozen=True)
class FactorsFitted(Fitted):
    """A fitted contender whose users' factors stand in their features: nothing but the matrix product is its own."""

    kind: ClassVar[str] = "bench_factors"

    item_IF: NDArray[np.float32]

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BI."""
        scores_BI: NDArray[np.float32] = states.user_BF @ self.item_IF.T
        return scores_BI

    def save(self, folder: Path) -> None:
        """Nobody saves it."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Nobody loads it."""
        raise NotImplementedError


def works(scale: float, folder: Path) -> Sequence[Work]:
    """Return the work; 1.0 is 100,000 users with some 50 items each."""
    factors = Factors.drawn(max(_CHECKED, round(100_000 * scale)))
    users = len(factors.user_UF)
    ours, nightly = _ours(factors, users), _ours(factors, NIGHTLY)
    every: list[tuple[str, Role, Callable[[int], Found] | None]] = [
        ("landbridge top_k", "ours", ours),
        (f"landbridge top_k, {NIGHTLY} users at once, as nightly", "ours", nightly),
        ("torch.topk", "peer", lambda some: peers.torch_topk(factors, some)),
        ("torch.topk in two stages, exact", "peer", lambda some: peers.two_stages(factors, some)),
        ("faiss, k + what they have, then a filter", "peer", _if_there("faiss", peers.faiss_topk, factors)),
        ("implicit recommend", "peer", _if_there("implicit", peers.implicit_topk, factors)),
    ]
    _check_all_agree([(name, run) for name, _, run in every if run is not None])
    file = folder / "lists.parquet"
    contenders = [Contender(name, role, users, _written(run, users, file)) for name, role, run in every]
    floor = Contender("the matrix product alone", "floor", users, lambda: peers.product(factors))
    note = f"{users:,} users x {ITEMS:,} items, {factors.user_UF.shape[1]} factors, k = {K}, seen excluded, written"
    return [Work("topk", "users", note, [*contenders, floor])]


def _ours(factors: Factors, at_once: int) -> Callable[[int], Found]:
    """Return what answers the first users, `at_once` of them in a call; item ids count from 1."""
    fitted, seen = FactorsFitted(factors.item_IF), factors.seen
    had = sparse.csr_matrix((seen.data, seen.indices + 1, seen.indptr), shape=(seen.shape[0], ITEMS + 1))
    states = replace(of_had(1, had), user_BF=factors.user_UF)
    catalogue = Catalogue(1, np.arange(1, ITEMS + 1, dtype=np.int32), np.zeros((ITEMS, 0), np.float32))

    def run(some: int) -> Found:
        starts = range(0, some, at_once)
        blocks = [states.take(np.arange(start, min(start + at_once, some))) for start in starts]
        found = [top_k(fitted, block, catalogue, K, K) for block in blocks]
        return np.concatenate([items for items, _ in found]) - 1, np.concatenate([scores for _, scores in found])

    return run


def _if_there(module: str, answer: Callable[[Factors, int], Found], factors: Factors) -> Callable[[int], Found] | None:
    return None if find_spec(module) is None else lambda some: answer(factors, some)


def _written(run: Callable[[int], Found] | None, users: int, file: Path) -> Callable[[], object] | None:
    return None if run is None else lambda: _write(file, *run(users))


def _write(file: Path, items_UK: NDArray[np.integer[Any]], scores_UK: NDArray[np.float32]) -> None:
    columns = {"item": items_UK.astype(np.int32), "score": scores_UK.astype(np.float32, copy=False)}
    lists = {name: pa.FixedSizeListArray.from_arrays(pa.array(both.ravel()), K) for name, both in columns.items()}
    pq.write_table(pa.table({"user": np.arange(len(items_UK), dtype=np.int32), **lists}), file)


def _check_all_agree(answers: Sequence[tuple[str, Callable[[int], Found]]]) -> None:
    """Refuse to time what does another work: every list has the scores of the first one's."""
    expected = answers[0][1](_CHECKED)[1]
    for name, answer in answers:
        if not np.allclose(answer(_CHECKED)[1], expected, atol=1e-5):
            raise ValueError(f"{name} has other lists than {answers[0][0]}; there is nothing to compare")
