"""Where outcomes go: into memory, or to disk one super-block after the other, so that a run that was killed can go on.

A super-block is a fixed number of paths, whatever the blocks and devices that computed them. On disk

    outcomes/<book>/<figure>.npy   the outcomes of the kept paths, written as they come
    checkpoint/run.json            what the run is (``engine.identity``), its columns, paths in a super-block
    checkpoint/<k>.block           written last: the k-th is finished. CRC-32 of its slice of every column, and the statistics' state after it
    checkpoint/end.json            why the run stopped

A ``.block`` is the SHA-256 of what follows, then an npz; it is written beside, flushed to the device and renamed. Outcomes are not flushed
one by one: after a power cut their checksums tell which slices did not arrive, and these are run again.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from mcengine.engine.identity import differences, summarise

State = dict[str, np.ndarray]
Values = Mapping[str, Mapping[str, np.ndarray]]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_STATE = "state "  # before a statistic's name in a record
_HEADER = 128  # bytes of an npy header of one axis, room for its growth included


class DiskFullError(OSError):
    """No room for what comes next.

    Args:
        folder: Where the run is kept.
        kept: What is finished and on disk there, in words.
    """

    def __init__(self, folder: Path, kept: str) -> None:
        self.folder, self.kept = folder, kept
        super().__init__(errno.ENOSPC, f"the disk is full; {kept} are kept in {folder}: make room, then resume there")

    def __str__(self) -> str:
        return str(self.strerror)


@contextlib.contextmanager
def telling_full_disk(folder: Path, kept: Callable[[], str]) -> Iterator[None]:
    """``DiskFullError`` in place of the system's error where there is no room; ``kept()`` says what is finished in ``folder``."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(folder, kept()) from None
        raise


class Found(NamedTuple):
    """What a resumed run starts from."""

    blocks: int = 0  # finished super-blocks
    again: tuple[int, ...] = ()  # of these, the ones whose outcomes were damaged
    state: State | None = None  # of the statistics after the last


class InMemory:
    """Outcomes in arrays; nothing outlives the process."""

    def __init__(self) -> None:
        self.size, self.found = 0, Found()
        self._arrays: dict[tuple[str, str], np.ndarray] = {}

    def begin(self, columns: Mapping[tuple[str, str], np.dtype], size: int, kept: int) -> None:
        self._arrays = {key: np.empty(kept, dtype) for key, dtype in columns.items()}

    def write(self, at: int, values: Mapping[tuple[str, str], np.ndarray]) -> None:
        for key, column in values.items():
            self._arrays[key][at : at + column.size] = column

    def record(self, index: int, end: int, state: State | None) -> None:
        """Nothing to go on from."""

    def read(self, rows: int) -> dict[str, dict[str, np.ndarray]]:
        return nested({key: array[:rows] for key, array in self._arrays.items()})

    def reason(self, target: Mapping[str, Any], done: int) -> str | None:
        return None

    def end(self, rows: int, note: Mapping[str, Any]) -> dict[str, dict[str, np.ndarray]]:
        return self.read(rows)


