"""Users who lose all their events of one scenario, so that it can be learned what newcomers take.

Every user with events in two scenarios or more loses each of them once, in folds that follow each other from one by a
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
    user_P, _ = _stays(log)
    user, count = np.unique(user_P, return_counts=True)
    return user[count > 1]


def hidden(log: Interactions, folds: int, most: int, history: int) -> Iterator[tuple[Interactions, list[Hidden]]]:
    """Yield for each fold what is still known, and of every scenario the users who lost it, at most so many.

    A scenario of which nothing is known any more, because everybody in it lost it, is left out of the fold.
    `history` is how many events a state holds, the last ones.
    """
    user_P, scenario_P = _stays(log)
    hash_U = hash_strings(log.user_ids)
    fold_P = _folds(user_P, hash_U, folds)
    fold_N = np.full(len(log), folds)
    known_N = log.scenario > 0
    fold_N[known_N] = fold_P[np.searchsorted(_key(user_P, scenario_P), _key(log.user, log.scenario)[known_N])]
    for fold in range(folds):
        known, groups = log.where(fold_N != fold), []
        for scenario in np.unique(scenario_P[fold_P == fold]):
            user_B = user_P[(fold_P == fold) & (scenario_P == scenario)]
            some_B = np.sort(user_B[np.argsort(hash_U[user_B])[:most]])
            groups.append(_hidden(log, known, int(scenario), some_B, history))
        yield known, [group for group in groups if len(group.catalogue.items)]


def _key(user: NDArray[np.int32], scenario: NDArray[np.int32]) -> NDArray[np.int64]:
    key: NDArray[np.int64] = (user.astype(np.int64) << 32) + scenario
    return key


def _stays(log: Interactions) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the distinct pairs of user and scenario, by user, then scenario."""
    key_P = np.unique(_key(log.user, log.scenario)[log.scenario > 0])
    return (key_P >> 32).astype(np.int32), (key_P & 0xFFFFFFFF).astype(np.int32)


def _folds(user_P: NDArray[np.int32], hash_U: NDArray[np.uint64], folds: int) -> NDArray[np.int64]:
    """Return the fold in which a user loses a scenario: one after the other; `folds`, which is none, for a single one.

    Of more scenarios than there are folds, the last ones are never lost.
    """
    begin_P, end_P = (np.searchsorted(user_P, user_P, side=side) for side in ("left", "right"))
    place_P = np.arange(len(user_P)) - begin_P
    fold_P = ((hash_U[user_P] + place_P.astype(np.uint64)) % np.uint64(folds)).astype(np.int64)
    return np.where((end_P - begin_P > 1) & (place_P < folds), fold_P, folds)


def _hidden(log: Interactions, known: Interactions, scenario: int, user_B: NDArray[np.int32], history: int) -> Hidden:
    lost = log.where((log.scenario == scenario) & (log.item > 0)).matrix()[user_B]
    own = np.unique(known.item[known.scenario == scenario])
    items = own[own > 0]
    catalogue = Catalogue(scenario, items, np.zeros((len(items), 0), np.float32))
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
