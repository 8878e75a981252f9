"""Folders that this process made, and the one place where anything is removed.

A folder is this process's if it made it and its mark stands there. Of such a folder only the files that this process wrote are taken back;
whatever else was put there stays, and the folder with it. A folder that was there before is never touched.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import IO

from mcengine import _files

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MARK = ".lock"
"""Who made a folder stands in it; who works there holds its lock."""
_BY_HYDRA = ("multirun.yaml", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml")
"""What Hydra writes on this process's behalf."""
_made: dict[Path, tuple[int, bytes, list[Path]]] = {}  # (process, its mark, parents made for it) by resolved folder


def make(folder: Path) -> Path:
    """The folder, resolved; made, marked and remembered where it is not there yet. Raises ``OSError`` where it cannot be made."""
    folder = Path(os.path.realpath(folder))
    new = [parent for parent in reversed(folder.parents) if not parent.exists() and _mkdir(parent)]
    if _mkdir(folder):
        _mark(folder, new)
    return folder


def entries(folder: Path) -> set[tuple[int, int]]:
    """What is in a folder, whatever it is called."""
    found = [item.lstat() for item in folder.iterdir()]
    return {(item.st_dev, item.st_ino) for item in found}


def adopt(folder: Path, root: Path, before: set[tuple[int, int]]) -> None:
    """Remember an empty folder that was made for this process in ``root``, whose ``entries`` were ``before``; any other is somebody else's."""
    folder, root = Path(os.path.realpath(folder)), Path(os.path.realpath(root))
    if root in folder.parents and {item.name for item in folder.iterdir()} <= {".hydra"}:
        below = [place for place in (*reversed(folder.parents), folder) if root in place.parents]
        found = below[0].stat()
        if (found.st_dev, found.st_ino) not in before:
            _mark(folder, below[:-1])


def is_made(folder: Path) -> bool:
    """Whether this process made the folder, and nobody else has left a mark or works there."""
    process, mark, _ = _made.get(Path(os.path.realpath(folder)), (0, b"", []))
    if process != os.getpid():
        return False
    try:
        with _files.opened(folder / MARK, "rb") as handle:
            return lock(handle) and bool(handle.read(len(mark) + 1) == mark)
    except (OSError, ValueError):
        return False


def remove(folder: Path) -> None:
    """Take back a folder that this process made: the files it wrote, then the folder and the parents made for it where nothing else is there."""
    if not is_made(folder):
        return
    folder = Path(os.path.realpath(folder))
    _, _, parents = _made.pop(folder)
    files = {file for file in _files.written if folder in file.parents} | {folder / name for name in _BY_HYDRA}
    _files.written.difference_update(files)
    for file in files:
        with suppress(ValueError):  # a link now
            discard(_files.inside(folder, *file.relative_to(folder).parts))
    within = {place for file in files for place in file.parents if folder in place.parents}
    for place in (*sorted(within, key=lambda place: -len(place.parts)), folder, *reversed(parents)):
        try:
            place.rmdir()
        except OSError:  # it is gone, or something else is there
            continue


def lock(handle: IO[bytes]) -> bool:
    """Whether the mark is locked for this process now, as long as ``handle`` is open; without locks on the system it always is."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def keep(folder: Path) -> None:
    """What this process made there stays: from now on it is a folder that was there, and nobody's mark."""
    folder = Path(os.path.realpath(folder))
    if is_made(folder):
        with _files.opened(folder / MARK, "r+b") as handle:
            handle.truncate(0)
    _made.pop(folder, None)
    _files.written.difference_update({file for file in _files.written if folder in file.parents})


def discard(file: Path) -> None:
    """Remove a file of this process's own, or one that is to be written anew."""
    file.unlink(missing_ok=True)


def sign(handle: IO[bytes], folder: Path) -> None:
    """Put this process's mark where it works in place of another's, who no longer takes the folder back."""
    mark = _made.get(Path(os.path.realpath(folder)), (0, b"", []))[1]
    handle.seek(0)
    if handle.read(len(mark) + 1) not in (b"", mark):
        handle.truncate(0)
        handle.write(_new_mark())


def _mkdir(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _mark(folder: Path, parents: list[Path]) -> None:
    mark = _new_mark()
    try:
        with _files.opened(folder / MARK, "xb") as out:
            out.write(mark)
    except FileExistsError:  # another process works there already
        return
    _made[folder] = (os.getpid(), mark, parents)


def _new_mark() -> bytes:
    return f"{secrets.token_hex(16)}\n".encode()
