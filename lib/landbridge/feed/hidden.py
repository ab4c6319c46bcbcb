"""Users who lose all their events of one scenario, so that it can be learned what newcomers take.

Every user with events in two scenarios or more is in one of the folds and loses one of his scenarios there, both by a
hash of his id. What he has elsewhere stays, all of it: he is asked as if he had never come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.feed.hashing import hash_strings
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States, of_had, right_aligned

_NONE = -1
"""What a user loses who keeps all his scenarios."""


@dataclass(frozen=True)
class Hidden:
    """The users of a fold who lost a scenario.

    Attributes
    ----------
    states
        What is known of them, asked about the scenario they lost.
    catalogue
        The items that the others had there; without features.
    lost
        csr of ones [B, items of the vocabulary], what they had there.
    """

    states: States
    catalogue: Catalogue
    lost: sp.csr_matrix


def movers(log: Interactions) -> NDArray[np.int32]:
    """Return the codes of the users with events in two scenarios or more, ascending."""
    return _movers(_scenarios(log)[0])


def hidden(log: Interactions, folds: int, most: int, history: int) -> Iterator[tuple[Interactions, list[Hidden]]]:
    """Yield for each fold what is still known, and of every scenario the users who lost it, at most so many.

    A scenario of which nothing is known any more, because everybody in it lost it, is left out of the fold.
    `history` is how many events a state holds, the last ones.
    """
    user_P, scenario_P = _scenarios(log)
    chosen = _movers(user_P)
    hash_U = hash_strings(log.user_ids)[chosen]
    begin_U = np.searchsorted(user_P, chosen)
    count_U = np.searchsorted(user_P, chosen, side="right") - begin_U
    fold_U = hash_U % np.uint64(folds)
    lost_U = scenario_P[begin_U + (hash_U // np.uint64(folds) % count_U.astype(np.uint64)).astype(np.int64)]
    for fold in range(folds):
        inside = fold_U == fold
        gone = np.full(len(log.user_ids), _NONE, np.int32)
        gone[chosen[inside]] = lost_U[inside]
        known = log.where(gone[log.user] != log.scenario)
        losers = {int(one): np.flatnonzero(inside & (lost_U == one)) for one in np.unique(lost_U[inside])}
        some = {one: np.sort(row_B[np.argsort(hash_U[row_B])[:most]]) for one, row_B in losers.items()}
        groups = [_hidden(log, known, one, chosen[row_B], history) for one, row_B in some.items()]
        yield known, [group for group in groups if len(group.catalogue.items)]


def _scenarios(log: Interactions) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the distinct pairs of user and scenario, by user."""
    base = int(log.scenario.max(initial=0)) + 1
    known = log.scenario > 0
    user, scenario = np.divmod(np.unique(log.user[known].astype(np.int64) * base + log.scenario[known]), base)
    return user.astype(np.int32), scenario.astype(np.int32)


def _movers(user_P: NDArray[np.int32]) -> NDArray[np.int32]:
    user, count = np.unique(user_P, return_counts=True)
    return user[count > 1]


def _hidden(log: Interactions, known: Interactions, scenario: int, user_B: NDArray[np.int32], history: int) -> Hidden:
    name = log.vocabulary.values("scenario")[scenario - 1].as_py()
    lost = log.where((log.scenario == scenario) & (log.item > 0)).matrix()[user_B]
    own = np.unique(known.item[known.scenario == scenario])
    items = own[own > 0]
    catalogue = Catalogue(log.vocabulary.id("scenario", name), items, np.zeros((len(items), 0), np.float32))
    return Hidden(_states(known, scenario, user_B, history), catalogue, lost)


def _states(known: Interactions, scenario: int, user_B: NDArray[np.int32], history: int) -> States:
    """Return what the rows tell of users: their last events, and what they have."""
    begin_B = np.searchsorted(known.user, user_B)
    length_B = np.searchsorted(known.user, user_B, side="right") - begin_B
    source_BL, filled_BL = right_aligned(length_B, history)
    source_BL += (begin_B - (np.cumsum(length_B) - length_B))[:, None]

    def placed(values: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.where(filled_BL, values[np.where(filled_BL, source_BL, 0)], 0)

    states = of_had(scenario, known.matrix()[user_B])
    none_BL = np.zeros((len(user_B), history), np.int32)
    return replace(
        states,
        item_BL=placed(known.item),
        scenario_BL=placed(known.scenario),
        type_BL=none_BL,
        outcome_BL=none_BL.astype(np.float32),
        age_BL=none_BL.astype(np.float32),
        length_B=np.minimum(length_B, history).astype(np.int32),
    )
