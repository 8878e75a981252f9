"""Arrays in a file that knows whether it is whole, and may be another's: the SHA-256 of what follows, then an npz of plain arrays."""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcengine._files import read

_NUMBERS = re.compile(r"\|[biu]1|[<>][iuf][248]")


def sealed(arrays: Mapping[str, Any]) -> bytes:
    """Arrays by name as the bytes of a file."""
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays))
    return hashlib.sha256(buffer.getbuffer()).digest() + buffer.getvalue()


def unsealed(file: Path, columns: int) -> dict[str, np.ndarray] | None:
    """What a sealed file holds; None where it is not what was written. Raises ``ValueError`` for one that no run wrote."""
    data = read(file)
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data[32:])) as archive:
            if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
                raise ValueError("it is compressed")
        with np.load(io.BytesIO(data[32:]), allow_pickle=False) as arrays:
            found = dict(arrays)
    except Exception as error:  # whatever a reader of another's bytes may raise
        raise ValueError(f"{file} is damaged: expected a block of plain arrays (objects, which may be code, are not read): {error}") from None
    forms = {name: (array.dtype.kind, array.ndim) for name, array in found.items()}
    numbers = all(kind in "iuf" for kind, _ in forms.values())
    if not numbers or forms.get("end") != ("i", 0) or forms.get("sums") != ("u", 1) or len(found["sums"]) not in (0, columns):
        raise ValueError(f"{file} is damaged: expected a block with the sums of {columns} columns, got {', '.join(sorted(forms)) or 'nothing'}")
    return found


def read_columns(listed: list[Any], file: Path) -> dict[tuple[str, str], np.dtype]:
    """The columns that ``run.json`` lists: (book, name) and a type of plain numbers."""
    for item in listed:
        if not isinstance(item, list) or len(item) != 3 or not all(isinstance(text, str) for text in item) or not _NUMBERS.fullmatch(item[2]):
            raise ValueError(f"{file} is damaged: columns: expected a book, a name and a type of numbers, got {str(item)[:80]!r}")
    return {(book, name): np.dtype(dtype) for book, name, dtype in listed}
