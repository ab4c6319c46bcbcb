"""Files of any number of days as one frame of text columns, with the day each row came from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from landbridge.clean.files import LogFile, tail_pattern
from landbridge.config.data import Data, Pseudonyms, Reader
from landbridge.errors import DataError
from landbridge.lake.expressions import complaint

CORRUPT, FILE, DAY = "__corrupt", "__file", "__ds"
# A doubled quote is the convention of every spreadsheet; Spark's own default is a backslash.
_CSV = {"header": "true", "enforceSchema": "false", "escape": '"'}


def read_raw(spark: SparkSession, data: Data, files: Sequence[LogFile]) -> DataFrame:
    """Return every row of the files: the declared columns as text, `__corrupt`, `__file` and `__ds`.

    `__corrupt` holds a line that does not parse, and is null everywhere else.

    Pseudonyms are made here, before anything else sees the columns.
    """
    reader = data.reader
    paths = [file.path if "://" in file.path else f"file://{file.path}" for file in files]
    rows = _parquet(spark, reader, paths) if reader.format == "parquet" else _text(spark, reader, paths)
    place = F.col("_metadata.file_path")
    tail = tail_pattern(reader)
    rows = rows.select(
        *map(_named, reader.header),
        F.col(CORRUPT),
        F.regexp_extract(place, tail, 0).alias(FILE),
        F.to_date(F.regexp_extract(place, tail, 1)).alias(DAY),
    )
    return rows if data.pseudonyms is None else _pseudonymous(rows, data.pseudonyms)


def explain_failure(error: BaseException, reader: Reader) -> DataError:
    """Turn a failed read into a sentence that names the file and the remedy."""
    text = str(error)
    found = re.search(r"(?:file:|[a-z0-9]+://)[^\s,;\]\"']+", text)
    file = found[0].rstrip(".") if found else reader.path
    if "header" in text and "schema" in text.lower():
        header = re.search(r"[Hh]eader: ([^\n]*)", text)
        there = f", found {header[1].strip()}" if header else ""
        return DataError(
            f"{file}: its header is not the declared one{there}; data.reader.header says {', '.join(reader.header)}: "
            "put the right file there, or change the header and data.columns"
        )
    if "EOFException" in text or "Unexpected end" in text:
        return DataError(
            f"{file}: ends in the middle of its compressed data; fetch the file again, then run the same command"
        )
    if any(sign in text for sign in ("ZipException", "not a gzip", "incorrect header check", "incorrect data check")):
        return DataError(f"{file}: is not the compressed file its name says; fetch it again, then run the same command")
    return DataError(
        f"{file}: cannot be cleaned: {complaint(error)}; "
        "mend the file, or the expression of data.columns or data.rules that fails on it"
    )


def _text(spark: SparkSession, reader: Reader, paths: list[str]) -> DataFrame:
    schema = StructType([StructField(name, StringType()) for name in (*reader.header, CORRUPT)])
    options = {
        **(_CSV if reader.format == "csv" else {}),
        **reader.options,
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": CORRUPT,
    }
    return spark.read.format(reader.format).schema(schema).options(**options).load(paths)


def _parquet(spark: SparkSession, reader: Reader, paths: list[str]) -> DataFrame:
    rows = spark.read.options(**reader.options).parquet(*paths)
    absent = [name for name in reader.header if name not in rows.columns]
    if absent:
        raise DataError(
            f"{paths[0]}: lacks the declared columns {', '.join(absent)}; "
            f"it has {', '.join(rows.columns)}: change data.reader.header"
        )
    return rows.withColumn(CORRUPT, F.lit(None).cast("string"))


def _named(name: str) -> Column:
    return F.col(f"`{name}`").cast("string").alias(name)


def _pseudonymous(rows: DataFrame, pseudonyms: Pseudonyms) -> DataFrame:
    # A line that does not parse may hold the name in any place, so all of it is hashed.
    names = [*pseudonyms.columns, CORRUPT]
    return rows.withColumns({name: _keyed(F.col(f"`{name}`"), pseudonyms.key) for name in names})


def _keyed(value: Column, key: str) -> Column:
    inner = F.sha2(F.concat(F.lit(key), value), 256)
    return F.sha2(F.concat(F.lit(key), inner), 256)
