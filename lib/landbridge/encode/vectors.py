"""Texts that changed become vectors on the executors, and the vectors rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.text import Encode
from landbridge.encode.encoder import Source, load
from landbridge.lake.spark import SparkLake
from landbridge.step import Night

_TEXTS = 4096
"""Texts of a partition, about, where there are many: what is lost when an executor dies."""


@dataclass(frozen=True)
class Encoding:
    """A night's encoding with one encoder."""

    night: Night
    lake: SparkLake
    settings: Encode
    source: Source

    def write(self, table: str, texts: DataFrame) -> int:
        """Encode the texts (see `texts.hashed`) that are new or have changed into a table, and return how many.

        Raises
        ------
        EncoderError
            The encoder cannot be loaded.
        """
        key = texts.columns[0]
        whose = f"texts of {key.removesuffix('_id')}s"
        same = (F.col("encoder") == self.settings.model) & (F.col("revision") == self.source.revision)
        known = self.lake.table(table).where(same)
        changed = texts.join(known, [key, "text_hash"], "left_anti").persist()
        try:
            count = changed.count()
            if not count:
                self.night.say(f"all {whose} are encoded already")
                return 0
            load(self.source, self.settings)  # here first, where what is wrong with it is one sentence
            self.night.say(f"encoding {count:,} {whose} with {self.settings.model}")
            self._merge(table, key, encoded(changed, key, count, self.settings, self.source))
        finally:
            changed.unpersist()
        return count

    def _merge(self, table: str, key: str, vectors: DataFrame) -> None:
        rows = vectors.withColumns(
            {
                "encoder": F.lit(self.settings.model),
                "revision": F.lit(self.source.revision),
                "ds": F.lit(self.night.ds),
            }
        )
        # A merge may read its source twice; texts are dear, so they are encoded before it.
        kept = rows.persist()
        try:
            self.lake.merge(table, kept, (key, "encoder", "revision"), self.night.fingerprint)
        finally:
            kept.unpersist()


def encoded(texts: DataFrame, key: str, count: int, settings: Encode, source: Source) -> DataFrame:
    """Return key, text_hash and vector of texts, encoded on the executors.

    Each partition has its texts in the order of their length, so that a batch pads little, and gets its share of long
    and short ones by chance.
    """
    schema = pa.schema([(key, pa.string()), ("text_hash", pa.string()), ("vector", pa.list_(pa.float32()))])

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        torch.set_num_threads(1)  # an executor runs as many workers as it has cores
        encoder = load(source, settings)
        for part in _rebatched(batches, settings.batch):
            vectors = encoder.encode(part["text"].to_pylist())
            flat = pa.array(vectors.ravel(), pa.float32())
            ends = pa.array(range(0, vectors.size + 1, vectors.shape[1]), pa.int32())
            rows = [part[key], part["text_hash"], pa.ListArray.from_arrays(ends, flat)]
            yield pa.RecordBatch.from_arrays(rows, schema=schema)

    parts = _parts(count, texts.sparkSession.sparkContext.defaultParallelism, settings.batch)
    ordered = texts.repartition(parts, key).sortWithinPartitions(F.length("text"), key)
    return ordered.mapInArrow(encode, f"{key} string, text_hash string, vector array<float>")


def _parts(count: int, cores: int, batch: int) -> int:
    """Return as many partitions as there are cores, or a multiple of that, but none with less than a batch."""
    return min(-(-count // batch), cores * -(-count // (cores * _TEXTS)))


def _rebatched(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of `size` rows; only the last of an incoming batch is shorter."""
    for batch in batches:
        for start in range(0, batch.num_rows, size):
            yield batch.slice(start, size)
