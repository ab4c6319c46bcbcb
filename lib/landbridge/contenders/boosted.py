"""LightGBM's trees as a text: whether they can be had here, and what they predict."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray


def missing() -> str | None:
    """Return a sentence that says that LightGBM is not installed, or None; nothing of it is imported."""
    found = importlib.util.find_spec("lightgbm") is not None
    return None if found else "LightGBM cannot be imported here; install lightgbm"


def predicted(text: str, read_NF: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the trees of a text predict of each row, shape N."""
    import lightgbm

    if not len(read_NF):
        return np.zeros(0)
    return np.asarray(lightgbm.Booster(model_str=text).predict(read_NF), np.float64)
