"""From a file to its text or its table: what it is by its first bytes, unpacked, decoded. Whatever is damaged ends in one line."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any

from mcengine._noted import note_file

LARGEST = 2**30
"""Bytes, packed or not: a file of prices has a thousandth."""

_UNPACK: dict[str, tuple[bytes, Any]] = {"gz": (b"\x1f\x8b", gzip.open), "xz": (b"\xfd7zXZ\x00", lzma.open), "bz2": (b"BZh", bz2.open)}
_OTHERS = {
    "a zst archive": (0, b"\x28\xb5\x2f\xfd"),
    "a tar archive": (257, b"ustar"),
    "an Excel workbook": (0, b"\xd0\xcf\x11\xe0"),
    "a PDF": (0, b"%PDF"),
}
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)


def text_or_table(path: Path) -> Any:
    """The text of a file of cells, or the pandas table of a parquet file. Raises ``ValueError``, naming the file, for anything else."""
    if not path.is_file():
        raise ValueError(f"data: expected a CSV or parquet file, got {str(path)!r} which does not exist or is no file")
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"data: {path.name} is larger than {LARGEST / 2**30:g} GiB; expected a file of prices")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"data: {path.name} cannot be read: {error.strerror}") from None
    note_file(path, content)
    if content[:4] == b"PAR1" or path.suffix in (".parquet", ".pq"):
        return _parquet(path)
    return _text(_unpacked(content, path.name), path.name)


def _parquet(path: Path) -> Any:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        needed = "which pandas reads where pyarrow or fastparquet is installed; pip install 'mcengine[parquet]'"
        raise ValueError(f"data: {path.name} is parquet, {needed}") from None
    except Exception as error:  # pyarrow has errors of its own, which cannot be named where it is not installed
        raise ValueError(f"data: {path.name} is not a parquet file that can be read: {_first(error)}") from None


def _unpacked(content: bytes, name: str) -> bytes:
    for what, (at, magic) in _OTHERS.items():
        if content[at : at + len(magic)] == magic:
            raise ValueError(f"data: {name} is {what}; expected a CSV (also packed as gz, xz, bz2 or zip) or parquet file")
    end = name.rpartition(".")[2].lower()
    for kind, (magic, opened) in _UNPACK.items():
        if content.startswith(magic):
            return _read(partial(opened, io.BytesIO(content)), name, kind)
    if content.startswith(b"PK"):
        return _read(lambda: _only_member(content, name), name, "zip")
    if end in (*_UNPACK, "zip", "zst", "tar", "tgz"):
        raise ValueError(f"data: {name} is no {end} file, or a damaged one")
    return content


def _read(opened: Any, name: str, kind: str) -> bytes:
    try:
        with opened() as stream:
            content: bytes = stream.read(LARGEST + 1)
    except _ContentsError as error:
        raise ValueError(str(error)) from None
    except _DAMAGED as error:
        raise ValueError(f"data: {name} is a damaged {kind} file: {_first(error)}") from None
    if len(content) > LARGEST:
        raise ValueError(f"data: {name} unpacks to more than {LARGEST / 2**30:g} GiB; expected a file of prices")
    if content[257:262] == b"ustar":
        raise ValueError(f"data: {name} is a tar archive; expected the file of prices in it")
    return content


class _ContentsError(Exception):
    pass


def _only_member(content: bytes, name: str) -> Any:
    archive = zipfile.ZipFile(io.BytesIO(content))
    inside = [one for one in archive.namelist() if not one.endswith("/") and not one.startswith("__MACOSX")]
    if any(one.startswith("xl/") for one in inside):
        raise _ContentsError(f"data: {name} is an Excel workbook; save its sheet as CSV")
    if len(inside) != 1:
        raise _ContentsError(f"data: {name} holds {len(inside)} files; expected one, of prices")
    return archive.open(inside[0])


def _text(content: bytes, name: str) -> str:
    if not content.strip():
        raise ValueError(f"data: {name} is empty")
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    encoding = next((code for mark, code in marks.items() if content.startswith(mark)), None)
    if encoding is None:
        head = content[:4096]
        zeros = [head[i::2].count(0) for i in (0, 1)]
        halves = len(head) // 4  # half of the bytes of plain text in UTF-16 are zero
        encoding = "utf-16-be" if zeros[0] > halves else "utf-16-le" if zeros[1] > halves else "utf-8"
    for one in (encoding, "cp1252") if encoding == "utf-8" else (encoding,):
        try:
            text = content.decode(one)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise ValueError(f"data: {name} is not a CSV file that can be read: it is no text in UTF-8, UTF-16 or Windows' encoding")
    if "\0" in text:
        raise ValueError(f"data: {name} is not a CSV file that can be read: it is binary")
    if text.lstrip()[:1] in "<{[" and not text.lstrip().startswith("<TICKER"):
        what = "a web page or XML" if text.lstrip().startswith(("<!", "<?", "<html", "<HTML")) else "JSON" if text.lstrip()[0] in "{[" else ""
        if what:
            raise ValueError(f"data: {name} is {what}; expected a CSV or parquet file")
    return text


def _first(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
