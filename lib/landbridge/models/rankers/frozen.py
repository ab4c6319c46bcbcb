"""Rankers whose body stays: which of their weights still learn, as `models.frozen` has it for networks of lists.

The body is what reads a row. What learns is where a scenario may differ from another (its vectors, and whatever a
ranker has of it alone: towers, gates, factors), the last layers, all biases (BitFit, Ben Zaken et al. 2022, section 3),
and the rows of ids that the source never met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from landbridge.models.encoder import Table
from landbridge.models.frozen import TOKENS
from landbridge.models.rankers.base import PointRanker

LAST = ("logit.weight", "match.weight", "straight.weight", "taste.weight")
OWN = re.compile(r"(^|\.)(towers|gates|own|auxiliary|scenario_gate)\.")
"""What a ranker has of single scenarios, or for them."""
EXPERTS = re.compile(r"(^|\.)experts\.")
LAYER = re.compile(r"(?:^|\.)(?:layers|centre|norms|pruners|scales)\.(\d+)\.")


def hold_body(ranker: PointRanker) -> None:
    """Let the head alone learn, in place; rows of tables learn as far as `hold_met` leaves them."""
    _hold(ranker, lambda name: _is_head(name, len(ranker.sizes.hidden)))


def hold_all(ranker: PointRanker) -> None:
    """Let nothing learn, in place, but the scenario's vectors and rows of tables, as far as `hold_met` leaves them."""
    _hold(ranker, lambda name: name.endswith(TOKENS))


def hold_met(ranker: PointRanker, met: Mapping[str, Tensor]) -> None:
    """Hold the rows of ids that the source met, masks by field: ``user``, ``item``, ``tag``, ``category0`` ..."""
    for field, tables in _by_field(ranker).items():
        for table in tables:
            assert table.held is not None, "hold_body or hold_all comes first"
            table.held.copy_(met[field])


def keeping(ranker: PointRanker) -> Callable[[], None]:
    """Return what puts the held rows back: a step moves them too, since weight decay asks for no gradient."""
    tables = [module for module in ranker.modules() if isinstance(module, Table) and module.held is not None]
    kept = [(table, torch.where(table.held)[0]) for table in tables if table.held is not None]
    rows = [table.table.weight[index].detach().clone() for table, index in kept]

    @torch.no_grad()
    def put_back() -> None:
        for (table, index), row in zip(kept, rows, strict=True):
            table.table.weight[index] = row

    return put_back


def _hold(ranker: PointRanker, learns: Callable[[str], bool]) -> None:
    for name, value in ranker.named_parameters():
        value.requires_grad_(learns(name))
    for tables in _by_field(ranker).values():
        for table in tables:
            table.held = torch.zeros(table.table.num_embeddings, dtype=torch.bool)
            table.table.weight.requires_grad_(True)


def _by_field(ranker: PointRanker) -> dict[str, list[Table]]:
    """Return the tables of ids that a row has, by field; those of scenarios are not among them."""
    inputs = ranker.inputs
    found = {
        field: [group[field] for group in (inputs.ids, inputs.wide) if field in group] for field in ("user", "item")
    }
    found |= {f"category{place}": [table] for place, table in enumerate(inputs.categories)}
    found |= {"tag": [inputs.tags.tag]} if inputs.tags is not None else {}
    return {field: [one for one in tables if isinstance(one, Table)] for field, tables in found.items()}


def _is_head(name: str, hidden: int) -> bool:
    """Whether a weight is of the head; layers behind the `hidden` first ones are last layers."""
    if name.endswith((*TOKENS, *LAST, ".bias")):
        return True
    if name.startswith("inputs.") or EXPERTS.search(name):
        return False
    layer = LAYER.search(name)
    return (layer is not None and int(layer[1]) >= hidden) or OWN.search(name) is not None
