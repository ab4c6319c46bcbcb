"""What a ranker of pointwise rows is, and how it is saved."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from landbridge.models.encoder import Table
from landbridge.models.histories import Histories
from landbridge.models.initial import initialise
from landbridge.models.noise import Noise
from landbridge.models.rankers.inputs import Given, Inputs
from landbridge.models.rankers.int8 import packed, unpacked
from landbridge.models.rankers.layers import Drop
from landbridge.models.rankers.questions import Questions
from landbridge.models.rankers.sizes import RankerSizes

SPREAD = 0.1
"""Standard deviation of fresh embeddings."""


Form = dict[str, Any]
"""What a strategy made of a ranker, by name, and what of its shape the sizes do not say; plain values for JSON."""


class Asked(nn.Module, ABC):
    """What is asked about the rows before the ranker reads them."""

    @abstractmethod
    def ask(self, questions: Questions) -> None:
        """Read the rows, and keep what the ranker will want of them."""


class PointRanker(nn.Module, ABC):
    """Scores rows; rows do not see each other, and only the tower of a row's own scenario is computed for it."""

    kind: ClassVar[str]
    """The published name."""
    with_scenario: ClassVar[bool] = True
    """Whether the scenario is a feature."""

    def __init__(self, sizes: RankerSizes, inputs: Inputs | None = None) -> None:
        super().__init__()
        self.sizes = sizes
        self.inputs = Inputs(sizes, self.with_scenario) if inputs is None else inputs
        self.beside: Asked | None = None
        self.form: Form | None = None

    def forward(self, questions: Questions, drop: Drop | None = None) -> Tensor:
        """Return logit_BK, a column a task; the first is the label's. A scenario beyond the vocabulary is unknown."""
        return self.judged(questions, drop)[0]

    def judged(self, questions: Questions, drop: Drop | None = None) -> tuple[Tensor, Tensor | None]:
        """Return logit_BK, and pruned_BL: of each row the share of every layer that it does without; None where no
        layer is pruned.
        """
        if self.beside is not None:
            self.beside.ask(questions)
        given, wide_BK = self.inputs(questions, drop)
        read_BK, pruned_BL = self.read_pruned(given, drop)
        return torch.as_tensor(read_BK + wide_BK), pruned_BL

    def described(self, questions: Questions, drop: Drop | None = None) -> Tensor:
        """Return hidden_BW: the row as the layers read it."""
        return self.inputs(questions, drop)[0].hidden_BW  # type: ignore[no-any-return]

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HD, what the encoder makes of the histories; the ranker has one."""
        history, table = self.inputs.history, self.inputs.ids["item"]
        assert history is not None, "sizes.encoder names none"
        assert isinstance(table, Table)
        return history.encoded(histories, table, noise)

    @abstractmethod
    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK of the input's vectors."""

    def read_pruned(self, given: Given, drop: Drop | None) -> tuple[Tensor, Tensor | None]:
        """Return logit_BK and pruned_BL; a ranker that prunes its layers says so here."""
        return self.read(given, drop), None

    def settle(self) -> None:
        """Set weights that begin at something else than noise."""

    def begin(self, seed: int) -> None:
        """Fill the weights; the same seed gives the same ones."""
        initialise(self, seed, SPREAD)
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if ".wide." in f".{name}":
                    weight.zero_()
            if self.inputs.past is not None:
                self.inputs.past.settle()
            self.settle()


def save_ranker(ranker: PointRanker, folder: Path, int8: bool = False) -> None:
    """Write ranker.json and ranker.safetensors into an existing folder; `int8`: its weights are `int8.rounded`."""
    tree: dict[str, Any] = {"kind": ranker.kind, "sizes": ranker.sizes.to_json()}
    tree |= {"form": ranker.form} if ranker.form is not None else {}
    (folder / "ranker.json").write_text(json.dumps(tree, indent=1, sort_keys=True), encoding="utf-8")
    weights = {name: value.detach().cpu().contiguous() for name, value in ranker.state_dict().items()}
    save_file(packed(weights) if int8 else weights, folder / "ranker.safetensors")


def load_ranker(
    folder: Path, kinds: dict[str, type[PointRanker]], change: Callable[[PointRanker, Form], None]
) -> PointRanker:
    """Read what `save_ranker` wrote; `change` gives a plain ranker the form that is saved with it."""
    tree = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
    ranker = kinds[tree["kind"]](RankerSizes.from_json(tree["sizes"]))
    if "form" in tree:
        change(ranker, tree["form"])
    ranker.load_state_dict(unpacked(load_file(folder / "ranker.safetensors")))
    return ranker.eval()
