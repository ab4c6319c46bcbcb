"""Tables on a screen, without lines."""

from __future__ import annotations

from rich.table import Table


def plain_table(*columns: str, title: str | None = None) -> Table:
    """Return a table without lines; a column whose name begins with > is of numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    return table
