"""The door to a run folder. A folder may be another's: what is read there is data, and what is written stays inside it.

Names are plain, links are never followed, files have an ordinary size, JSON has an ordinary depth. What was read from the environment is
written as the interpolation it came from (``hiding``).
"""

import hashlib
import json
import os
import re
import secrets
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

MOST = 1 << 30
"""Bytes of the largest file that is read whole: the statistics of a wide run take some megabytes."""
_MOST_JSON = 64 << 20
_DEPTH = 64  # a configuration is some ten deep
_NAME = 255  # bytes of a file's name, by every common file system
_KINDS = {dict: "a mapping", list: "a list", str: "a text", int: "a whole number"}
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # and not to wait for who writes to a pipe
written: set[Path] = set()
"""Files that this process opened to write, resolved."""
_hidden: ContextVar[Mapping[str, str] | None] = ContextVar("hidden", default=None)


_PLAIN = re.compile(r"[ !#-\[\]-~\n\"]*")
"""A text that holds nothing but what can be shown: no escape, no control but ends of lines."""


def file_name(text: str) -> str:
    """A name for a file from any text, another one for another text: what would take a path apart is written as %XX."""
    name = re.sub(r'[%/\\:*?"<>|\x00-\x1f\x7f]|^\.|^$', lambda found: f"%{ord(found[0]):02X}" if found[0] else "%", text)
    return name if len(os.fsencode(name)) < _NAME - 55 else f"{name[:40]}%{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def inside(folder: Path, *names: str) -> Path:
    """The place ``names`` lead to below a folder.

    Raises:
        ValueError: For a name that is not one plain name, or a symbolic link on the way.
    """
    place = folder
    for name in names:
        if not isinstance(name, str) or name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f]", name) or len(os.fsencode(name)) > _NAME:
            raise ValueError(f"{folder}: expected the plain name of a file in it, got {name!r}")
        place = place / name
        if place.is_symlink():
            raise ValueError(f"{place} is a symbolic link, which is not followed")
    return place


def opened(file: Path, mode: str) -> IO[Any]:
    """An ordinary file, opened by its own name.

    Raises:
        ValueError: For a link to another file, a second name of one that is to be written, a pipe or a device.
    """
    if file.is_symlink():
        raise ValueError(f"{file} is a symbolic link, which is not followed")
    handle: IO[Any] = open(file, mode, opener=lambda path, flags: os.open(path, flags | _NO_LINK, 0o666))  # noqa: SIM115 - the caller's
    found = os.fstat(handle.fileno())
    if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and mode != "rb"):
        handle.close()
        kind = "is no ordinary file" if not stat.S_ISREG(found.st_mode) else "has a second name (a hard link), under which it would change too"
        raise ValueError(f"{file} {kind}")
    if mode != "rb":
        _note(file)
    return handle


def read(file: Path, most: int = MOST) -> bytes:
    """What a file holds. Raises ``ValueError`` for one of more than ``most`` bytes, or that ``opened`` refuses."""
    with opened(file, "rb") as source:
        data = bytes(source.read(most + 1))
    if len(data) > most:
        raise ValueError(f"{file} is damaged: expected at most {most:,} bytes, got more")
    return data


def read_json(file: Path, **kinds: type) -> dict[str, Any]:
    """The mapping in a json file; empty where there is no file.

    Args:
        file: Of a run folder.
        kinds: Type of each field that it must have, unless it is empty.

    Raises:
        ValueError: For a file that is damaged.
    """
    if not os.path.lexists(file):
        return {}
    found = parse_json(read(file, _MOST_JSON), str(file))
    if not isinstance(found, dict):
        raise ValueError(f"{file} is damaged: expected a mapping, got {_kind(found)}")
    for name, kind in kinds.items() if found else ():
        if not isinstance(found.get(name), kind) or isinstance(found[name], bool):
            raise ValueError(f"{file} is damaged: {name}: expected {_KINDS[kind]}, got {_kind(found.get(name))}")
    return found


