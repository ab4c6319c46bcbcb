"""Sparse matrices as arrays in a saved contender's folder: nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

_ARRAYS = ("data", "indices", "indptr")


def write_cells(folder: Path, name: str, matrix: sp.csr_matrix) -> None:
    """Write the three arrays of a csr matrix as ``<name>.<array>.npy``; its shape is told by what stands beside it."""
    for array in _ARRAYS:
        np.save(folder / f"{name}.{array}.npy", getattr(matrix, array), allow_pickle=False)


def read_cells(folder: Path, name: str, shape: tuple[int, int]) -> sp.csr_matrix:
    """Read what `write_cells` wrote."""
    arrays = [np.load(folder / f"{name}.{array}.npy", allow_pickle=False) for array in _ARRAYS]
    return sp.csr_matrix(tuple(arrays), shape=shape)


def map_cells(folder: Path, name: str) -> sp.csr_matrix:
    """Map a square matrix that `write_cells` wrote: all processes of a machine share its pages."""
    arrays = [_mapped(folder / f"{name}.{array}.npy") for array in _ARRAYS]
    size = len(arrays[-1]) - 1
    return sp.csr_matrix(tuple(arrays), shape=(size, size), copy=False)


def _mapped(file: Path) -> Any:
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an empty array cannot be mapped
        return np.load(file, allow_pickle=False)
