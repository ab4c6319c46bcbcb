"""SQL expressions of the configuration as Spark columns; one that does not fit is a sentence, not a stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.errors import ConfigError, DataError


def expression(rows: DataFrame, sql: str, key: str) -> Column:
    """Return the column of an expression after analysing it against the columns of `rows`.

    Raises
    ------
    ConfigError
        With the key, the expression, Spark's complaint, and the columns there are.
    """
    try:
        column = F.expr(sql)
        rows.select(column)
    except PySparkException as error:
        known = ", ".join(name for name in rows.columns if not name.startswith("__"))
        raise ConfigError(
            f"{key}: the expression `{sql}` does not work: {complaint(error)}; columns here: {known}"
        ) from None
    return column


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of Spark's into a `DataError`: `what`, and what Spark complains of."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise DataError(f"{what}: {complaint(error)}") from error


def complaint(error: BaseException) -> str:
    """The one line of Spark's message that says what is wrong, without suggestions, SQL state and stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # What Spark does not know, py4j reports as its own error, with the Java exception on the second line.
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        lines = [lines[1].removeprefix(": ")]
    head = lines[0] if lines else type(error).__name__
    return head.split(" SQLSTATE:", 1)[0]
