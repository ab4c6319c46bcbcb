"""What a network is shaped by: vocabulary sizes, feature counts, and the configured widths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Protocol, Self

from landbridge.config.crossing import GRAPH
from landbridge.config.modalities import TEXT
from landbridge.config.schema import Config
from landbridge.config.text import Adaptor

NO_VECTORS: Mapping[str, int] = MappingProxyType({})


class Reads(Protocol):
    """What an encoder of histories is shaped by: `Sizes` has it, and so have the sizes of the pointwise rankers."""

    @property
    def scenarios(self) -> int:
        """Scenarios, the unknown one among them."""

    @property
    def types(self) -> int:
        """Types of events, the unknown one among them."""

    @property
    def user_features(self) -> int:
        """Numbers that are known of the user and the scenario that is asked about."""

    @property
    def dim(self) -> int:
        """Width of the vectors."""

    @property
    def layers(self) -> int:
        """Layers of the encoder."""

    @property
    def heads(self) -> int:
        """Heads of its attention."""

    @property
    def dropout(self) -> float:
        """Share that training hides."""

    @property
    def encoder(self) -> str:
        """The encoder's name."""


@dataclass(frozen=True)
class Adapting:
    """How a network's adaptor of items' vectors is shaped, and the share of items whose ids a step hides.

    `width` is that of the whitened vectors of texts, 0 where none are read. `others` names the other modalities that
    are read, with their widths, and `hidden` is the share of items of which a step hides a modality.
    """

    width: int = 0
    experts: int = 0
    id_dropout: float = 0.0
    others: tuple[tuple[str, int], ...] = ()
    hidden: float = 0.0

    @classmethod
    def of(cls, given: Adaptor | None, vectors: Mapping[str, int]) -> Self:
        """Return what is configured, of the modalities that there are: name to the numbers of their vectors."""
        if given is None:
            return cls()
        widths = {name: min(given.width, vectors[name]) for name in given.of if name in vectors}
        if not widths:
            return cls()
        text = widths.pop(TEXT, 0)
        others = tuple(sorted(widths.items()))
        return cls(text, given.experts, given.id_dropout, others, given.modality_dropout if others else 0.0)

    @property
    def widths(self) -> dict[str, int]:
        """Modality to the width of its whitened vectors, of those that are read; empty where there is no adaptor."""
        return ({TEXT: self.width} if self.width else {}) | dict(self.others)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; of texts alone what there was before there were others."""
        plain = asdict(self)
        if not self.others:
            del plain["others"], plain["hidden"]
        return plain

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(**{**values, "others": tuple((name, width) for name, width in values.get("others", ()))})


@dataclass(frozen=True)
class Graphing:
    """How networks of the form graph are shaped: layers, and neighbours of an item.

    `groups` of each scenario are told apart by `factors` numbers an item, 0 where no groups are read; at `strength` own
    events a user counts half as himself.
    """

    layers: int = 2
    neighbours: int = 30
    strength: float = 10.0
    groups: int = 0
    factors: int = 0

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return what is configured; the same for all whose strategies have no graph."""
        if GRAPH not in config.transfer.strategies:
            return cls()
        given, groups = config.transfer.graph, config.groups
        shape = (groups.count, groups.factors) if groups is not None else (0, 0)
        return cls(given.layers, given.neighbours, given.strength, *shape)


@dataclass(frozen=True)
class Sizes:
    """Shapes of the two networks. Every vocabulary size counts id 0, which is padding and the unknown."""

    items: int
    scenarios: int
    types: int
    user_features: int
    item_features: int
    dim: int
    layers: int
    heads: int
    dropout: float
    rank_dim: int
    rank_hidden: tuple[int, ...]
    rank_recent: int
    rank_dropout: float
    encoder: str = "attention"
    rank_encoder: str = "pooled"
    rank_layers: int = 1
    rank_heads: int = 2
    vectors: Adapting = Adapting()
    rank_vectors: Adapting = Adapting()
    kinds: tuple[str, ...] = ()
    """The kinds of association that the ranker reads."""
    graph: Graphing = Graphing()
    rank_tower: tuple[int, ...] = (32,)
    rank_experts: int = 4
    temperature: float | None = None
    """Of the retriever when it is fresh; the square root of `dim` when left out."""

    @classmethod
    def of(
        cls,
        config: Config,
        items: int,
        scenarios: int,
        types: int,
        user_features: int,
        item_features: int,
        vectors: Mapping[str, int] = NO_VECTORS,
    ) -> Self:
        """Return the sizes of a configuration's networks over vocabularies of these sizes.

        `vectors` are modality to the numbers of its vectors; without them a network reads none, whatever the
        configuration.
        """
        retriever, ranker = config.retriever, config.ranker
        return cls(
            items,
            scenarios,
            types,
            user_features,
            item_features,
            retriever.dim,
            retriever.layers,
            retriever.heads,
            retriever.dropout,
            ranker.dim,
            tuple(ranker.hidden),
            ranker.recent,
            ranker.dropout,
            retriever.encoder,
            ranker.encoder,
            ranker.layers,
            ranker.heads,
            Adapting.of(retriever.vectors, vectors),
            Adapting.of(ranker.vectors, vectors),
            config.ranker_kinds,
            Graphing.of(config),
            tuple(ranker.tower),
            ranker.experts,
            retriever.temperature,
        )

    def grown(self, other: Sizes) -> Sizes:
        """These sizes with the vocabularies of `other` where those are larger."""
        return replace(
            self,
            items=max(self.items, other.items),
            scenarios=max(self.scenarios, other.scenarios),
            types=max(self.types, other.types),
        )

    def compatible(self, other: Sizes) -> bool:
        """Whether weights of one fit the other, new vocabulary rows aside."""
        return self.grown(other) == other.grown(self)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        tree = asdict(self) | {name: getattr(self, name).to_json() for name in ("vectors", "rank_vectors")}
        if not self.kinds:  # as before there were any
            del tree["kinds"]
        if self.graph == Graphing():
            del tree["graph"]
        return tree

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known
        }
        given |= {key: Adapting.from_json(given[key]) for key in ("vectors", "rank_vectors") if key in given}
        if "graph" in given:
            given["graph"] = Graphing(**given["graph"])
        return cls(**given)
