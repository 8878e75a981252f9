"""``collect``: the finished runs below a folder as one table, a row a run."""

import math
import re
import warnings
from pathlib import Path
from typing import Any

from mcengine._files import inside, read_json
from mcengine.report import index

_LONGEST = 24
"""Characters of a row's name."""
SWEEP, FAILED = "sweep.json", "failed.json"
"""In a sweep's folder the command and the keys that it was given; in that of a run that came to no end why, and what it was."""
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}$")


def collect(folder: str | Path, *, everything: bool = False) -> Any:
    """The finished runs below a folder as one table; unfinished ones are left out, and those that cannot be read, with a warning.

    Args:
        folder: Searched with all folders below it.
        everything: Whether to keep also what is the same for all runs, and ``provenance.*``.

    Returns:
        A pandas table, one row a run, named by its folder below ``folder`` (of long names by the hash they end with, which ``mc.load`` takes too),
        in the order of what varies: the settings that vary by dotted key, of a sweep those it was given and not what follows from them, with the
        chosen option for each group (``policy``); the metrics, an Estimate as two columns (``mean_return`` and ``mean_return_error``). Of a
        single run all settings. ``attrs["varying"]`` names the settings that vary.

    Raises:
        ValueError: Where there is no such folder.

    Example:
        >>> mc.collect("multirun/hedge/2026-11-22_18-16-22")  # doctest: +SKIP
    """
    import pandas as pd

    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"collect: expected a folder, got {str(folder)!r}")
    settings: dict[str, dict[str, Any]] = {}
    figures: dict[str, dict[str, Any]] = {}
    facts: dict[str, dict[str, Any]] = {}
    known, runs = index.below(root)
    for run in sorted(runs):
        name = str(run.relative_to(root)) if run != root else run.name
        try:
            row = index.read_row(run, facts=True) if everything else index.row(run, known.get(run))
            settings[name], figures[name], facts[name] = row.settings, row.figures, row.facts
        except (ValueError, OSError) as error:
            warnings.warn(f"collect: {run} is left out: {error}", stacklevel=2)
    if not figures:
        return pd.DataFrame()
    chosen = _table(settings)
    varying = _varying(root, chosen.astype(str))
    shown = [chosen if everything or len(figures) == 1 else chosen[varying], _table(figures), *([_table(facts)] if everything else [])]
    order = _sorted(chosen[varying]) if varying else list(figures)
    table = pd.concat(shown, axis=1).loc[order]
    table.attrs["varying"] = varying
    return table.set_axis(_short(order), axis=0).rename_axis("run")


def _varying(root: Path, texts: Any) -> list[str]:
    """Settings that vary: of a sweep those it was given, where they tell its runs apart; else all, but for what repeats one before it."""
    known = list(texts)
    varying = [key for key in known if texts[key].nunique(dropna=False) > 1]
    keys = read_json(inside(root, SWEEP)).get("keys")
    given = {str(key) for key in keys} if isinstance(keys, list) else set()
    whole = tuple(f"{key}." for key in given if key not in known)  # a mapping, whose numbers are columns
    asked = [key for key in varying if key in given or key.startswith(whole)]
    if asked and not texts[asked].duplicated().any():
        return asked
    return list(texts[varying].T.drop_duplicates().index)


def _short(names: list[str]) -> list[str]:
    """The hashes that long names of a sweep end with, where each has one of its own; else the names."""
    if max(map(len, names)) <= _LONGEST:
        return names
    ends = [found[0] if (found := _HASH.search(name)) else name for name in names]
    return ends if len(set(ends)) == len(names) else names


def _table(rows: dict[str, dict[str, Any]]) -> Any:
    """A row a run, a column a key; what a run lacks is None."""
    import pandas as pd

    keys = dict.fromkeys(key for row in rows.values() for key in row)
    return pd.DataFrame({key: [row.get(key) for row in rows.values()] for key in keys}, index=list(rows))


def _sorted(table: Any) -> list[str]:
    """Names of the runs by what varies: numbers as numbers, before words."""
    number = lambda x: isinstance(x, int | float) and not isinstance(x, bool)  # noqa: E731
    key = lambda x: (0, x, "") if number(x) and not math.isnan(x) else (1, 0.0, str(x))  # noqa: E731
    return [name for _, name in sorted((tuple(key(x) for x in row), str(name)) for name, *row in table.itertuples())]
