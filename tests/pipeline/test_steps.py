"""Which steps a night has."""

from __future__ import annotations

from tests.logs import shop_config

from landbridge.pipeline.steps import NAMES, steps_until


def test_texts_are_a_step_where_they_are_configured_and_nowhere_else(tmp_path):
    plain, with_texts = (shop_config(tmp_path, tmp_path, *more) for more in ([], ["encode={text: title}"]))
    assert [step.name for step in steps_until(config=with_texts)] == list(NAMES)
    assert [step.name for step in steps_until(config=plain)] == [name for name in NAMES if name != "encode"]
    assert steps_until("encode", plain)[-1].name == "encode"
