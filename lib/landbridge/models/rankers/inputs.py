"""The input that all rankers share: embeddings of user, item, scenario, categories and tags; numbers; the past.

Beside the deep part stands what learns first: a weight an id, and the product of user and item (Cheng et al. 2016,
wide and deep; Koren et al. 2009, equation 4).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.encoder import Table
from landbridge.models.rankers.attention import TargetAttention
from landbridge.models.rankers.history import History
from landbridge.models.rankers.layers import Drop
from landbridge.models.rankers.questions import Questions
from landbridge.models.rankers.sizes import RankerSizes

Vectors = dict[str, Tensor]


@dataclass(frozen=True)
class Given:
    """What is read of B rows: their normalised vectors, and for gates the vectors of single fields, before that.

    `vectors` are of user, item, scenario and of each category (``category0`` ...), as far as there are tables of them;
    `feature_BG` says what the scenario is. An id of `scenario_B` that is beyond the vocabulary is 0, the unknown.
    """

    hidden_BW: Tensor
    scenario_B: Tensor
    vectors: Mapping[str, Tensor]
    feature_BG: Tensor


class Inputs(nn.Module):
    """Rows -> one vector a row, normalised by itself."""

    def __init__(self, sizes: RankerSizes, with_scenario: bool) -> None:
        super().__init__()
        self.sizes, dim = sizes, sizes.dim
        known = {"user": sizes.users, "item": sizes.items, "scenario": sizes.scenarios if with_scenario else 1}
        self.ids = nn.ModuleDict({name: Table(size, dim) for name, size in known.items() if size > 1})
        self.wide = nn.ModuleDict({name: Table(size, sizes.tasks) for name, size in known.items() if size > 1})
        self.categories = nn.ModuleList([Table(size, dim) for size in sizes.categories])
        self.tags = Bag(sizes.tags, dim) if sizes.tags > 1 else None
        self.numbers = Numbers(sizes.numbers, dim) if sizes.numbers else None
        self.past = TargetAttention(sizes) if sizes.reads_history else None
        self.match = nn.Linear(dim, sizes.tasks, bias=False) if {"user", "item"} <= set(self.ids) else None
        places = len(self.ids) + len(self.categories) + (self.tags is not None) + (self.numbers is not None)
        self.told = sizes.features if with_scenario else 0
        self.width = dim * (places + (self.match is not None)) + self.told
        if self.past is not None:
            self.width += self.past.width + sizes.tastes
            self.straight = nn.Linear(self.past.heads * (sizes.outcomes + 1), sizes.tasks, bias=False)
        self.history = History(sizes) if sizes.encoder else None
        if self.history is not None:
            self.width += 2 * dim
            self.taste = nn.Linear(dim, sizes.tasks, bias=False)
        self.norm: nn.Module = nn.LayerNorm(self.width)
        # What a strategy carries into the vectors of user and item; nothing as a rule.
        self.carried: Carried | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of `Given.vectors`."""
        return (*self.ids, *(f"category{place}" for place in range(len(self.categories))))

    def forward(self, questions: Questions, drop: Drop | None) -> tuple[Given, Tensor]:
        """Return what is given, and wide_BK: a part of the logits that no tower changes."""
        id_B = {"user": questions.user_B, "item": questions.item_B, "scenario": questions.scenario_B}
        vectors = {name: table(id_B[name]) for name, table in self.ids.items()}
        if self.carried is not None:
            vectors |= self.carried(vectors, id_B, self.ids)
        if drop is not None:
            vectors = {name: drop.rows(value) if name == "user" else value for name, value in vectors.items()}
        parts = list(vectors.values())
        wide_BK = torch.zeros(len(questions), self.sizes.tasks, device=questions.user_B.device)
        for name, table in self.wide.items():
            wide_BK = wide_BK + table(id_B[name])
        if self.match is not None:
            product_BD = vectors["user"] * vectors["item"]
            parts.append(product_BD)
            wide_BK = wide_BK + self.match(product_BD)
        categories = [table(questions.category_BC[:, place]) for place, table in enumerate(self.categories)]
        parts += categories
        if self.tags is not None:
            parts.append(self.tags(questions.tag_E, questions.start_B))
        if self.numbers is not None:
            parts.append(self.numbers(questions.number_BF))
        if self.told:
            parts.append(questions.feature_BG)
        if self.past is not None:
            read, straight_BK = self._read(vectors["item"], questions, drop)
            parts, wide_BK = parts + read, wide_BK + straight_BK
        hidden_BW = self.norm(torch.cat(parts, dim=1))
        known_B = questions.scenario_B < self.sizes.scenarios
        given = Given(
            hidden_BW if drop is None else drop(hidden_BW),
            torch.where(known_B, questions.scenario_B, 0),
            dict(zip(self.fields, [*vectors.values(), *categories], strict=True)),
            questions.feature_BG,
        )
        return given, wide_BK

    def _read(self, item_BD: Tensor, questions: Questions, drop: Drop | None) -> tuple[list[Tensor], Tensor]:
        """Return what the past says of the candidates, and its part of the logits that no tower changes."""
        assert self.past is not None
        events, table = questions.events, self.ids["item"]
        assert events is not None, "a ranker with a history needs the events"
        assert isinstance(table, Table)
        if self.history is None:
            read_BW = self.past(item_BD, table(events.item_BL), events)
            return [read_BW, events.taste_BT], self.straight(read_BW[:, : self.straight.in_features])
        user_BD, event_BLD = self.history(questions, table, drop)
        read_BW, product_BD = self.past(item_BD, event_BLD, events), user_BD * item_BD
        straight_BK = self.straight(read_BW[:, : self.straight.in_features]) + self.taste(product_BD)
        return [read_BW, events.taste_BT, user_BD, product_BD], straight_BK


