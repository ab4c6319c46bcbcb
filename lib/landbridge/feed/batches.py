"""Batches of a rank: equal steps on every rank by construction, the same global batches for any number of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from landbridge.errors import ConfigError
from landbridge.feed.assemble import Assembler
from landbridge.feed.associated import Timeline
from landbridge.feed.elsewhere import Elsewhere
from landbridge.feed.hashing import chained, uniform
from landbridge.feed.materialise import HISTORY, had_by, had_of_each
from landbridge.feed.negatives import Distribution, draw
from landbridge.feed.shards import SHARDS, Shards
from landbridge.feed.states import States, no_had, own_features

_BLOCK = 64
"""Histories that are read together."""
_WINDOW = 64 * _BLOCK
"""Histories among which the order is random, after the blocks have been shuffled."""
_ELSEWHERE = 0xE15E
"""Names the draw of the histories that are read by what was done elsewhere."""


@dataclass(frozen=True)
class Batch:
    """One rank's part of a global batch.

    Rows that would only pad are left out, except that a rank without any row gets one of weight 0, so B varies from
    step to step. The loss of a step is sum(weight * loss) / total over all ranks; `total` is the same on every rank, so
    with averaged gradients a rank's loss is world * sum(weight_B * loss_B) / total.
    """

    step: int
    """Within the epoch, from 0."""
    states: States
    """The H distinct histories of the batch."""
    history_H: NDArray[np.intp]
    """Their rows in the store."""
    pointer_B: NDArray[np.intp]
    """Row of `states` of every example."""
    example_B: NDArray[np.uint64]
    """Hashes of the example ids."""
    item_B: NDArray[np.int32]
    outcome_B: NDArray[np.float32]
    """The label."""
    had_B: NDArray[np.bool_]
    """Whether the user has the item after this event."""
    new_B: NDArray[np.bool_]
    """Whether the user did not have the item before this moment, in any scenario."""
    day_B: NDArray[np.int32]
    """Day of the example, in days since the epoch."""
    weight_B: NDArray[np.float32]
    """1; 0 for the row of a rank that has none."""
    total: float
    """The sum of weights over all ranks in this step."""
    negative_BN: NDArray[np.int32]
    """Drawn item ids; N is 0 for the retriever."""
    negative_weight_BN: NDArray[np.float32]
    """1; 0 where no item could be drawn that the user lacks."""
    feature_BNG: NDArray[np.float32]
    """Scaled item features as of the day, shape [B, 1 + N, G]; position 0 is `item_B`. Where the loader has
    associations, they follow them: [B, 1 + N, G + A]."""


@dataclass(frozen=True)
class Loader:
    """Hands out the batches of an epoch.

    Raises
    ------
    ConfigError
        On settings under which ranks would see different numbers of steps.
    """

    shards: Shards
    assembler: Assembler
    distribution: Distribution
    batch: int
    """Examples a step over all ranks; a multiple of S."""
    seed: int
    negatives: int = 0
    """Drawn per example; 0 for the retriever."""
    own_only: bool = False
    """For controls: nothing of other scenarios in histories and item features."""
    associated: Timeline | None = None
    """How candidates go with histories, for a ranker that reads it."""
    elsewhere: Elsewhere | None = None
    """What a share of the users is read by in place of his history, where some are asked as if new to the scenario."""
    share: float = 0.0
    """That share; drawn anew for every history and epoch."""

    def __post_init__(self) -> None:
        if self.batch < SHARDS or self.batch % SHARDS:
            near = max(SHARDS, round(self.batch / SHARDS) * SHARDS)
            raise ConfigError(
                f"batch {self.batch} is not a multiple of the {SHARDS} virtual shards, so ranks could not take equal "
                f"parts of a step; set it to {near}"
            )

    @property
    def steps(self) -> int:
        """Steps of an epoch, equal on every rank: what the largest virtual shard needs."""
        return -(-max(self.shards.counts) // self._slots)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; a pure function of (seed, epoch) and the shards."""
        orders = [self._order(shard, rows, epoch) for shard, rows in self.shards.histories.items()]
        for step in range(self.steps):
            part = slice(step * self._slots, (step + 1) * self._slots)
            yield self._batch(step, epoch, np.concatenate([order[part] for order in orders]))

    def had(self, batch: Batch, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return whether the user of each of the batch's H states had each of n items by then, shape [H, n]."""
        store, size = self.shards.store.arrays, self.assembler.vocabulary.size("item_id")
        first_H = store["h.user"][batch.history_H].astype(np.int64) * size
        return had_of_each(store["pair.key"], store["pair.ts"], first_H, store["h.ts"][batch.history_H], items, size)

    @property
    def _slots(self) -> int:
        """Examples of a virtual shard in a step."""
        return self.batch // SHARDS

    def _order(self, shard: int, rows: NDArray[np.intp], epoch: int) -> NDArray[np.int64]:
        """Return the shard's examples in the order of the epoch, those of a history together."""
        arrays, number = self.shards.store.arrays, np.arange(len(rows))
        blocks = np.argsort(chained(self.seed, epoch, shard, 0, np.arange(-(-len(rows) // _BLOCK))), kind="stable")
        rank = np.empty_like(blocks)
        rank[blocks] = np.arange(len(blocks))
        by_block = np.argsort(rank[number // _BLOCK], kind="stable")
        random = chained(self.seed, epoch, shard, 1, number)
        rows = rows[by_block[np.lexsort((random, number // _WINDOW))]]
        start, count = arrays["h.start"][rows], arrays["h.count"][rows].astype(np.int64)
        shift = start - (np.cumsum(count) - count)
        order: NDArray[np.int64] = np.repeat(shift, count) + np.arange(int(count.sum()))
        return order

    def _batch(self, step: int, epoch: int, rows: NDArray[np.int64]) -> Batch:
        store = self.shards.store.arrays
        part = np.clip(np.asarray(self.shards.counts) - step * self._slots, 0, self._slots)
        weight_B = np.ones(max(len(rows), 1), np.float32)
        if len(rows) == 0:
            weight_B[:] = 0.0
            rows = np.zeros(1, np.int64)
        if len(store["e.item"]) == 0:
            return self._nothing(step, float(part.sum()))
        history_H, pointer_B = np.unique(store["e.history"][rows], return_inverse=True)
        item_B = store["e.item"][rows]
        had = partial(self._had, history_H[pointer_B])
        negative_BN, negative_weight_BN = draw(
            self.distribution, had, self.seed, epoch, store["e.hash"][rows], item_B, self.negatives
        )
        day_B = store["h.day"][history_H][pointer_B]
        states = self._states(history_H)
        if self.elsewhere is not None:
            first_H = store["e.hash"][store["h.start"][history_H]]
            chosen_H = uniform(chained(self.seed, epoch, _ELSEWHERE, first_H)) < self.share
            hash_H = store["u.hash"][store["h.user"][history_H]]
            states = self.elsewhere.instead(states, hash_H, chosen_H, pointer_B, item_B)
        feature_BNG = self._features(store["e.feature"][rows], negative_BN, day_B)
        if self.associated is not None:
            asked_BK = np.concatenate([item_B[:, None], negative_BN], axis=1)
            goes_BKA = self.associated.of_pairs(states, pointer_B, asked_BK, day_B)
            feature_BNG = np.concatenate([feature_BNG, goes_BKA], axis=2)
        return Batch(
            step=step,
            states=states,
            history_H=history_H,
            pointer_B=pointer_B,
            example_B=store["e.hash"][rows],
            item_B=item_B,
            outcome_B=store["e.outcome"][rows],
            had_B=store["e.had"][rows],
            new_B=store["e.new"][rows],
            day_B=day_B,
            weight_B=weight_B,
            total=float(part.sum()),
            negative_BN=negative_BN,
            negative_weight_BN=negative_weight_BN,
            feature_BNG=feature_BNG,
        )

    def _states(self, history_H: NDArray[np.intp]) -> States:
        store = self.shards.store.arrays
        parts: dict[str, Any] = {name: store[f"h.{name}"][history_H] for name in HISTORY}
        states = States(
            scenario=self.shards.scenario,
            user_ids=pa.nulls(len(history_H), pa.string()),
            had=no_had(len(history_H), self.assembler.vocabulary.size("item_id")),
            **parts,
        )
        return states.own_only() if self.own_only else states

    def _features(
        self, own_BG: NDArray[np.float32], negative_BN: NDArray[np.int32], day_B: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        feature = own_BG[:, None, :]
        if self.negatives:
            others = self.assembler.item_features(negative_BN, self.shards.scenario, day_B[:, None])
            feature = np.concatenate([feature, others], axis=1)
        return own_features(feature) if self.own_only else feature

    def _had(self, history: NDArray[np.intp], rows: NDArray[np.intp], items: NDArray[np.int32]) -> NDArray[np.bool_]:
        store = self.shards.store.arrays
        user = store["h.user"][history].astype(np.int64) * self.assembler.vocabulary.size("item_id")
        return had_by(store["pair.key"], store["pair.ts"], user[rows] + items, store["h.ts"][history][rows])

    def _nothing(self, step: int, total: float) -> Batch:
        """The batch of a rank that owns no example at all: one row of padding."""
        width, n = self.assembler.n_item_features, self.negatives
        width += 0 if self.associated is None else self.associated.width
        return Batch(
            step=step,
            states=self.assembler.unknown(
                self.assembler.vocabulary.values("scenario")[self.shards.scenario - 1].as_py()
            ),
            history_H=np.zeros(0, np.intp),
            pointer_B=np.zeros(1, np.intp),
            example_B=np.zeros(1, np.uint64),
            item_B=np.zeros(1, np.int32),
            outcome_B=np.zeros(1, np.float32),
            had_B=np.zeros(1, np.bool_),
            new_B=np.zeros(1, np.bool_),
            day_B=np.zeros(1, np.int32),
            weight_B=np.zeros(1, np.float32),
            total=total,
            negative_BN=np.zeros((1, n), np.int32),
            negative_weight_BN=np.zeros((1, n), np.float32),
            feature_BNG=np.zeros((1, 1 + n, width), np.float32),
        )
