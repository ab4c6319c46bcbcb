"""Who took what for the first time: the question that recommendations answer."""

from __future__ import annotations

import datetime as dt

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.feed.interactions import Interactions, days_since_epoch


def taken(
    interactions: Interactions, before: Interactions, had: sp.csr_matrix, scenario: str, since: dt.date, until: dt.date
) -> tuple[NDArray[np.int32], sp.csr_matrix]:
    """Return the users, ascending, and what each took in the scenario that he did not have, csr of ones [B, items].

    Parameters
    ----------
    interactions
        All rows.
    before
        Those up to and with `since`: users are those with an event in the scenario among them.
    had
        What the users have of `before`, csr [users, items].
    since, until
        The days after `since` up to and with `until`.
    """
    own = interactions.of_scenario(scenario)
    inside = own.had & (own.day > days_since_epoch(since)) & (own.day <= days_since_epoch(until)) & (own.item > 0)
    size = had.shape[1]
    user, item = np.divmod(np.unique(own.user[inside].astype(np.int64) * size + own.item[inside]), size)
    known = np.zeros(had.shape[0], np.bool_)
    known[before.of_scenario(scenario).user] = True
    # Without a pair scipy answers with an empty matrix that is not dense.
    owned = np.asarray(had[user, item]).ravel() if len(user) else np.zeros(0)
    fresh = known[user] & (owned == 0)
    users, row = np.unique(user[fresh], return_inverse=True)
    truth = sp.csr_matrix((np.ones(len(row), np.float32), (row, item[fresh])), shape=(len(users), size))
    return users.astype(np.int32), truth
