"""Initial weights that depend on the seed, the table's name and the row's id alone.

So a table of a larger vocabulary begins with the rows of the smaller one, and a new id gets the same row on every
rank and every night.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BY_ID = (".seen", ".held", ".near", ".share", ".factor")
"""How the names of buffers end that have a row an id: of `Items`, `Table`, `Convolution` and `Interest`."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return splitmix64 of every value (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        z = values + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def salt(*parts: object) -> np.uint64:
    """Return 64 bits of a hash of the parts."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def uniform(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers in (0, 1), a pure function of the keys."""
    return (np.asarray(mix(keys) >> np.uint64(11), np.float64) + 0.5) * 2.0**-53


def normal(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return normal numbers by Box and Muller's transform; each uses up its key and the one after it."""
    with np.errstate(over="ignore"):
        radius = np.sqrt(-2.0 * np.log(uniform(keys)))
        return np.asarray(radius * np.cos(2.0 * math.pi * uniform(keys + np.uint64(1))))


def rows(name: str, seed: int, start: int, stop: int, width: int, std: float) -> Tensor:
    """Return normal rows [stop - start, width] of the ids from `start`, made of a counter."""
    counter = np.arange(start * width, stop * width, dtype=np.uint64) * np.uint64(2)
    with np.errstate(over="ignore"):
        keys = counter + salt("rows", name, seed)
    return torch.from_numpy((std * normal(keys)).astype(np.float32).reshape(stop - start, width))


def initialise(module: nn.Module, seed: int, std: float = 0.1) -> None:
    """Fill a network's weights: embeddings by row, other matrices by their fan-in; biases are 0, other vectors
    keep theirs.
    """
    for name, parameter in module.named_parameters():
        if name.endswith(".bias"):
            nn.init.zeros_(parameter)
        if parameter.dim() < 2:
            continue
        scale = std if is_table(name) else 1.0 / math.sqrt(parameter.shape[1])
        with torch.no_grad():
            parameter.copy_(rows(name, seed, 0, parameter.shape[0], parameter.shape[1], scale))
            if is_table(name):
                parameter[0] = 0.0


def is_table(name: str) -> bool:
    """Whether a parameter is an embedding table: a row an id, row 0 for padding and the unknown."""
    return name.endswith("table.weight")


def is_by_id(name: str) -> bool:
    """Whether a part of the state has a row an id: a table, or what is noted of each id (`BY_ID`)."""
    return is_table(name) or name.endswith(BY_ID)


def grown(module: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights that fit the module: what has fewer ids gets the module's own initial rows appended, and of a
    scenario that is new its own layers are the module's.
    """
    own = dict(module.state_dict())
    return own | {
        name: torch.cat([value, own[name][len(value) :]]) if is_by_id(name) and len(value) < len(own[name]) else value
        for name, value in weights.items()
    }
