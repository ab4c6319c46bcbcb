"""Sparse matrices as arrays in a saved contender's folder: nothing is pickled."""

from __future__ import annotations

from pathlib import Path

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
