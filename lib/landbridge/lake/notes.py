"""What steps noted of their runs in the ledger."""

from __future__ import annotations

import json
from typing import Any

from landbridge.lake.lake import Lake


def step_notes(lake: Lake, step: str) -> list[dict[str, Any]]:
    """The notes of all runs of a step, in no particular order."""
    if not lake.exists("ledger"):
        return []
    rows = lake.read("ledger", columns=["step", "notes"]).to_pylist()
    return [json.loads(row["notes"]) for row in rows if row["step"] == step]
