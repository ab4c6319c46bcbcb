"""Which targets share users with the source: where a strategy carries users over, the others are left out."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.step import Night
from landbridge.transfer import strategy_of


def without_shared(night: Night, targets: Iterable[str]) -> set[str]:
    """Return the targets of whose users nobody has events in the source up to ds; none where no strategy asks."""
    if not _asked(night):
        return set()
    counts = shared(night)
    return {target for target in targets if counts[target] == 0}


def sharing(night: Night) -> dict[str, str]:
    """Return what names the targets that share users with the source, for the step's fingerprint; nothing where no
    strategy asks.
    """
    if not _asked(night):
        return {}
    return {"targets that share users with the source": ", ".join(sorted(shared(night)))}


def unshared(contender: str, target: str, source: str) -> str:
    """Say that a target is left out."""
    return f"{contender} ({target}): left out, it carries users over and nobody with an event there has one in {source}"


def shared(night: Night) -> Counter[str]:
    """Return how many users have events in the source and in each other scenario, of the newest states up to ds.

    The states pass by in batches; a number a scenario is kept.
    """
    days = [day for day in night.lake.days("user_state") if day <= night.ds]
    counts: Counter[str] = Counter()
    if not days:
        return counts
    since, source = days[-1] - dt.timedelta(days=1), night.config.transfer.source
    for batch in night.lake.scan("user_state", since, days[-1], ["scenarios"]):
        counts.update(_of_batch(batch.column("scenarios"), source))
    del counts[source]
    return counts


def _of_batch(scenarios: pa.ListArray, source: str) -> dict[str, int]:
    """Return how many lists have each scenario, of those that have the source."""
    row, name = pc.list_parent_indices(scenarios).to_numpy(), pc.list_flatten(scenarios)
    knows = np.zeros(len(scenarios), np.bool_)
    knows[row[pc.equal(name, source).to_numpy(zero_copy_only=False)]] = True
    counted = pc.value_counts(name.filter(pa.array(knows[row])))
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _asked(night: Night) -> bool:
    return any(strategy_of(name).shares_users for name in night.config.transfer.strategies)
