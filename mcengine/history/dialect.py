"""From text to rows of cells: the separator is the one that cuts the lines alike."""

import csv
import re
from collections import Counter
from typing import NamedTuple

SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
"""In the order tried: a comma last, for it may be a decimal mark."""

_SAMPLE, _ALIKE = 200, 0.5


class Rows(NamedTuple):
    """Cells of a file.

    Args:
        cells: Rows that are not blank, stripped.
        lines: The line of the file that each ends on.
        separator: What stands between them; nothing where there was no text.
    """

    cells: list[list[str]]
    lines: list[int]
    separator: str


def split(text: str, name: str) -> Rows:
    """Rows of cells. Raises ``ValueError`` where no separator cuts most lines into the same number of them."""
    said = re.match(r'"?sep=(.)"?\r?\n', text)  # as Excel writes it
    if said:
        return _rows(text, said[1], name, skip=1)
    lines = [line for line in text.splitlines() if line.strip()]
    body = lines[max(0, len(lines) - _SAMPLE) :]  # a preamble stands at the top
    for mark in SEPARATORS:
        widths = Counter(len(row) for row in _parsed(body, mark, name))
        width, count = widths.most_common(1)[0]
        if width > 1 and count >= _ALIKE * len(body):
            return _rows(text, mark, name)
    raise ValueError(f"data: {name}: expected cells between commas, semicolons or tabs, at least two a row, got {body[-1][:60]!r}")


def _rows(text: str, mark: str, name: str, skip: int = 0) -> Rows:
    cells, lines = [], []
    reader = csv.reader(text.splitlines()[skip:], delimiter=mark, skipinitialspace=True)
    try:
        for row in reader:
            stripped = [cell.strip() for cell in row]
            if any(stripped):
                cells.append(stripped)
                lines.append(reader.line_num + skip)
    except csv.Error as error:
        raise ValueError(f"data: {name} row {reader.line_num + skip}: not a row of cells: {error}") from None
    return Rows(cells, lines, mark)


def _parsed(lines: list[str], mark: str, name: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=mark, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"data: {name}: not rows of cells: {error}") from None
