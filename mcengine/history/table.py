"""A pandas table as rows of cells, so that it is read as a file is: its dates first where they are its index, levels of headings above each other."""

from typing import Any

from mcengine.history.dialect import Rows


def rows_of(table: Any) -> Rows:
    """A pandas table as rows of cells."""
    import pandas as pd

    counted = isinstance(table.index, pd.RangeIndex) or (table.index.dtype.kind in "iu" and table.index.name is None)
    names = [c if isinstance(c, tuple) else (c,) for c in table.columns]
    text = [_cells(table.iloc[:, j]) for j in range(len(names))]
    if not counted:
        own = table.index.name if table.index.name is not None else "date"
        for level in reversed(range(table.index.nlevels)):
            title = own if table.index.nlevels == 1 else table.index.names[level]
            names.insert(0, (str(title),))
            text.insert(0, _cells(table.index.get_level_values(level)))
    deep = max(map(len, names), default=1)
    header = [[str(n[k]) if k < len(n) else "" for n in names] for k in range(deep)]
    if deep > 1 and not counted:  # as pandas writes columns of several levels: the dates' name in a row of its own
        header = [["" if len(n) < deep else str(n[k]) for n in names] for k in range(deep)]
        header.append([str(n[0]) if len(n) < deep else "" for n in names])
    cells = [*header, *map(list, zip(*text, strict=True))] if text else header
    return Rows(cells, list(range(1 - len(header), 1 - len(header) + len(cells))), "")


def _cells(column: Any) -> list[str]:
    """A column of a table as text that reads back to the same numbers and dates."""
    import pandas as pd

    kind = getattr(column.dtype, "kind", "O")
    if kind == "f":
        return ["" if x != x else repr(x) for x in column.to_numpy(float).tolist()]
    return ["" if x is None or x is pd.NaT or x is pd.NA or x != x else str(x).strip() for x in column.tolist()]
