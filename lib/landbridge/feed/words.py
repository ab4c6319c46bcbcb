"""The words of items' texts: a count of every word in every item, as of a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.errors import ConfigError
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake


@dataclass(frozen=True)
class Words:
    """N texts of items, each from a day on, by item and then by day.

    Attributes
    ----------
    item_N
        Item ids, ascending.
    day_N
        From which day on the text is the item's, in days since the epoch.
    text_N
        The text.
    size
        One more than the largest item id.
    """

    item_N: NDArray[np.int32]
    day_N: NDArray[np.int32]
    text_N: tuple[str, ...]
    size: int

    @classmethod
    def read(cls, lake: Lake, vocabulary: Vocabulary, columns: Sequence[str]) -> Self:
        """Read some attributes of the items, joined, of those that have an id."""
        table = lake.read("items", columns=["item_id", "valid_from", *columns])
        filled = [pc.fill_null(table[name].cast(pa.string()), "") for name in columns]
        text = pc.binary_join_element_wise(*filled, " ").to_pylist()
        item = vocabulary.encode("item_id", table["item_id"].combine_chunks())
        day = table["valid_from"].cast(pa.int32()).to_numpy()
        order = [place for place in np.lexsort((day, item)) if item[place] > 0]
        texts = tuple(str(text[place]) for place in order)
        return cls(item[order].astype(np.int32), day[order].astype(np.int32), texts, vocabulary.size("item_id"))

    def as_of(self, day: dt.date, least: int = 2) -> sp.csr_matrix:
        """Return ones at the words of every item, csr float64 [items, words], of the texts of that day.

        A word that fewer than `least` items have says nothing about another item and is left out.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        known = np.flatnonzero(self.day_N <= days_since_epoch(day))
        item = self.item_N[known]
        last = known[np.diff(item, append=-1) != 0]  # the newest text of each
        texts = [self.text_N[place] for place in last]
        try:
            counts = CountVectorizer(min_df=min(least, max(len(texts), 1)), binary=True).fit_transform(texts)
        except ValueError:  # no text has a word that is common enough
            return sp.csr_matrix((self.size, 0), dtype=np.float64)
        found = counts.tocoo()
        shape = (self.size, counts.shape[1])
        return sp.csr_matrix((found.data.astype(np.float64), (self.item_N[last][found.row], found.col)), shape=shape)


def words_of(lake: Lake, vocabulary: Vocabulary, config: Config) -> Words | None:
    """Return the items' texts where a contender reads them, else None.

    Raises
    ------
    ConfigError
        It reads an attribute that items do not have.
    """
    given = config.contenders.content
    if given is None:
        return None
    missing = sorted(set(given.columns) - set(config.data.items))
    if missing:
        known = ", ".join(config.data.items) or "none"
        raise ConfigError(f"contenders.content.columns: {', '.join(missing)} is no attribute of items; those: {known}")
    return Words.read(lake, vocabulary, given.columns)
