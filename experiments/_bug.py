"""What nobody foresaw: one line on the screen that says whose code it came from, the traceback in a file."""

import os
import platform
import sysconfig
import tempfile
import traceback
from pathlib import Path
from types import TracebackType

import jax

import mcengine as mc
from mcengine import _files

LOG = "traceback.log"
"""In the run folder, which is then kept."""

_OURS = (Path(mc.__file__).resolve().parent, Path(__file__).resolve().parent)
_LIBRARIES = tuple(Path(path).resolve() for key, path in sysconfig.get_paths().items() if key in ("stdlib", "platstdlib", "purelib", "platlib"))


def told(error: BaseException, command: str, folder: Path | None = None) -> str:
    """What to say of an error that nobody foresaw, once its traceback is on the disk.

    Args:
        error: That was raised.
        command: That ran.
        folder: Of the run; None before there is one.
    """
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    head = f"{command}\nmcengine {mc.__version__}, jax {jax.__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    where = _write(head + "".join(traceback.format_exception(error)), folder)
    file, line = _origin(error.__traceback__)
    if file is not None and not _within(file, _OURS):
        return f"{file.name}, line {line}: {what}; the traceback is in {where}"
    place = f", line {line} of {file.name}" if file is not None else ""
    return f"this is a bug of mcengine{place}: {what}; please report it, as .github/ISSUE_TEMPLATE/bug.yml asks, with {where}"


def _origin(trace: TracebackType | None) -> tuple[Path | None, int]:
    """File and line of the innermost frame that is no library's: mcengine's, or the user's own."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(trace)]
    own = [(file, line) for file, line in frames if file.is_file() and (_within(file, _OURS) or not _within(file, _LIBRARIES))]
    return own[-1] if own else (None, 0)


def _within(file: Path, folders: tuple[Path, ...]) -> bool:
    return any(folder in file.resolve().parents for folder in folders)


def _write(text: str, folder: Path | None) -> Path:
    """The file it is in: the run folder's, or a temporary one where that cannot be written."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _files.write(_files.inside(folder, LOG), text)
            return folder / LOG
    except (OSError, ValueError):  # a full disk, a link of that name
        pass
    handle, name = tempfile.mkstemp(prefix="mcengine-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(_files.hide(text))
    return Path(name)
