"""Counter-based random numbers: the same on every machine, for any number of processes, in any order of asking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def splitmix64(counter: Any) -> NDArray[np.uint64]:
    """Return well-mixed bits of counters, any shape (Steele, Lea and Flood 2014, SplitMix64)."""
    with np.errstate(over="ignore"):
        x = np.array(counter, np.uint64) + _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * _FIRST
        x = (x ^ (x >> np.uint64(27))) * _SECOND
        return np.asarray(x ^ (x >> np.uint64(31)))


def chained(*parts: Any) -> NDArray[np.uint64]:
    """Return bits that depend on every part and on their order; parts are integers >= 0, or arrays that broadcast."""
    state: NDArray[np.uint64] = np.zeros((), np.uint64)
    for part in parts:
        state = splitmix64(state ^ np.asarray(part).astype(np.uint64))
    return state


def uniform(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers in [0, 1) of 53 of the bits."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def hash_strings(values: Any) -> NDArray[np.uint64]:
    """Return 64-bit hashes of an Arrow array of strings (SipHash with a fixed key).

    They stand for the strings themselves: among n of them two collide with a probability of n**2 / 3.7e19.
    """
    encoded = values.dictionary_encode() if not pa.types.is_dictionary(values.type) else values
    words = encoded.dictionary.to_numpy(zero_copy_only=False)
    hashed: NDArray[np.uint64] = pd.util.hash_array(words.astype(object), categorize=False)
    return np.asarray(hashed[encoded.indices.to_numpy(zero_copy_only=False)])
