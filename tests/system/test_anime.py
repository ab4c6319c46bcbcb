"""The study of anime, as it is configured, on invented marks; and the notebook that tells its story."""

from __future__ import annotations

import csv
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tests.system.invented import TYPES, write_invented
from tests.system.nights import Place
from tests.system.small import ROOT

CONTENDERS = "biases,blend,blend_history,blend_across"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the study of invented marks has been run with conf/anime.yaml itself."""
    folder = tmp_path_factory.mktemp("anime")
    place = Place(ROOT / "conf" / "anime.yaml", folder / "var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDBRIDGE_DATA", str(write_invented(folder / "data")))
        place.run("study", "--seeds", "0-1", "--contenders", CONTENDERS, "--matrix")
    return place


def test_what_users_say_of_series_is_found_to_help_elsewhere(place: Place) -> None:
    with (place.root / "study" / "anime" / "table.csv").open() as file:
        table = {(row["scenario"], row["contender"]): row for row in csv.DictReader(file)}
    for kind in set(TYPES) - {"TV"}:
        assert float(table[kind, "blend_across"]["difference"]) > 0, kind
    assert float(table["*", "blend_across"]["p"]) < 0.01
    assert {row["control"] for row in table.values()} == {"blend_history"}


def test_the_notebook_runs_from_its_first_cell_to_its_last(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDBRIDGE_ROOT", str(place.root))
    notebook = nbformat.read(ROOT / "notebooks" / "anime.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(Path(ROOT))}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 4
    printed = "".join(output.get("text", "") for output in outputs)
    assert "knowledge of other types helps (p < 0.01): " in printed
    assert "the most useful source: TV for" in printed