class Handed(Inputs):
    """Of rows that somebody else reads: how wide they are, and which vectors of single fields stand beside them."""

    def __init__(self, width: int, fields: tuple[str, ...]) -> None:
        nn.Module.__init__(self)
        self.width, self.told, self.past = width, 0, None
        self._fields = fields

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of `Given.vectors`."""
        return self._fields


class Carried(nn.Module, ABC):
    """What is known of user and item elsewhere, and changes their vectors before anything reads them."""

    @abstractmethod
    def forward(self, vectors: Mapping[str, Tensor], id_B: Mapping[str, Tensor], tables: nn.ModuleDict) -> Vectors:
        """Return the vectors BD that change, by field; `vectors` are those of the `tables`, for the ids `id_B`."""


class Bag(nn.Module):
    """The mean of the tags' vectors."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.tag = Table(size, dim)

    def forward(self, tag_E: Tensor, start_B: Tensor) -> Tensor:
        """Return the mean [B, D]; zero where there are no tags."""
        known = torch.where(tag_E < self.tag.table.num_embeddings, tag_E, 0)
        weight = self.tag.table.weight
        if self.tag.held is not None:
            weight = torch.where(self.tag.held[:, None], weight.detach(), weight)
        return F.embedding_bag(known, weight, start_B, mode="mean")


class Numbers(nn.Module):
    """Numbers, standardised as the training rows had them, with a flag where one is missing."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("deviation", torch.ones(count))
        self.layer = nn.Linear(2 * count, dim)

    def standardise(self, mean_F: Tensor, deviation_F: Tensor) -> None:
        """Set mean and standard deviation; a column that never changes keeps its scale."""
        self.get_buffer("mean").copy_(mean_F)
        self.get_buffer("deviation").copy_(torch.where(deviation_F > 0, deviation_F, 1.0))

    def forward(self, number_BF: Tensor) -> Tensor:
        """Return [B, D]; a missing number counts as the mean."""
        missing_BF = torch.isnan(number_BF)
        scaled_BF = (number_BF - self.get_buffer("mean")) / self.get_buffer("deviation")
        scaled_BF = torch.where(missing_BF, 0.0, scaled_BF).clamp(-5.0, 5.0)
        return torch.as_tensor(self.layer(torch.cat([scaled_BF, missing_BF.float()], dim=1)))
