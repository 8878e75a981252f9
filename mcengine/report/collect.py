"""``collect``: the finished runs below a folder as one table, a row a run."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcengine._files import inside, read_json


def collect(folder: str | Path) -> Any:
    """The finished runs below a folder as one table; unfinished ones are left out, and those that cannot be read, with a warning.

    Args:
        folder: Searched with all folders below it.

    Returns:
        A pandas table, one row a run: the configuration by dotted key, with the chosen option for each group (``policy``); the metrics, an Estimate
        as two columns (``mean_return`` and ``mean_return_error``); ``provenance.*``.

    Raises:
        ValueError: Where there is no such folder.
    """
    import pandas as pd

    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"collect: expected a folder, got {str(folder)!r}")
    rows: dict[str, dict[str, Any]] = {}
    for file in sorted(root.rglob("metrics.json")):
        try:
            rows[str(file.parent)] = _row(file.parent)
        except (ValueError, OSError) as error:
            warnings.warn(f"collect: {file.parent} is left out: {error}", stacklevel=2)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("folder") if rows else pd.DataFrame()


def _row(run: Path) -> dict[str, Any]:
    facts = read_json(inside(run, "provenance.json"), config=dict)
    config, row = facts.pop("config", {}), facts.pop("choices", {})
    if not isinstance(row, dict):
        raise ValueError(f"{run / 'provenance.json'} is damaged: choices: expected a mapping, got {row!r:.80}")
    row |= {key: value for key, value in _flat(config, ".").items() if not key.endswith("_target_")}
    for key, value in _flat(read_json(inside(run, "metrics.json")), "/", leaf=_is_estimate).items():
        if _is_estimate(value):
            if not all(cell is None or isinstance(cell, int | float) for cell in value.values()):
                raise ValueError(f"{run / 'metrics.json'} is damaged: {key}: expected numbers, got {value!r:.80}")
            row[key], row[f"{key}_error"] = value["value"], value["error"]
        else:
            row[key] = value
    return row | {f"provenance.{key}": value for key, value in _flat(facts, ".").items()}


def _is_estimate(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"value", "error"}


def _flat(tree: Mapping[str, Any], mark: str, *, leaf: Any = lambda value: False, prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and not leaf(value):
            out |= _flat(value, mark, leaf=leaf, prefix=f"{prefix}{key}{mark}")
        else:
            out[f"{prefix}{key}"] = value
    return out
