"""The step `encode`: texts that are new, or of an encoder that is new, become vectors in `item_vectors`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import torch
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.text import Encode
from landbridge.encode.encoder import Source, find, load
from landbridge.encode.texts import texts_of
from landbridge.errors import EncoderError
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome, Step

KEY = ("item_id", "encoder", "revision")
_ROWS = "item_id string, text_hash string, vector array<float>"
_SCHEMA = pa.schema([("item_id", pa.string()), ("text_hash", pa.string()), ("vector", pa.list_(pa.float32()))])
_TEXTS = 4096
"""Texts of a partition, about, where there are many: what is lost when an executor dies."""


def run(night: Night) -> Outcome:
    """Encode what changed; without the model the night goes on without vectors, and says so."""
    settings = night.config.encode
    if settings is None:
        return _without(night, "no encode section")
    try:
        source = find(settings)
    except EncoderError as error:
        return _without(night, str(error))
    lake = night.spark_lake()
    texts = texts_of(lake.table("items"), settings, night.ds, f"{night.config.name}.yaml")
    same = (F.col("encoder") == settings.model) & (F.col("revision") == source.revision)
    known = lake.table("item_vectors").where(same)
    changed = texts.join(known, ["item_id", "text_hash"], "left_anti").persist()
    try:
        count = changed.count()
        if not count:
            night.say("every text is encoded already")
            return Outcome(notes={"encoded": 0, "revision": source.revision}, metrics={"encoded": 0.0})
        load(source, settings)  # here first, where what is wrong with it is one sentence
        night.say(f"encoding {count:,} texts with {settings.model}")
        _write(night, lake, encoded(changed, count, settings, source), settings, source)
    except EncoderError as error:
        return _without(night, str(error))
    except (PySparkException, Py4JError) as error:
        return _without(night, complaint(error))
    finally:
        changed.unpersist()
    return Outcome(notes={"encoded": count, "revision": source.revision}, metrics={"encoded": float(count)})


def encoded(texts: DataFrame, count: int, settings: Encode, source: Source) -> DataFrame:
    """Return item_id, text_hash and vector of texts, encoded on the executors.

    Each partition has its texts in the order of their length, so that a batch pads little, and gets its share of long
    and short ones by chance.
    """

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        torch.set_num_threads(1)  # an executor runs as many workers as it has cores
        encoder = load(source, settings)
        for part in _rebatched(batches, settings.batch):
            vectors = encoder.encode(part["text"].to_pylist())
            flat = pa.array(vectors.ravel(), pa.float32())
            ends = pa.array(range(0, vectors.size + 1, vectors.shape[1]), pa.int32())
            rows = [part["item_id"], part["text_hash"], pa.ListArray.from_arrays(ends, flat)]
            yield pa.RecordBatch.from_arrays(rows, schema=_SCHEMA)

    parts = _parts(count, texts.sparkSession.sparkContext.defaultParallelism, settings.batch)
    ordered = texts.repartition(parts, "item_id").sortWithinPartitions(F.length("text"), "item_id")
    return ordered.mapInArrow(encode, _ROWS)


def _parts(count: int, cores: int, batch: int) -> int:
    """Return as many partitions as there are cores, or a multiple of that, but none with less than a batch."""
    return min(-(-count // batch), cores * -(-count // (cores * _TEXTS)))


def _rebatched(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of `size` rows; only the last of an incoming batch is shorter."""
    for batch in batches:
        for start in range(0, batch.num_rows, size):
            yield batch.slice(start, size)


def _write(night: Night, lake: SparkLake, vectors: DataFrame, settings: Encode, source: Source) -> None:
    rows = vectors.withColumns(
        {"encoder": F.lit(settings.model), "revision": F.lit(source.revision), "ds": F.lit(night.ds)}
    )
    # A merge may read its source twice; texts are dear, so they are encoded before it.
    kept = rows.persist()
    try:
        lake.merge("item_vectors", kept, KEY, night.fingerprint)
    finally:
        kept.unpersist()


def _without(night: Night, why: str) -> Outcome:
    night.say(f"no texts are encoded: {why}; what models know of texts stays as it is")
    return Outcome(notes={"encoded": 0, "left_out": why})


def _inputs(night: Night) -> Mapping[str, str]:
    """The revision of the encoder, or why there is none: a model that is installed later is used the same day."""
    if night.config.encode is None:
        return {}
    try:
        return {"encoder": find(night.config.encode).revision}
    except EncoderError as error:
        return {"encoder": str(error)}


ENCODE = Step("encode", reads=("items",), writes=("item_vectors",), sections=("encode",), run=run, inputs=_inputs)
