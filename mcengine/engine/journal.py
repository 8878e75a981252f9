"""A journal of results: each is one line on disk as soon as it is there, and a run that goes on reads it instead of computing it again.

For what is a sequence of short computations (steps of a fit, batches of a derivative) and not blocks of outcomes. The first line is the run's
identity; every line begins with its own CRC-32, and what follows the first line that does not agree with its own is computed again.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mcengine._files import as_line, hide, inside, is_whole, opened, parse_json, read
from mcengine.engine.checkpoint import telling_full_disk
from mcengine.engine.identity import differences, summarise


class Journal:
    """Results of a sequence of computations, one line each on disk: ``journal(compute)`` gives the next one, computed where it is not there yet.

    Args:
        file: Where they are kept.
        identity: Of the run, by name (see ``engine.identity``).
        resume: Whether to go on with the file that is there.

    Raises:
        ValueError: For a file of another run, one that is damaged, or one that is there and not to be gone on with.
        DiskFullError: Where there is no room for a line.
    """

    def __init__(self, file: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
        self.file = inside(file.parent, file.name)
        if not resume and file.exists():
            raise ValueError(f"{file} holds the results of a run; resume goes on with it, else choose another folder, or remove that file")
        lines = read(file).splitlines(keepends=True) if file.exists() else []
        intact: list[bytes] = []
        for line in lines:
            if not is_whole(line):
                if line is not lines[-1]:  # the last one is cut short by a kill
                    tqdm.write(f"checkpoint: line {len(intact)} of {file} does not agree with its checksum and is run again", file=sys.stderr)
                break
            intact.append(line)
        results = [parse_json(line[9:], f"line {number} of {file}") for number, line in enumerate(intact)]
        if results and not isinstance(results[0], dict):
            raise ValueError(f"line 0 of {file} is damaged: expected a mapping, the identity of a run")
        if results and (found := differences(results[0], hide(dict(identity)))):
            raise ValueError(f"resume: {file} is of another run: {summarise(found)}")
        self._known, self._next = results[1:], 0
        with self._room():
            file.parent.mkdir(parents=True, exist_ok=True)
            with opened(file, "ab") as out:
                out.truncate(sum(map(len, intact)))
        if not intact:
            self._write(hide(dict(identity)))

    def __call__(self, compute: Callable[[], Any]) -> Any:
        self._next += 1
        if self._next <= len(self._known):
            return self._known[self._next - 1]
        result = compute()
        self._write(result)
        return result

    @property
    def knows_next(self) -> bool:
        """Whether the next result need not be computed."""
        return self._next < len(self._known)

    def _write(self, result: Any) -> None:
        line = as_line(result)
        with self._room(), opened(self.file, "ab") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())

    def _room(self) -> contextlib.AbstractContextManager[None]:
        return telling_full_disk(self.file.parent, lambda: f"{max(self._next - 1, 0):,} finished steps")
