"""Files of any number of days as one frame of text columns, with the day each row came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from landbridge.clean.files import LogFile
from landbridge.config.data import Data, Pseudonyms
from landbridge.config.reader import Catalogue, Explode, Reader, Source
from landbridge.errors import DataError, LandbridgeError
from landbridge.lake.expressions import complaint
from landbridge.lake.files import tail_pattern

CORRUPT, FILE, DAY = "__corrupt", "__file", "__ds"
NAME, POSITION, SIZE, NUMBER = "_file", "_pos", "_size", "_row"
"""What the reader adds to the columns of the header, for expressions of the configuration."""
_BLOCK, _AT = "__block", "__at"
# A doubled quote is the convention of every spreadsheet; Spark's own default is a backslash.
_CSV = {"header": "true", "enforceSchema": "false", "escape": '"'}
# A line of another length is found only where no column is left out of the parser's work.
_STRICT = {"mode": "FAILFAST", "columnPruning": "false"}


def read_raw(spark: SparkSession, data: Data, files: Sequence[LogFile]) -> DataFrame:
    """Return every row of the files: the declared columns as text, `__corrupt`, `__file` and `__ds`.

    `__corrupt` holds a line that does not parse, and is null everywhere else. Beside these there are `_file`, and
    `_row`, `_pos` and `_size` where the reader is configured to make them; where it makes a row of every element of a
    list, those are the rows.

    Pseudonyms are made here, before anything else sees the columns.
    """
    reader = data.reader
    rows = _files(spark, reader, [file.path for file in files])
    place = F.col("_metadata.file_path")
    tail = tail_pattern(reader.path)
    rows = rows.select(
        *map(_named, reader.header),
        F.col(CORRUPT),
        F.regexp_extract(place, tail, 0).alias(FILE),
        _day(reader.path, reader).alias(DAY),
        F.col("_metadata.file_name").alias(NAME),
        *(
            [F.col("_metadata.file_block_start").alias(_BLOCK), F.monotonically_increasing_id().alias(_AT)]
            * reader.numbered
        ),
    )
    if reader.numbered:
        rows = _numbered(rows, reader.header)
    if reader.explode is not None:
        rows = _exploded(rows, reader.explode)
    # A line that does not parse may hold the name in any place, so all of it is hashed.
    return (
        rows if data.pseudonyms is None else _pseudonymous(rows, data.pseudonyms, [*data.pseudonyms.columns, CORRUPT])
    )


def read_lookup(spark: SparkSession, source: Source, files: Sequence[LogFile]) -> DataFrame:
    """Return the rows of files that are joined to the logs: the declared columns as text.

    A line that does not parse fails the read.
    """
    rows = _files(spark, source, [file.path for file in files], strict=True)
    return rows.select(*map(_named, source.header))


def read_catalogue(spark: SparkSession, data: Data, catalogue: Catalogue, files: Sequence[LogFile]) -> DataFrame:
    """Return the rows of files that list items: the declared columns as text, and `__ds`; none where no file is given.

    A line that does not parse fails the read. A column of the name of one that the logs have as a pseudonym is one.
    """
    if not files:
        empty = spark.createDataFrame([], StructType([StructField(name, StringType()) for name in catalogue.header]))
        return empty.withColumn(DAY, F.lit(data.reader.first_day))
    rows = _files(spark, catalogue, [file.path for file in files], strict=True)
    rows = rows.select(*map(_named, catalogue.header), _day(catalogue.path, data.reader).alias(DAY))
    if data.pseudonyms is None:
        return rows
    return _pseudonymous(rows, data.pseudonyms, [name for name in data.pseudonyms.columns if name in catalogue.header])


def identity(reader: Reader) -> list[str]:
    """The columns that make a raw row: rows that agree in all of them are copies of each other."""
    return [*reader.header, CORRUPT, *([NAME, POSITION] if reader.explode is not None else [])]


@contextmanager
def explained(source: Source) -> Iterator[None]:
    """Turn what Spark says of files into a sentence."""
    try:
        yield
    except LandbridgeError:
        raise
    except (PySparkException, Py4JError) as error:
        raise explain_failure(error, source) from error


def explain_failure(error: BaseException, source: Source) -> DataError:
    """Turn a failed read of the logs, or of a catalogue, into a sentence that names the file and the remedy."""
    key, columns, expressions = ("data.reader", "data.columns", "data.columns or data.rules")
    if isinstance(source, Catalogue):
        key, columns, expressions = ("data.catalogue", "data.catalogue.items", "data.catalogue")
    text = str(error)
    found = re.search(r"(?:file:|[a-z0-9]+://)[^\s,;\]\"']+", text)
    file = found[0].rstrip(".") if found else source.path
    if "header" in text and "schema" in text.lower():
        header = re.search(r"[Hh]eader: ([^\n]*)", text)
        there = f", found {header[1].strip()}" if header else ""
        return DataError(
            f"{file}: its header is not the declared one{there}; {key}.header says {', '.join(source.header)}: "
            f"put the right file there, or change the header and {columns}"
        )
    if "EOFException" in text or "Unexpected end" in text:
        return DataError(
            f"{file}: ends in the middle of its compressed data; fetch the file again, then run the same command"
        )
    if any(sign in text for sign in ("ZipException", "not a gzip", "incorrect header check", "incorrect data check")):
        return DataError(f"{file}: is not the compressed file its name says; fetch it again, then run the same command")
    return DataError(
        f"{file}: cannot be cleaned: {complaint(error)}; "
        f"mend the file, or the expression of {expressions} that fails on it"
    )


def _files(spark: SparkSession, source: Source, paths: list[str], strict: bool = False) -> DataFrame:
    places = [path if "://" in path else f"file://{path}" for path in paths]
    return _parquet(spark, source, places) if source.format == "parquet" else _text(spark, source, places, strict)


def _text(spark: SparkSession, source: Source, paths: list[str], strict: bool) -> DataFrame:
    schema = StructType([StructField(name, StringType()) for name in (*source.header, CORRUPT)])
    options = {
        **(_CSV if source.format == "csv" else {}),
        **source.options,
        **(_STRICT if strict else {"mode": "PERMISSIVE"}),
        "columnNameOfCorruptRecord": CORRUPT,
    }
    return spark.read.format(source.format).schema(schema).options(**options).load(paths)


def _parquet(spark: SparkSession, source: Source, paths: list[str]) -> DataFrame:
    rows = spark.read.options(**source.options).parquet(*paths)
    absent = [name for name in source.header if name not in rows.columns]
    if absent:
        raise DataError(
            f"{paths[0]}: lacks the declared columns {', '.join(absent)}; "
            f"it has {', '.join(rows.columns)}: change the header"
        )
    return rows.withColumn(CORRUPT, F.lit(None).cast("string"))


def _day(path: str, reader: Reader) -> Column:
    """The day that a row's file is of."""
    if reader.is_snapshot:
        return F.lit(reader.first_day)
    return F.to_date(F.regexp_extract(F.col("_metadata.file_path"), tail_pattern(path), 1))


