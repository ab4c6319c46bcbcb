"""The words of items' texts: a count of every word in every item, as of a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
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

        last = self._newest(day)
        texts = [self.text_N[place] for place in last]
        try:
            counts = CountVectorizer(min_df=min(least, max(len(texts), 1)), binary=True).fit_transform(texts)
        except ValueError:  # no text has a word that is common enough
            return sp.csr_matrix((self.size, 0), dtype=np.float64)
        found = counts.tocoo()
        shape = (self.size, counts.shape[1])
        return sp.csr_matrix((found.data.astype(np.float64), (self.item_N[last][found.row], found.col)), shape=shape)

    def values_as_of(self, day: dt.date) -> sp.csr_matrix:
        """Return ones at the whole text of every item that has one, csr float64 [items, texts], of that day."""
        last = np.array([place for place in self._newest(day) if self.text_N[place]], np.intp)
        texts, column = np.unique([self.text_N[place] for place in last], return_inverse=True)
        cells = (np.ones(len(last)), (self.item_N[last], column))
        return sp.csr_matrix(cells, shape=(self.size, len(texts)))

    def _newest(self, day: dt.date) -> NDArray[np.intp]:
        """Where the text of that day stands, of every item that has one."""
        known = np.flatnonzero(self.day_N <= days_since_epoch(day))
        last: NDArray[np.intp] = known[np.diff(self.item_N[known], append=-1) != 0]
        return last


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


def attributes_of(lake: Lake, vocabulary: Vocabulary, config: Config) -> Mapping[str, Words] | None:
    """Return the attributes of items that a contender compares, by name; None where none does."""
    if config.contenders.associations is None or config.associations is None:
        return None
    return {name: Words.read(lake, vocabulary, [name]) for name in config.associations.attributes}
