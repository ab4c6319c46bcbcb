"""The JSON schema of the configuration, generated from its types; editors complete and check with it."""

from __future__ import annotations

from typing import Any

from landbridge.config.schema import Config


def json_schema() -> dict[str, Any]:
    """Return the schema of conf/<set>.yaml. What it requires a profile may leave out."""
    schema = Config.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Landbridge configuration",
        **{key: value for key, value in schema.items() if key != "title"},
    }