def _named(name: str) -> Column:
    return F.col(f"`{name}`").cast("string").alias(name)


def _numbered(rows: DataFrame, header: list[str]) -> DataFrame:
    """Add `_row`: how many different rows stand before this one in its file."""
    order = [_BLOCK, _AT]
    first = F.row_number().over(Window.partitionBy(FILE, *(f"`{name}`" for name in header)).orderBy(*order)) == 1
    until_here = Window.partitionBy(FILE).orderBy(*order).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    rows = rows.withColumn("__first", first.cast("long"))
    return rows.withColumn(NUMBER, F.sum("__first").over(until_here) - 1).drop("__first", *order)


def _exploded(rows: DataFrame, explode: Explode) -> DataFrame:
    """Make a row of every element; a line without any is one row still, so that it is found in quarantine."""
    elements = F.split(f"`{explode.column}`", rf"\Q{explode.separator}\E")
    rows = rows.withColumns({"__elements": elements, SIZE: F.size(elements)})
    each = F.posexplode_outer("__elements").alias(POSITION, "__element")
    rows = rows.select("*", each).withColumn(explode.column, F.col("__element"))
    return rows.drop("__elements", "__element")


def _pseudonymous(rows: DataFrame, pseudonyms: Pseudonyms, names: Sequence[str]) -> DataFrame:
    return rows.withColumns({name: _keyed(F.col(f"`{name}`"), pseudonyms.key) for name in names})


def _keyed(value: Column, key: str) -> Column:
    inner = F.sha2(F.concat(F.lit(key), value), 256)
    return F.sha2(F.concat(F.lit(key), inner), 256)
