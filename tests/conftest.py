"""One Spark session for all tests, on small lakes under tmp_path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.logs import Shop, shop_config

from landbridge.config import Config
from landbridge.session import start


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local session with Delta; one partition after a shuffle, because the tables are tiny."""
    root = tmp_path_factory.mktemp("spark")
    session = start(shop_config(root, root), root / "spark.log")
    yield session
    session.stop()


@pytest.fixture
def shop(tmp_path: Path, spark: SparkSession) -> Shop:
    """An empty shop: write days into it, run steps on it, read its tables."""
    return Shop(tmp_path, spark)


@pytest.fixture
def make_shop(tmp_path: Path, spark: SparkSession) -> Callable[..., Shop]:
    """Shops of their own, by name, for what compares two lakes."""

    def made(name: str, *overrides: str) -> Shop:
        return Shop(tmp_path / name, spark, overrides)

    return made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The small shop's configuration with its root in tmp_path."""
    return shop_config(tmp_path / "logs", tmp_path / "var")
