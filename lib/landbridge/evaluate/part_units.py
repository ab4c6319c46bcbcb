"""Who is judged on what where a split declares parts: next items, users cold in a scenario, few users to learn from.

Next item: a unit is an example of the judged part. Its state is the history of the example, its truth the item; all
that the user had before is out of the race. The catalogue is every item with an event in the scenario.

Cold users: users chosen by a hash lose all events of one scenario, if they have any in another. What they had elsewhere
ranks the whole scenario, and the truth is all that they lost.

Learning curve: of the users with events in a scenario a share chosen by a hash keeps them, all others lose theirs of
that scenario to learning; the questions stay the same.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.study import ColdUsers
from landbridge.contenders.base import Fitted
from landbridge.contenders.folder import blocks
from landbridge.errors import DataError
from landbridge.feed.assemble import Assembler
from landbridge.feed.hashing import crc32, hash_strings, uniform
from landbridge.feed.histories import with_histories
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States
from landbridge.lake.lake import Lake

Ranks = tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float64], NDArray[np.float32]]
"""Unit, item, rank and score, an entry for everything that was to be found."""


@dataclass(frozen=True)
class PartUnits:
    """B questions about one scenario."""

    scenario: str
    states: States
    """With `had`: what is neither recommended nor in the race."""
    catalogue: Catalogue
    truth: sp.csr_matrix
    """Ones at what is to be found, float32 [B, items]."""
    lost: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()))
    """The ids of all users who lost the scenario to learning, for the sake of these questions."""

    def __len__(self) -> int:
        """The number of units B."""
        return len(self.states)


def next_items(
    lake: Lake,
    ds: dt.date,
    part: str,
    scenario: str,
    assembler: Assembler,
    before: Interactions,
    items: NDArray[np.int32],
) -> PartUnits:
    """Return a unit for each example of a part and scenario, in the order of the users, of all that have an item.

    Parameters
    ----------
    before
        The rows of the parts before it: what the users have.
    items
        The catalogue, ascending.
    """
    columns = ["ds", "scenario", "user_id", "item_id", "ts", "example_id"]
    wanted = (pc.field("part") == part) & (pc.field("scenario") == scenario)
    batches = [batch for batch in lake.scan("examples", until=ds, columns=columns, where=wanted) if batch.num_rows]
    if not batches:
        raise DataError(f"the part {part} has no example of {scenario}; correct split.part")
    rows = with_histories(lake, pa.Table.from_batches(batches), assembler.user_names)
    rows = rows.sort_by([(name, "ascending") for name in ("user_id", "ts", "example_id")])
    code_B = before.codes(rows["user_id"])
    known = sp.diags((code_B >= 0).astype(np.float32)) @ before.matrix()[np.maximum(code_B, 0)]
    return units_of(rows, scenario, sp.csr_matrix(known), assembler, assembler.catalogue(scenario, items, ds))


def units_of(
    rows: pa.Table, scenario: str, had: sp.csr_matrix, assembler: Assembler, catalogue: Catalogue
) -> PartUnits:
    """Return a unit for each of B examples with their histories; `had` is what each user had before, [B, items]."""
    item_B = assembler.vocabulary.encode("item_id", rows["item_id"])
    states = assembler.states(rows, scenario, had=had)
    cells = (np.ones(len(item_B), np.float32), (np.arange(len(item_B)), item_B))
    return PartUnits(scenario, states, catalogue, sp.csr_matrix(cells, shape=had.shape))


def cold_users(
    lake: Lake, ds: dt.date, given: ColdUsers, remainder: int, assembler: Assembler, log: Interactions
) -> tuple[PartUnits, Interactions]:
    """Return the units of the users who lose a scenario, in the order of the users, and the rows without the loss.

    The user features would tell what was lost, so they are missing.
    """
    own = log.scenario == log.vocabulary.id("scenario", given.scenario)
    users = len(log.user_ids)
    inside, outside = (np.bincount(log.user[rows], minlength=users) > 0 for rows in (own, ~own))
    chosen = inside & outside & (crc32(log.user_ids) % given.one_in == remainder)
    code_B = np.flatnonzero(chosen)
    if len(code_B) == 0:
        raise DataError(f"study.cold: no user has events both in {given.scenario} and elsewhere")
    items = np.unique(log.item[own])
    catalogue = assembler.catalogue(given.scenario, items[items > 0], ds)
    truth = log.where(own & log.had).matrix()[code_B]
    user_ids = log.user_ids.take(pa.array(code_B))
    rows = lake.read("user_state", ds - dt.timedelta(days=1), ds, where=pc.field("user_id").isin(user_ids)).sort_by(
        "user_id"
    )
    states = _without(assembler.states(rows, given.scenario), truth)
    found = truth.getnnz(axis=1) > 0
    units = PartUnits(given.scenario, states.take(np.flatnonzero(found)), catalogue, truth[found], user_ids)
    return units, log.where(~(own & chosen[log.user]))


def with_share(log: Interactions, scenario: str, share: float) -> Interactions:
    """Return the rows in which only a share of the scenario's users kept its events; a larger share holds a smaller."""
    own = log.scenario == log.vocabulary.id("scenario", scenario)
    kept = uniform(hash_strings(log.user_ids)) < share
    return log.where(~own | kept[log.user])


def ranked(fitted: Fitted, units: PartUnits) -> Ranks:
    """Return unit, item, rank and score of everything that was to be found.

    The rank is from 0 in the whole catalogue, less what the user has; of equal scores it is the mean one. What the
    catalogue lacks comes behind all of it, with the score NaN.
    """
    parts = [_ranked(fitted, units, rows) for rows in blocks(len(units))]
    unit, item, rank, score = (np.concatenate(one) for one in zip(*parts, strict=True))
    return unit, item, rank, score


def _ranked(fitted: Fitted, units: PartUnits, rows: NDArray[np.intp]) -> Ranks:
    states, items = units.states.take(rows), units.catalogue.items
    scores_BC = np.array(fitted.score(states, units.catalogue), np.float32)
    unit_T, item_T = units.truth[rows].nonzero()
    place_T = np.minimum(np.searchsorted(items, item_T), len(items) - 1)
    inside_T = items[place_T] == item_T
    score_T = np.where(inside_T, scores_BC[unit_T, place_T], np.nan).astype(np.float32)
    # What the user has is out of the race; something to be found that he had before is in it.
    had = _less(states.had, units.truth[rows]).tocoo()
    place = np.minimum(np.searchsorted(items, had.col), len(items) - 1)
    inside = items[place] == had.col
    scores_BC[had.row[inside], place[inside]] = -np.inf
    others_TC = scores_BC[unit_T]
    above_T = (others_TC > score_T[:, None]).sum(axis=1)
    equal_T = (others_TC == score_T[:, None]).sum(axis=1) - 1
    rank_T = np.where(inside_T, above_T + equal_T / 2.0, float(len(items)))
    return rows[unit_T], item_T.astype(np.int32), rank_T, score_T


def _without(states: States, lost: sp.csr_matrix) -> States:
    """Return the states without the events of the scenario that is asked about, and without what was lost."""
    other = states.keeping((states.scenario_BL != states.scenario) & (states.item_BL > 0) & (states.scenario_BL > 0))
    return replace(other, user_BF=np.zeros_like(states.user_BF), had=_less(states.had, lost))


def _less(had: sp.csr_matrix, gone: sp.csr_matrix) -> sp.csr_matrix:
    """Return what is had and not gone, both csr of ones [B, items]."""
    left = sp.csr_matrix(had - had.multiply(gone))
    left.eliminate_zeros()
    return left
