"""A fitted pair of networks: the retriever scores whole catalogues, the ranker scores its best again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from landbridge.config.associations import Candidates
from landbridge.contenders.base import Beside, Fitted
from landbridge.contenders.graph import load_associated, save_associated
from landbridge.feed.associated import Associated
from landbridge.feed.states import Catalogue, States
from landbridge.models.histories import histories_of
from landbridge.models.networks import Networks

BLOCK = 1 << 15
"""(user, item) pairs that the ranker scores at once."""


REFINED = 0.5
"""How much the ranker's log odds move the retriever's order."""


@dataclass
class NetworkFitted(Fitted):
    """A retriever and a ranker of one scope.

    `own_only`: it learned from the scenario alone, so events of other scenarios and counts over them are masked for it.
    `associated`: the kinds of association as of the last day of the fit, where its ranker reads some or `candidates`
    come from them.
    """

    kind = "network"
    two_stages = True
    networks: Networks
    own_only: bool
    associated: Associated | None = None
    candidates: Candidates | None = None

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC by one matrix product of the two towers."""
        states, catalogue = self._seen(states, catalogue)
        retriever = self.networks.retriever.eval()
        with torch.inference_mode():
            item_CW = retriever.items(
                torch.from_numpy(catalogue.items.astype(np.int64)), torch.from_numpy(catalogue.feature_CG)
            )
            scores: NDArray[np.float32] = (retriever.users(histories_of(states)) @ item_CW.T).numpy()
        return scores

    def rescore(self, states: States, catalogue: Catalogue, index_BK: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return scores_BK: the retriever's, which know how often items are taken, moved by the ranker's log odds.

        The ranker's odds are against negatives drawn nearly as often as they are taken, so they say what the user
        likes beyond what everybody does; alone they would put rare items first.
        """
        first_BK = np.take_along_axis(self.score(states, catalogue), index_BK, axis=1)
        refined: NDArray[np.float32] = first_BK + np.float32(REFINED) * self._logits(states, catalogue, index_BK)
        return refined

    def beside(self, states: States, catalogue: Catalogue) -> Beside | None:
        """Return what goes with what the users have, where candidates are taken from it."""
        if self.candidates is None or self.associated is None:
            return None
        nearness_BC = self.associated.nearness(*self._seen(states, catalogue))
        return Beside(self.candidates.retriever, self.candidates.associations, nearness_BC)

    def probability(self, states: States, catalogue: Catalogue, index_BK: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the probability BK of the label against negatives drawn as in training."""
        logit_BK = self._logits(states, catalogue, index_BK)
        return (1.0 / (1.0 + np.exp(-logit_BK.astype(np.float64)))).astype(np.float32)

    def _logits(self, states: States, catalogue: Catalogue, index_BK: NDArray[np.intp]) -> NDArray[np.float32]:
        states, catalogue = self._seen(states, catalogue)
        ranker = self.networks.ranker.eval()
        rows = max(1, BLOCK // max(1, index_BK.shape[1]))
        parts = [np.zeros((0, index_BK.shape[1]), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(index_BK), rows):
                block = np.arange(start, min(start + rows, len(index_BK)))
                some, index = states.take(block), index_BK[block]
                item_BK = torch.from_numpy(catalogue.items[index].astype(np.int64))
                feature_BKG = torch.from_numpy(self._features(some, catalogue, index))
                parts.append(ranker(histories_of(some), torch.arange(len(block)), item_BK, feature_BKG).numpy())
        return np.concatenate(parts)

    def _features(self, states: States, catalogue: Catalogue, index_BK: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return what the ranker reads of candidates, BKG; with associations BK(G + A)."""
        count_BKG, kinds = catalogue.feature_CG[index_BK], self.networks.sizes.kinds
        if not kinds or self.associated is None:
            return count_BKG
        goes_BKA = self.associated.only(kinds).of_catalogue(states, catalogue, index_BK)
        return np.concatenate([count_BKG, goes_BKA], axis=2)

    def _seen(self, states: States, catalogue: Catalogue) -> tuple[States, Catalogue]:
        return (states.own_only(), catalogue.own_only()) if self.own_only else (states, catalogue)

    def save(self, folder: Path) -> None:
        """Write both networks as safetensors, and JSON; what they read of associations as arrays."""
        self.networks.save(folder)
        kept: dict[str, Any] = {"own_only": self.own_only}
        if self.associated is not None:
            kept["associated"] = save_associated(self.associated, folder)
            kept["candidates"] = None if self.candidates is None else self.candidates.model_dump()
        (folder / "network.json").write_text(json.dumps(kept))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "network.json").read_text())
        networks, own_only = Networks.load(folder), bool(kept["own_only"])
        if "associated" not in kept:
            return cls(networks, own_only)
        candidates = None if kept["candidates"] is None else Candidates(**kept["candidates"])
        return cls(networks, own_only, load_associated(folder, kept["associated"]), candidates)
