"""What a monitor keeps on disk: its state, replaced whole, and a file of one JSON line a day, of which none is lost or written twice.

The state holds the line of its last day. It is replaced first and the line appended after: a process killed between finds on its return that one line
is missing, or half there, and writes it.
"""

import hashlib
import os
from pathlib import Path
from typing import IO, Any

import jax
import numpy as np

from mcengine import _files, _made

STATE, LINES, LOCK = "state.json", "days.jsonl", ".lock"


class Saved:
    """The folder of one monitor, which no other works in meanwhile.

    Args:
        folder: Made where it is not there.
        fingerprint: Of what is followed; a folder of another is refused.

    Raises:
        ValueError: Another process is at work there, or the folder is another monitor's or damaged.
    """

    def __init__(self, folder: str | Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = Path(folder), fingerprint
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock: IO[bytes] = _files.opened(_files.inside(self.folder, LOCK), "ab")
        self.state: dict[str, Any] | None = None
        try:
            if not _made.lock(self._lock):
                raise ValueError(f"{self.folder}: another process is at work in it")
            self.state = self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> dict[str, Any] | None:
        file, lines = _files.inside(self.folder, STATE), _files.inside(self.folder, LINES)
        if not file.exists():
            if lines.exists():
                raise ValueError(f"{lines}: expected its {STATE} beside it; give a folder of its own")
            return None
        state = _files.read_json(file, fingerprint=str, start=str, date=str, days=int, step=int, rows=str, carried=list, line=str)
        if state["fingerprint"] != self.fingerprint:
            raise ValueError(f"{self.folder}: expected the policy, costs and dates it was begun with, got others; give a folder of its own")
        self._mend(lines, state)
        return state

    def _mend(self, lines: Path, state: dict[str, Any]) -> None:
        """Write the last day's line where the process was killed before it was whole."""
        text = _files.read(lines) if lines.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        count = whole.count(b"\n")
        if count not in (state["days"], state["days"] - 1) or (count == state["days"] and whole.splitlines()[-1].decode() != state["line"]):
            raise ValueError(f"{lines}: expected the {state['days']:,} lines that {STATE} speaks of, got {count:,} whole ones")
        if len(whole) < len(text):
            os.truncate(lines, len(whole))
        if count < state["days"]:
            self._append(state["line"])

    def write(self, state: dict[str, Any]) -> None:
        """The state of a day, and its line.

        Args:
            state: JSON values; ``line`` is the day's.
        """
        self.state = {**state, "fingerprint": self.fingerprint}
        _files.write_json(_files.inside(self.folder, STATE), self.state)
        self._append(state["line"])

    def _append(self, line: str) -> None:
        with _files.opened(_files.inside(self.folder, LINES), "ab") as out:
            out.write(f"{line}\n".encode())
            out.flush()
            os.fsync(out.fileno())

    def close(self) -> None:
        """Let another process in."""
        self._lock.close()


def to_json(tree: Any) -> list[Any]:
    """The leaves of a pytree of scalars, exactly."""
    return [[leaf.dtype.str, np.asarray(leaf).ravel().tolist(), list(leaf.shape)] for leaf in map(np.asarray, jax.tree.leaves(tree))]


def from_json(leaves: list[Any], like: Any) -> Any:
    """The pytree again.

    Args:
        leaves: As ``to_json`` gives them.
        like: A tree of its structure.

    Raises:
        ValueError: The leaves are not those of such a tree.
    """
    expected, tree = jax.tree.flatten(like)
    try:
        found = [np.asarray(values, dtype).reshape(shape) for dtype, values, shape in leaves]
        fits = [(a.dtype, a.shape) for a in found] == [(np.asarray(b).dtype, np.shape(b)) for b in expected]
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"{STATE} is damaged: expected {len(expected)} numbers of the book, got others")
    return jax.tree.unflatten(tree, found)


def digest(*arrays: Any) -> str:
    """Of what was read so far.

    Args:
        arrays: NumPy arrays.
    """
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:32]