class OnDisk:
    """Outcomes and records in ``folder``. With ``resume`` what is there goes on; without, or where nothing is, a run begins anew.

    Raises ``ValueError`` when the folder holds a run of another identity, or one of more paths than are asked now.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, resume: bool, size: int, paths: int, keep: int) -> None:
        self.folder, self.identity, self.size = folder, dict(identity), size
        self.records = folder / "checkpoint"
        self.columns: dict[tuple[str, str], np.dtype] = {}
        self.found = Found()
        self.ended: dict[str, Any] = {}
        self._finished = 0
        self._sums: list[int] = []
        self._bare: list[int] = []
        known = _read_json(self.records / "run.json") if resume else None
        if known is None:
            shutil.rmtree(self.records, ignore_errors=True)
            shutil.rmtree(folder / "outcomes", ignore_errors=True)
            return
        found = differences(known["identity"], self.identity)
        if size and size != known["size"]:
            found.append(f"super_block: {known['size']} there, {size} here")
        if found:
            raise ValueError(f"resume: {folder} holds another run: {summarise(found)}")
        self.size = int(known["size"])
        self.columns = {(book, name): np.dtype(dtype) for book, name, dtype in known["columns"]}
        self.found = self._survey(paths, keep)
        self.ended = _read_json(self.records / "end.json") or {}

    def begin(self, columns: Mapping[tuple[str, str], np.dtype], size: int, kept: int) -> None:
        """The columns and the super-block's paths, known with the first outcomes."""
        if self.columns:
            return
        self.size, self.columns = size, dict(columns)
        with self._room():
            for book, name in columns:
                self._file(book, name).parent.mkdir(parents=True, exist_ok=True)
                self._file(book, name).write_bytes(_header(columns[book, name], kept))
            listed = [[book, name, dtype.str] for (book, name), dtype in columns.items()]
            self.records.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"identity": self.identity, "size": size, "columns": listed}, indent=1)
            _write_atomically(self.records / "run.json", text.encode())

    def write(self, at: int, values: Mapping[tuple[str, str], np.ndarray]) -> None:
        """The kept outcomes of a super-block, from row ``at`` on; nothing where none is kept."""
        with self._room():
            (self.records / "end.json").unlink(missing_ok=True)
            self._sums = [zlib.crc32(column.data) for column in values.values()]
            for (book, name), column in values.items():
                with open(self._file(book, name), "r+b") as file:
                    file.seek(_HEADER + at * column.itemsize)
                    file.write(column.data)

    def record(self, index: int, end: int, state: State | None) -> None:
        """Super-block ``index``, just written, is finished; ``state`` is the statistics' after its last path, ``end``."""
        arrays = {"end": np.int64(end), "sums": np.array(self._sums, np.uint32)}
        with self._room():
            _write_atomically(self._record(index), _sealed(arrays | {_STATE + name: array for name, array in (state or {}).items()}))
        self._finished = max(self._finished, end)
        if not self._sums:
            self._bare.append(index)
        if len(self._bare) > 2:  # only statistics: the last two will do
            self._record(self._bare.pop(0)).unlink(missing_ok=True)

    def read(self, rows: int) -> dict[str, dict[str, np.ndarray]]:
        """The first ``rows`` outcomes, memory-mapped."""
        return nested({(b, n): np.memmap(self._file(b, n), dtype, "r", _HEADER, (rows,)) for (b, n), dtype in self.columns.items()})

    def reason(self, target: Mapping[str, Any], done: int) -> str | None:
        """Why a run that asked the same stopped here before."""
        same = self.ended.get("target") == dict(target) and self.ended.get("paths") == done
        return str(self.ended["stopped"]) if same else None

    def end(self, rows: int, note: Mapping[str, Any]) -> dict[str, dict[str, np.ndarray]]:
        """Cut the files to ``rows``, write down why the run stopped, hand out the outcomes."""
        with self._room():
            for (book, name), dtype in self.columns.items():
                with open(self._file(book, name), "r+b") as file:
                    file.write(_header(dtype, rows))
                    file.truncate(_HEADER + rows * dtype.itemsize)
            _write_atomically(self.records / "end.json", json.dumps(note, indent=1).encode())
        return self.read(rows)

    def _survey(self, paths: int, keep: int) -> Found:
        """Which super-blocks are intact: all that are needed to go on, and nothing that does not agree with its checksum."""
        size, kept = self.size, min(paths, keep)
        files = {int(file.stem): file for file in self.records.glob("*.block")}
        records = {index: _unsealed(file) for index, file in files.items()}
        most = max((int(r["end"]) for r in records.values() if r is not None), default=0)
        if most > paths:
            raise ValueError(f"resume: {self.folder} already holds {most:,} paths; expected paths={most} or more, got {paths}")
        for book, name in self.columns:  # a file that is gone is damaged from end to end
            if not self._file(book, name).is_file():
                self._file(book, name).parent.mkdir(parents=True, exist_ok=True)
                self._file(book, name).write_bytes(_header(self.columns[book, name], kept))
        state, blocks = None, 0
        for index in sorted(records, reverse=True):
            record, end = records[index], min((index + 1) * size, paths)
            if record is None or int(record["end"]) != end:
                continue
            state = {name.removeprefix(_STATE): array for name, array in record.items() if name.startswith(_STATE)} or None
            if end <= kept or state is not None:
                blocks = index + 1
                break
            state = None
        again = tuple(i for i in range(min(blocks, -(-kept // size))) if not self._is_intact(records.get(i), i * size, min((i + 1) * size, kept)))
        damaged = sorted({*again, *(i for i, record in records.items() if record is None)})
        if damaged:
            listed = ", ".join(str(i) for i in damaged[:10])
            tqdm.write(f"checkpoint: block {listed} of {self.folder} does not agree with its checksum and is run again", file=sys.stderr)
        self._finished = min(blocks * size, paths)
        self._bare = sorted(i for i, record in records.items() if i < blocks and record is not None and len(record["sums"]) == 0)
        return Found(blocks, again, state)

    def _is_intact(self, record: State | None, start: int, end: int) -> bool:
        if record is None or len(record["sums"]) != len(self.columns):
            return False
        for ((book, name), dtype), expected in zip(self.columns.items(), record["sums"], strict=True):
            try:
                with open(self._file(book, name), "rb") as file:
                    file.seek(_HEADER + start * dtype.itemsize)
                    data = file.read((end - start) * dtype.itemsize)
            except OSError:
                return False
            if len(data) != (end - start) * dtype.itemsize or zlib.crc32(data) != int(expected):
                return False
        return True

    def _file(self, book: str, name: str) -> Path:
        return self.folder / "outcomes" / book / f"{name}.npy"

    def _record(self, index: int) -> Path:
        return self.records / f"{index:08d}.block"

    def _room(self) -> contextlib.AbstractContextManager[None]:
        return telling_full_disk(self.folder, lambda: f"{self._finished:,} finished paths")


def nested(columns: Mapping[tuple[str, str], np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Columns by book and name."""
    out: dict[str, dict[str, np.ndarray]] = {}
    for (book, name), array in columns.items():
        out.setdefault(book, {})[name] = array
    return out


def _header(dtype: np.dtype, rows: int) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows,)})
    assert buffer.tell() == _HEADER
    return buffer.getvalue()


def _sealed(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays))
    return hashlib.sha256(buffer.getbuffer()).digest() + buffer.getvalue()


def _unsealed(file: Path) -> State | None:
    """What a sealed file holds; None where it is not what was written."""
    data = file.read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return None
    with np.load(io.BytesIO(data[32:])) as arrays:
        return dict(arrays)


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def _write_atomically(file: Path, data: bytes) -> None:
    """The whole file or none of it, on the device when this returns."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(draft, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