def parse_json(data: bytes, where: str) -> Any:
    """JSON of an ordinary depth whose texts can be shown. Raises ``ValueError`` for anything else, naming ``where`` it was."""
    try:
        text = data.decode()
        found = json.loads(text)
    except RecursionError:
        raise ValueError(f"{where} is damaged: nested too deeply") from None
    except ValueError:
        raise ValueError(f"{where} is damaged: it is no json") from None
    plain = _PLAIN.fullmatch(text) is not None
    looked_at = (dict, list) if plain else (dict, list, str)
    level = [found] if type(found) in looked_at else []
    for _ in range(_DEPTH):
        if not plain:
            keys = [key for item in level if isinstance(item, dict) for key in item]
            if not all(map(str.isprintable, keys)) or any(re.search("[\ud800-\udfff]", item) for item in level if isinstance(item, str)):
                raise ValueError(f"{where} is damaged: it has a text that cannot be shown")
        # Types as json makes them: a comparison, not a question about subclasses.
        inner = [item.values() if type(item) is dict else item for item in level if type(item) is not str]
        level = [child for children in inner for child in children if type(child) in looked_at]
        if not level:
            return found
    raise ValueError(f"{where} is damaged: nested more than {_DEPTH} deep")


def flat(tree: Mapping[str, Any], mark: str = ".", *, leaf: Callable[[Any], bool] = lambda value: not value) -> dict[str, Any]:
    """Nested mappings as one, their keys joined.

    Args:
        tree: Nested mappings.
        mark: Between the keys.
        leaf: Tells a mapping that is a value, by default an empty one; one that is none and empty leaves no key.
    """
    out: dict[str, Any] = {}

    def walk(tree: Mapping[str, Any], prefix: str) -> None:
        for key, value in tree.items():
            if isinstance(value, Mapping) and not leaf(value):
                walk(value, f"{prefix}{key}{mark}")
            else:
                out[f"{prefix}{key}"] = value

    walk(tree, "")
    return out


def as_line(value: Any) -> bytes:
    """JSON values as a line that begins with its own CRC-32."""
    text = json.dumps(value).encode()
    return _sum(text) + b" " + text + b"\n"


def is_whole(line: bytes) -> bool:
    """Whether a line agrees with its own CRC-32."""
    return line.endswith(b"\n") and line[:8] == _sum(line[9:-1])


def parse_line(line: bytes, where: str) -> Any:
    """What ``as_line`` made a line of. Raises ``ValueError`` for one that does not agree with its own CRC-32, naming ``where`` it was."""
    if not is_whole(line):
        raise ValueError(f"{where} is damaged: a line does not agree with its checksum")
    return parse_json(line[9:], where)


def write(file: Path, data: bytes | str) -> None:
    """The whole file or none of it, on the device when this returns; in place of a link, never through it. A text is written as ``hide`` gives it."""
    content = hide(data).encode() if isinstance(data, str) else data
    draft = file.with_name(f".{secrets.token_hex(4)}.draft")
    try:
        with open(draft, "xb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, file)
        _note(file)
    finally:
        draft.unlink(missing_ok=True)


def write_json(file: Path, value: Any, indent: int = 2) -> None:
    """``write`` of JSON values; texts in them are written as ``hide`` gives them."""
    write(file, (json.dumps(hide(value), indent=indent) + "\n").encode())


@contextmanager
def hiding(values: Mapping[str, str]) -> Iterator[None]:
    """While it lasts, the texts ``values`` are written as what they map to."""
    token = _hidden.set(dict(values))
    try:
        yield
    finally:
        _hidden.reset(token)


def hide(value: Any) -> Any:
    """A text, or JSON values with their texts, as they may be written; keys stay as they are."""
    hidden = _hidden.get()
    if not hidden:
        return value
    if isinstance(value, str):
        for text in sorted(hidden, key=len, reverse=True):
            value = value.replace(text, hidden[text])
        return value
    if isinstance(value, Mapping):
        return {key: hide(item) for key, item in value.items()}
    return [hide(item) for item in value] if isinstance(value, list | tuple) else value


def _sum(text: bytes) -> bytes:
    return f"{zlib.crc32(text):08x}".encode()


def _note(file: Path) -> None:
    written.add(Path(os.path.realpath(file.parent)) / file.name)


def _kind(value: Any) -> str:
    return "nothing" if value is None else _KINDS.get(type(value), f"a {type(value).__name__}")
