"""A clean table of prices, and what was found on the way to it."""

from dataclasses import dataclass, field
from typing import Any

from mcengine.history import frequency


@dataclass(frozen=True)
class Prices:
    """Prices as they were read: on the days on which all columns are quoted, in the order of time.

    Args:
        frame: pandas table of prices [rows, columns], by date.
        titles: The file's own headings by name.
        taken: What the file was taken to be, in one line.
        remarks: What was renamed, left out and dropped, a line each.
        warnings: What may be wrong with it, a line each.
    """

    frame: Any
    titles: dict[str, str]
    taken: str
    remarks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def rows_per_year(self) -> float:
        """Rows a year on average, from the dates: the number of every annual figure."""
        return frequency.rows_per_year(self.frame.index.to_numpy())

    @property
    def steps_per_year(self) -> int:
        """Steps of one row each that make a year: 252 of trading days, 261 of weekdays, 365, 52, 12, or what the dates say."""
        return frequency.steps_per_year(self.rows_per_year)

    @property
    def notes(self) -> list[str]:
        """All that is to be known of them, a line each."""
        return [self.taken, *self.remarks, *(f"warning: {text}" for text in self.warnings)]
