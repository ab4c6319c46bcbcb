"""The notebook runs on a night's tables, from its first cell to its last, and draws what it says."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tests.system.nights import Place
from tests.system.small import ROOT


def test_the_first_look_runs_on_a_nights_tables(undisturbed: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDBRIDGE_CONF", str(undisturbed.conf))
    monkeypatch.setenv("LANDBRIDGE_ROOT", str(undisturbed.root))
    notebook = nbformat.read(ROOT / "notebooks" / "first_look.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(Path(ROOT))}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    printed = "".join(output.get("text", "") for output in outputs)
    assert "the model's lists equal the table's for 3 users of Germany" in printed
