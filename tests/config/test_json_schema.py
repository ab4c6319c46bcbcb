"""The schema for editors is the one that the types give, and it accepts what we ship."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from landbridge.config.json_schema import json_schema

CONF = Path(__file__).parents[2] / "conf"


class _Loader(yaml.SafeLoader):
    """Dates stay text, as an editor sees them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_the_committed_schema_is_current() -> None:
    committed = json.loads((CONF / "schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(), "run `landbridge schema --out conf/schema.json` and commit the file"


@pytest.mark.parametrize("name", ["online_retail", "amazon_food_kitchen_text"])
def test_what_we_ship_satisfies_the_schema(name: str) -> None:
    tree = yaml.load((CONF / f"{name}.yaml").read_text(encoding="utf-8"), _Loader)
    jsonschema.validate(tree, json_schema())


def test_only_what_extends_another_file_may_lack_what_is_required() -> None:
    tree = {"name": "half"}
    jsonschema.validate({"extends": "whole", **tree}, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tree, json_schema())


def test_the_schema_refuses_what_the_types_refuse() -> None:
    tree = yaml.load((CONF / "online_retail.yaml").read_text(encoding="utf-8"), _Loader)
    tree["ranker"]["recnt"] = 3
    with pytest.raises(jsonschema.ValidationError, match="recnt"):
        jsonschema.validate(tree, json_schema())
