"""The items' vectors as networks read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from landbridge.feed.whitening import Whitening


@dataclass(frozen=True)
class Whitened:
    """Vectors of I item ids, and what has whitened them.

    Attributes
    ----------
    white_IW
        float16, a row an item id, of length one; zeros where an item has no vector, and in row 0.
    """

    whitening: Whitening
    white_IW: Tensor

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return itself: it never changes, and all networks that read it share it."""
        return self

    @cached_property
    def _known(self) -> Tensor:
        """Whether each item has a vector."""
        return self.white_IW.any(1)

    def of(self, ids: Tensor, width: int) -> Tensor:
        """Return the first `width` numbers of rows [N, width], float32; zeros for ids beyond."""
        return self.white_IW[self._inside(ids)][:, :width].float()

    def knows(self, ids: Tensor) -> Tensor:
        """Return [...], whether each of some ids has a vector."""
        return self._known[self._inside(ids)]

    def _inside(self, ids: Tensor) -> Tensor:
        return torch.where(ids < len(self.white_IW), ids, 0)

    def save(self, file: Path) -> None:
        """Write everything as safetensors."""
        parts = {"mean_V": self.whitening.mean_V, "turn_VW": self.whitening.turn_VW}
        tensors = {name: torch.from_numpy(value) for name, value in parts.items()}
        save_file({"white_IW": self.white_IW, **tensors}, file)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        parts = load_file(file)
        return cls(Whitening(parts["mean_V"].numpy(), parts["turn_VW"].numpy()), parts["white_IW"])
