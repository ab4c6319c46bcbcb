"""The JSON schema of the configuration, generated from its types; editors complete and check with it."""

from __future__ import annotations

from typing import Any

from landbridge.config.schema import Config


def json_schema() -> dict[str, Any]:
    """Return the schema of conf/<set>.yaml. What it requires may stand in a file that is extended, or in a profile."""
    schema = {key: value for key, value in Config.model_json_schema().items() if key != "title"}
    extends = {"type": "string", "description": "The name of a file beside this one, over which this one is laid."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Landbridge configuration",
        **schema,
        "properties": {"extends": extends, **schema["properties"]},
        "required": [],
        "anyOf": [{"required": ["extends"]}, {"required": schema["required"]}],
    }
