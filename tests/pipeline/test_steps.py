"""Which steps a night has."""

from __future__ import annotations

from tests.logs import shop_config

from landbridge.pipeline.steps import NAMES, ROOMS, has, load, steps_until
from landbridge.step import FLOW


def test_texts_and_associations_are_steps_where_they_are_configured_and_nowhere_else(tmp_path):
    sections = {
        "encode": "encode={text: title}",
        "associate": "associations={}",
        "adapt": "encode.tune={}",
        "group": "groups={}",
    }
    for chosen in ([], ["encode"], ["associate"], ["encode", "associate"], ["encode", "adapt"], ["group"]):
        config = shop_config(tmp_path, tmp_path, *(sections[name] for name in chosen))
        left_out = sections.keys() - set(chosen)
        assert [step.name for step in steps_until(config=config)] == [name for name in NAMES if name not in left_out]
        assert steps_until("associate", config)[-1].name == "associate"


def test_vectors_made_elsewhere_make_the_step_encode_one_that_fills_quarantine(tmp_path):
    image = "modalities={image: {vector: image, width: 3}}"
    plain, texts, images = (
        shop_config(tmp_path, tmp_path, *some) for some in ((), ("encode={text: title}",), (image,))
    )
    assert [has("encode", config) for config in (plain, texts, images)] == [False, True, True]
    assert "quarantine" not in load("encode", texts).writes
    assert {"item_vectors", "quarantine"} <= set(load("encode", images).writes)
    assert "modalities" in load("encode", images).sections


def test_every_step_of_the_flow_has_a_room_and_bears_its_name():
    assert tuple(ROOMS) == FLOW
    assert [load(name).name for name in FLOW] == list(FLOW)
