"""Put Delta's or S3A's jars into pyspark's folder of jars, so that a plain spark-submit finds them without flags.

Spark's own resolver fetches them once, into the cache; each is compared with its sha256 in
delta-jars.sha256 or s3-jars.sha256. Only the jars that pyspark lacks are taken: what else they ask
for, Spark carries in a newer version, and two versions of one library in one folder break at random.

Usage: spark_jars.py delta|s3 CACHE_FOLDER (run by the environment's Python)
       spark_jars.py delta|s3    only looks whether they are there: 1 where one is missing
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import java_trust
import pyspark

_SDK = "2.35.4"  # what hadoop-aws 3.5.0 was built with
COORDINATES = {
    "delta": ["io.delta:delta-spark_4.2_2.13:4.4.0"],
    # hadoop-aws of the Hadoop in pyspark. It names the whole SDK for every service of AWS in one jar of 600 MB;
    # these parts of the same SDK are all that S3A calls.
    "s3": [
        "org.apache.hadoop:hadoop-aws:3.5.0",
        *[
            f"software.amazon.awssdk:{part}:{_SDK}"
            for part in ("s3", "s3-transfer-manager", "sts", "apache-client", "netty-nio-client")
        ],
    ],
}
# Spark brings these itself. Excluding them makes the first fetch 13 MB instead of 87.
BROUGHT_BY_SPARK = [
    "com.fasterxml.jackson.core:*",
    "com.fasterxml.jackson.datatype:*",
    "com.github.luben:*",
    "com.google.code.findbugs:*",
    "commons-codec:*",
    "commons-logging:*",
    "commons-pool:*",
    "io.airlift:*",
    "io.netty:*",
    "javax.annotation:*",
    "org.apache.hadoop:hadoop-client*",
    "org.apache.hadoop:hadoop-common",
    "org.apache.httpcomponents:*",
    "org.apache.logging.log4j:*",
    "org.apache.parquet:*",
    "org.locationtech.jts:*",
    "org.roaringbitmap:*",
    "org.slf4j:*",
    "org.xerial.snappy:*",
    "software.amazon.awssdk:bundle",
]


def wanted(what: str) -> dict[str, str]:
    """Read the file name and sha256 of each jar."""
    lines = Path(__file__).with_name(f"{what}-jars.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def is_intact(jar: Path, digest: str) -> bool:
    """Tell whether the file exists and is the one that was pinned."""
    return jar.is_file() and hashlib.sha256(jar.read_bytes()).hexdigest() == digest


def fetch(what: str, into: Path) -> None:
    """Let Spark resolve the coordinates: it honours the proxies and mirrors that are set up for it."""
    with tempfile.TemporaryDirectory(prefix="landbridge-ivy-") as ivy:
        nothing = Path(ivy) / "nothing.py"
        nothing.write_text("")
        submit = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", "local[1]"]
        submit += ["--packages", ",".join(COORDINATES[what]), "--exclude-packages", ",".join(BROUGHT_BY_SPARK)]
        submit += ["--conf", f"spark.jars.ivy={ivy}", str(nothing)]
        subprocess.run(submit, check=True, env=environment(Path(ivy) / "trust.jks"))
        for jar in Path(ivy, "jars").glob("*.jar"):
            shutil.copy2(jar, into / jar.name)


def environment(store: Path) -> dict[str, str]:
    """Make the Java that came from the package index trust whom this machine trusts."""
    bundle = java_trust.bundle()
    if bundle is None or not Path(sys.prefix, "java-home").exists():
        return dict(os.environ)
    java_trust.write(store, java_trust.certificates(bundle))
    options = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword={java_trust.PASSWORD}"
    return {**os.environ, "JAVA_TOOL_OPTIONS": f"{options} {os.environ.get('JAVA_TOOL_OPTIONS', '')}"}


def place(jar: Path, folder: Path) -> None:
    """Copy in two steps, so that a set-up that is killed leaves no half of a jar behind."""
    partial = folder / f"{jar.name}.partial"
    shutil.copyfile(jar, partial)
    partial.replace(folder / jar.name)


def missing(what: str, jars: Path) -> dict[str, str]:
    """Return file name and sha256 of each jar that is absent, or is another file."""
    return {name: digest for name, digest in wanted(what).items() if not is_intact(jars / name, digest)}


def main(what: str, cache: Path | None = None) -> int:
    """Place every jar; 1 where one that was fetched is not the one that was pinned."""
    jars = Path(pyspark.__file__).parent / "jars"
    absent = missing(what, jars)
    if cache is None or not absent:
        return 1 if absent else 0
    cache.mkdir(parents=True, exist_ok=True)
    if not all(is_intact(cache / name, digest) for name, digest in absent.items()):
        fetch(what, cache)
    for name, digest in absent.items():
        if not is_intact(cache / name, digest):
            print(f"{cache / name} is absent or is not the file that .ci/{what}-jars.sha256 names.", file=sys.stderr)
            return 1
        place(cache / name, jars)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(Path, sys.argv[2:])))
