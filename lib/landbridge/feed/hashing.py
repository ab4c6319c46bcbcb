"""Counter-based random numbers: the same on every machine, for any number of processes, in any order of asking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
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


def crc32(values: pa.StringArray) -> NDArray[np.uint32]:
    """Return the CRC-32 of an Arrow array of strings in UTF-8, as zlib and Spark SQL have it; no text ends in NUL."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0xEDB88320), table >> 1)
    length_N = pc.binary_length(values.cast(pa.binary())).to_numpy(zero_copy_only=False)
    width = max(int(length_N.max(initial=0)), 1)
    letter_NW = values.cast(pa.binary()).to_numpy(zero_copy_only=False).astype(f"S{width}").view(np.uint8)
    letter_NW = letter_NW.reshape(len(length_N), width)
    code_N = np.full(len(length_N), 0xFFFFFFFF, np.uint32)
    for place in range(width):
        following = table[(code_N ^ letter_NW[:, place]) & 0xFF] ^ (code_N >> np.uint32(8))
        code_N = np.where(place < length_N, following, code_N)
    return np.asarray(~code_N)
