"""Training: MMoE and STAR on rows of 8 categorical fields and 3 scenarios, in batches of 4096, tables of 16.

The networks have the same towers and experts. Ours have more: the scenario's own vector, the product of user and item,
weights an id beside the deep part, and rows normalised by themselves after each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from scipy import sparse
from tests.bench import training_peers as peers
from tests.bench.impressions import FIELDS, Impressions
from tests.bench.rounds import Contender, Work
from tests.bench.training_peers import BATCH, DIM, EXPERTS, WIDTHS

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.fitting import sizes_of
from landbridge.contenders.pointwise.prepared import Known, Prepared
from landbridge.contenders.pointwise.steps import fit_ranker
from landbridge.feed.rows import Coding, Rows
from landbridge.models.rankers import new_ranker

Kind = Literal["mmoe", "star"]
_LAYERS: dict[Kind, dict[str, list[int]]] = {
    "mmoe": {"hidden": [*WIDTHS], "tower": [32]},
    "star": {"hidden": [*WIDTHS[:-1]], "tower": [WIDTHS[-1]]},
}
_DROPOUT = RankerSettings().dropout


def works(scale: float, folder: Path) -> Sequence[Work]:
    """Return a work a network; 1.0 is 300 steps of 4096 rows."""
    given = Impressions.drawn(max(256, round(300 * BATCH * scale)))
    rows = _rows(given)
    return [_work(kind, given, rows) for kind in _LAYERS]


def _work(kind: Kind, given: Impressions, rows: Rows) -> Work:
    count, ours = len(rows), _ours(kind, rows)
    contenders = [
        Contender("landbridge fit_ranker", "ours", count, ours(0.0)),
        Contender(f"landbridge fit_ranker, dropout {_DROPOUT} as usual", "ours", count, ours(_DROPOUT)),
        Contender("plain torch loop, Adam(fused=True)", "peer", count, peers.plain(kind, given)),
        Contender("its matrix products, there and back", "floor", count, peers.products(kind, given)),
    ]
    note = f"{count:,} rows of 8 fields, 3 scenarios, batches of {BATCH}, tables of {DIM}, layers of {WIDTHS}"
    return Work(f"training {kind}", "samples", note, contenders)


def _ours(kind: Kind, rows: Rows) -> Callable[[float], Callable[[], object]]:
    """Return what makes, of a dropout, an epoch of the fit without held-out rows; each continues the one before."""
    settings = RankerSettings(
        kinds=(kind,), dim=DIM, experts=EXPERTS, epochs=1, batch=BATCH, user_rows=1, **_LAYERS[kind]
    )
    known = Known.fit(rows, settings.user_rows)
    ranker = new_ranker(kind, sizes_of(rows.coding, known, settings, outcomes=1), seed=7)
    train = Prepared.of(rows, known, None, None)

    def epoch(dropout: float) -> Callable[[], object]:
        given = settings.model_copy(update={"dropout": dropout})
        return lambda: fit_ranker(ranker, train, None, given, seed=7)

    return epoch


def _rows(given: Impressions) -> Rows:
    """Return the impressions as the feed gives them to rankers: ids from 1."""
    count, categories = len(given.label_N), tuple(FIELDS)[2:]
    values = {field: tuple(map(str, range(size))) for field, size in FIELDS.items()}
    coding = Coding({**values, "scenario": ("a", "b", "c"), "tag": ()}, (), categories)
    return Rows(
        coding=coding,
        key_N=pa.nulls(count, pa.string()),
        cluster_N=pa.nulls(count, pa.string()),
        user_N=given.field_NC[:, 0] + 1,
        item_N=given.field_NC[:, 1] + 1,
        scenario_N=given.scenario_N + 1,
        number_NF=np.zeros((count, 0), np.float32),
        category_NC=given.field_NC[:, 2:] + 1,
        label_N=given.label_N,
        value_N=np.full(count, np.nan, np.float32),
        tag_NT=sparse.csr_matrix(np.zeros((count, 1), np.float32)),
        part_N=np.full(count, "", object),
        moment_N=np.full(count, np.nan),
        text_N=np.zeros(count, np.int32),
    )
