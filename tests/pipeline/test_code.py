"""The code of a step: every source file it imports, told apart by what it does and not by how it looks."""

from __future__ import annotations

from pathlib import Path

from tests.pipeline.conftest import forget

from landbridge.code import code_of


def hashes(flow: Path) -> dict[str, str]:
    forget()
    return dict(code_of("toyflow.step"))


def test_the_imports_of_imports_are_counted(flow: Path) -> None:
    (flow / "help.py").write_text("from . import deep\n\n\ndef double(value):\n    return deep.twice(value)\n")
    (flow / "deep.py").write_text("def twice(value):\n    return 2.0 * value\n")
    (flow / "aside.py").write_text("")
    assert set(hashes(flow)) == {"toyflow", "toyflow.step", "toyflow.help", "toyflow.deep"}


def test_a_module_that_is_named_in_a_string_is_counted(flow: Path) -> None:
    (flow / "worker.py").write_text("print(1)\n")
    (flow / "help.py").write_text('WORKER = "toyflow.worker"\n\n\ndef double(value):\n    return 2.0 * value\n')
    assert "toyflow.worker" in hashes(flow)


def test_an_import_inside_a_function_is_counted(flow: Path) -> None:
    (flow / "late.py").write_text("")
    (flow / "help.py").write_text("def double(value):\n    import toyflow.late\n    return 2.0 * value\n")
    assert "toyflow.late" in hashes(flow)


def test_a_template_beside_a_module_is_counted(flow: Path) -> None:
    (flow / "page.html.j2").write_text("one")
    first = hashes(flow)
    (flow / "page.html.j2").write_text("two")
    assert first["toyflow/page.html.j2"] != hashes(flow)["toyflow/page.html.j2"]


def test_layout_comments_and_docstrings_do_not_count(flow: Path) -> None:
    first = hashes(flow)
    (flow / "help.py").write_text(
        '"""Another text."""\n# A comment.\ndef double(\n    value,\n):\n    return (2.0 * value)\n'
    )
    assert hashes(flow) == first
    (flow / "help.py").write_text("def double(value):\n    return 2.5 * value\n")
    assert hashes(flow) != first


def test_a_step_does_not_depend_on_the_pipeline_that_runs_it() -> None:
    names = set(code_of("landbridge.clean.step"))
    assert "landbridge.lake.spark" in names
    assert not any(name.startswith(("landbridge.pipeline", "landbridge.train", "landbridge.report")) for name in names)
