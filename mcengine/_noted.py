"""What a run learns while it is made, for its provenance.json: the files it read, each with its hash, and the market it was given."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_notes: ContextVar[dict[str, dict[str, Any]] | None] = ContextVar("notes", default=None)


@contextmanager
def noting() -> Iterator[dict[str, dict[str, Any]]]:
    """While it lasts, what is noted is kept in the mapping that it gives."""
    notes: dict[str, dict[str, Any]] = {}
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def note(what: str, values: Mapping[str, Any]) -> None:
    """Keep values under ``what``, where somebody is noting.

    Args:
        what: Of provenance.json: ``data``, ``market``, ``weights``.
        values: JSON values or Estimates, by name.
    """
    notes = _notes.get()
    if notes is not None:
        notes.setdefault(what, {}).update(values)


def note_file(path: Any, content: bytes) -> None:
    """Keep a file that was read: SHA-256 and size, by its path, which of a file of mcengine's begins with the package's name.

    Args:
        path: Of the file.
        content: All of it.
    """
    if _notes.get() is not None:
        home = Path(__file__).resolve().parent
        path = Path(str(path)).resolve()
        name = path.relative_to(home.parent).as_posix() if path.is_relative_to(home) else str(path)
        note("data", {name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}})
