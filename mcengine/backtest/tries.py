"""The registry of tries: one line of JSON for each configuration that was back-tested, shared by all runs.

What a Sharpe ratio is worth depends on how many were looked at, so every back-test leaves its own, known by the hash of its configuration: the same
run again is no new try. A line is appended in one write, so two processes may append at a time; a line that cannot be read (a full disk cut it)
is left out and said. It is no file of the run that adds to it: it stays where that run's folder is taken back.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mcengine import _files
from mcengine._files import opened, parse_json, read


def key(configuration: Mapping[str, Any]) -> str:
    """What tells one try from another.

    Args:
        configuration: JSON values that determine its results.
    """
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:16]


def record(file: Path, name: str, **facts: Any) -> None:
    """Append a try, unless it is there.

    Args:
        file: The registry.
        name: Of the try, from ``key``.
        facts: Kept with it: ``sharpe`` (a row's) and what a reader wants to know.

    Raises:
        ValueError: For a file that is a link, or no ordinary one.
    """
    if name in tries(file):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with opened(file, "ab") as out:
        line = (json.dumps({"try": name, **facts}) + "\n").encode()
        out.write(line if not out.tell() or _ends_whole(file) else b"\n" + line)
        out.flush()
        os.fsync(out.fileno())
    _files.written.discard(Path(os.path.realpath(file.parent)) / file.name)


def tries(file: Path) -> dict[str, dict[str, Any]]:
    """Every try by its key; of one that is there twice the first.

    Args:
        file: The registry, which need not be there yet.
    """
    found: dict[str, dict[str, Any]] = {}
    if not file.exists():
        return found
    for number, line in enumerate(read(file).splitlines(), 1):
        try:
            one = parse_json(line, f"line {number} of {file}")
            found.setdefault(str(one["try"]), {**one, "sharpe": float(one["sharpe"])})
        except (ValueError, KeyError, TypeError):
            tqdm.write(f"tries: line {number} of {file} cannot be read and is left out", file=sys.stderr)
    return found


def ratios(file: Path) -> np.ndarray:
    """Sharpe ratios of a row of all tries.

    Args:
        file: The registry.
    """
    return np.array([one["sharpe"] for one in tries(file).values()], np.float64)


def _ends_whole(file: Path) -> bool:
    return read(file)[-1:] == b"\n"
