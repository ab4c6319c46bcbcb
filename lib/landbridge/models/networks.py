"""The pair of networks of one contender, and their safetensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from landbridge.config.crossing import BY_SCENARIO
from landbridge.config.modalities import TEXT
from landbridge.errors import TrainError
from landbridge.models.adversary import judge
from landbridge.models.beside import GATES, RankerBeside, RetrieverBeside
from landbridge.models.bridge import Bridging, RetrieverBridged
from landbridge.models.connected import connect
from landbridge.models.frozen import hold_body, hold_known
from landbridge.models.generative import RetrieverGenerative
from landbridge.models.graph import Edges
from landbridge.models.initial import grown, initialise
from landbridge.models.interest import Flow
from landbridge.models.items import Items
from landbridge.models.low_rank import adapt
from landbridge.models.prompts import prompt
from landbridge.models.ranker import Ranker
from landbridge.models.ranker_by_scenario import RankerByScenario
from landbridge.models.retriever import Retriever
from landbridge.models.sizes import Sizes
from landbridge.models.whitened import Whitened

NAMES = ("retriever", "ranker")
"""The networks, in the order in which they are fitted."""
SPREAD = {"retriever": 0.1, "ranker": 0.3}
"""Standard deviation of fresh embeddings; the ranker multiplies them with each other."""
PLAIN, GENERATIVE, BRIDGED = "plain", "generative", "bridged"
CHANGES: dict[str, Callable[[nn.Module, int], None]] = {
    "low_rank": adapt,
    "frozen": hold_body,
    "prompted": prompt,
    "adversarial": judge,
    "graph": connect,
}
"""What is done to a plain network, in place and with a seed, to bring it into a form."""


@dataclass(frozen=True)
class Networks:
    """A retriever and a ranker of the same sizes.

    `form` says how they are built: plain, changed (the names of `CHANGES`), with the source's networks beside them
    (the names of `GATES`), or with a retriever of its own kind; what was saved in a form is loaded in it. `bridging` is
    what a bridged retriever is built by.
    """

    retriever: Retriever
    ranker: Ranker
    form: str = PLAIN
    bridging: Bridging | None = None

    @property
    def sizes(self) -> Sizes:
        """Their sizes."""
        return self.retriever.sizes

    def network(self, name: str) -> nn.Module:
        """One of them by name."""
        return {"retriever": self.retriever, "ranker": self.ranker}[name]

    @property
    def vectors(self) -> Mapping[str, Whitened]:
        """The items' vectors that they read, by modality; empty where they have none."""
        return {name: vectors for items in self._readers() for name, vectors in items.vectors.items()}

    def read(self, vectors: Mapping[str, Whitened], none_G: Tensor | None = None) -> None:
        """Let all their parts that read vectors read these, by modality, those of a source beside them too.

        `none_G` are the features of an item without events, as the networks see them; left out, they stay.
        """
        for items in self._readers():
            items.read(vectors, none_G)

    def mark(self, trained_I: Tensor) -> None:
        """Note the items whose ids a fit trains; a source beside them stays as it is."""
        for items in (self.retriever.item, self.ranker.item):
            if items.adaptor is not None:
                items.mark(trained_I)

    def connect(self, edges: Edges, flow: Flow | None) -> None:
        """Let networks of the form graph read tonight's edges, and the groups where they read some."""
        for network in (self.retriever, self.ranker):
            assert network.item.graph is not None
            network.item.graph.read(edges)
            network.item.forget()
            if network.interest is not None and flow is not None:
                network.interest.read(flow)

    def _readers(self) -> list[Items]:
        found = [module for name in NAMES for module in self.network(name).modules() if isinstance(module, Items)]
        return [items for items in found if items.adaptor is not None]

    @classmethod
    def new(cls, sizes: Sizes, seed: int) -> Networks:
        """Fresh networks; the same seed gives the same weights, and the same row to the same id in a vocabulary of
        any size.
        """
        networks = cls(Retriever(sizes), Ranker(sizes))
        for name in NAMES:
            initialise(networks.network(name), seed, SPREAD[name])
        return networks

    def changed(self, form: str, seed: int) -> Networks:
        """Return these plain networks, changed in place into a form of `CHANGES`."""
        for name in NAMES:
            CHANGES[form](self.network(name), seed)
        return Networks(self.retriever, self.ranker, form)

    def holding(self, seed: int) -> Networks:
        """Return these networks, changed in place: a table that holds rows holds those that a fit has moved.

        `seed` is that of the fresh networks from which that fit began.
        """
        fresh = Networks.new(self.sizes, seed)
        for name in NAMES:
            hold_known(self.network(name), fresh.network(name))
        return self

    def beside(self, source: Networks, gate: str) -> Networks:
        """Return networks that begin as these and take in what the plain `source` makes of the same rows."""
        return Networks(
            RetrieverBeside(self.retriever, source.retriever, gate),
            RankerBeside(self.ranker, source.ranker, gate),
            gate,
        )

    def generative(self, seed: int) -> Networks:
        """Return networks with a generative retriever that begins as this plain one."""
        return Networks(RetrieverGenerative(self.retriever, seed), self.ranker, GENERATIVE)

    def by_scenario(self, kind: str, seed: int) -> Networks:
        """Return networks with a ranker of a kind of `BY_SCENARIO` that begins as this plain one."""
        return Networks(self.retriever, RankerByScenario(self.ranker, kind, seed), kind)

    def bridged(self, source: Networks, bridging: Bridging, seed: int) -> Networks:
        """Return networks with a bridge from the plain `source` to the retriever, and the ranker as it is."""
        return Networks(
            RetrieverBridged(self.retriever, source.retriever, bridging, seed), self.ranker, BRIDGED, bridging
        )

    def with_source(self, source: Networks) -> Networks:
        """Return these networks, changed in place: with another plain source beside them."""
        self.retriever.load_state_dict(_named("source.", source.retriever), strict=False)
        self.ranker.load_state_dict(_named("source.", source.ranker), strict=False)
        return self

    @classmethod
    def of_form(cls, form: str, sizes: Sizes, seed: int | None, bridging: Bridging | None = None) -> Networks:
        """Return networks of a form: fresh ones, or without a seed such whose weights are yet to be loaded.

        Raises
        ------
        TrainError
            If there is no such form.
        """
        plain = cls(Retriever(sizes), Ranker(sizes)) if seed is None else cls.new(sizes, seed)
        if form == PLAIN:
            return plain
        if form in CHANGES:
            return plain.changed(form, seed or 0)
        if form == GENERATIVE:
            return plain.generative(seed or 0)
        if form in BY_SCENARIO:
            return plain.by_scenario(form, seed or 0)
        if form == BRIDGED and bridging is not None:
            return plain.bridged(plain, bridging, seed or 0)
        if form not in GATES:
            forms = ", ".join((PLAIN, *CHANGES, *GATES, *BY_SCENARIO, GENERATIVE, BRIDGED))
            raise TrainError(f"there are no networks of the form {form}; forms: {forms}")
        return plain.beside(plain, form)

    def copy(self, sizes: Sizes, seed: int) -> Networks:
        """The same weights in networks of `sizes`, whose vocabularies may be larger.

        Raises
        ------
        TrainError
            Where the shapes differ in more than new vocabulary ids.
        """
        if not self.sizes.compatible(sizes):
            raise TrainError(
                f"weights of {self.sizes} do not fit networks of {sizes}; the widths or the features changed: fit anew"
            )
        networks = Networks.of_form(self.form, self.sizes.grown(sizes), seed, self.bridging)
        for name in NAMES:
            network = networks.network(name)
            network.load_state_dict(grown(network, dict(self.network(name).state_dict())))
        if self.vectors:
            networks.read(self.vectors)
        return networks

    def save(self, folder: Path) -> None:
        """Write sizes.json, retriever.safetensors and ranker.safetensors into an existing folder; where they read
        vectors, these too, in half precision.
        """
        tree = {"form": self.form, **self.sizes.to_json()}
        if self.bridging is not None:
            tree["bridging"] = asdict(self.bridging)
        (folder / "sizes.json").write_text(json.dumps(tree, indent=1, sort_keys=True))
        for name in NAMES:
            weights = {key: value.detach().contiguous() for key, value in self.network(name).state_dict().items()}
            save_file(weights, folder / f"{name}.safetensors")
        for name, vectors in self.vectors.items():
            vectors.save(folder / _file_of(name))

    @classmethod
    def load(cls, folder: Path) -> Networks:
        """Read what `save` wrote."""
        tree = json.loads((folder / "sizes.json").read_text())
        given = tree.pop("bridging", None)
        bridging = None if given is None else Bridging(**given)
        networks = cls.of_form(tree.pop("form", PLAIN), Sizes.from_json(tree), None, bridging)
        for name in NAMES:
            networks.network(name).load_state_dict(load_file(folder / f"{name}.safetensors"))
        names = {name for adapting in (networks.sizes.vectors, networks.sizes.rank_vectors) for name in adapting.widths}
        files = {name: folder / _file_of(name) for name in sorted(names)}
        if all(file.exists() for file in files.values()):
            networks.read({name: Whitened.load(file) for name, file in files.items()})
        return networks


def _file_of(modality: str) -> str:
    """Texts were there first, and their file has no name of a modality."""
    return "vectors.safetensors" if modality == TEXT else f"vectors-{modality}.safetensors"


def _named(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in network.state_dict().items()}
