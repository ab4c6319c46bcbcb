"""The pair of networks of one contender, and their safetensors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from landbridge.errors import TrainError
from landbridge.models.initial import grown, initialise
from landbridge.models.ranker import Ranker
from landbridge.models.retriever import Retriever
from landbridge.models.sizes import Sizes

NAMES = ("retriever", "ranker")
SPREAD = {"retriever": 0.1, "ranker": 0.3}
"""Standard deviation of fresh embeddings; the ranker multiplies them with each other."""
"""The networks, in the order in which they are fitted."""


@dataclass(frozen=True)
class Networks:
    """A retriever and a ranker of the same sizes."""

    retriever: Retriever
    ranker: Ranker

    @property
    def sizes(self) -> Sizes:
        """Their sizes."""
        return self.retriever.sizes

    def network(self, name: str) -> nn.Module:
        """One of them by name."""
        return {"retriever": self.retriever, "ranker": self.ranker}[name]

    @classmethod
    def new(cls, sizes: Sizes, seed: int) -> Networks:
        """Fresh networks; the same seed gives the same weights, and the same row to the same id in a vocabulary of
        any size.
        """
        networks = cls(Retriever(sizes), Ranker(sizes))
        for name in NAMES:
            initialise(networks.network(name), seed, SPREAD[name])
        return networks

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
        networks = Networks.new(self.sizes.grown(sizes), seed)
        for name in NAMES:
            network = networks.network(name)
            network.load_state_dict(grown(network, dict(self.network(name).state_dict())))
        return networks

    def save(self, folder: Path) -> None:
        """Write sizes.json, retriever.safetensors and ranker.safetensors into an existing folder."""
        (folder / "sizes.json").write_text(json.dumps(self.sizes.to_json(), indent=1, sort_keys=True))
        for name in NAMES:
            weights = {key: value.detach().contiguous() for key, value in self.network(name).state_dict().items()}
            save_file(weights, folder / f"{name}.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Networks:
        """Read what `save` wrote."""
        sizes = Sizes.from_json(json.loads((folder / "sizes.json").read_text()))
        networks = cls(Retriever(sizes), Ranker(sizes))
        for name in NAMES:
            networks.network(name).load_state_dict(load_file(folder / f"{name}.safetensors"))
        return networks
