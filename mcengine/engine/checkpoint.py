"""Where outcomes go: into memory, or to disk one super-block after the other, so that a run that was killed can go on.

A super-block is a fixed number of paths, whatever the blocks and devices that computed them. On disk

    outcomes/<book>/<figure>.npy   the outcomes of the kept paths, written as they come
    checkpoint/run.json            what the run is (``engine.identity``), its columns, paths in a super-block
    checkpoint/<k>.block           written last: the k-th is finished. CRC-32 of its slice of every column, and the statistics' state after it
    checkpoint/end.json            why the run stopped

A ``.block`` (``engine.sealed``) is written beside, flushed to the device and renamed. Outcomes are not flushed
one by one: after a power cut their checksums tell which slices did not arrive, and these are run again.
"""

import contextlib
import errno
import io
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from mcengine._files import file_name, hide, inside, opened, read_json, write, write_json
from mcengine._made import discard
from mcengine.engine.identity import differences, summarise
from mcengine.engine.sealed import read_columns, sealed, unsealed

State = dict[str, np.ndarray]
Values = Mapping[str, Mapping[str, np.ndarray]]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_STATE = "state "  # before a statistic's name in a record
_BLOCK = re.compile(r"[0-9]{8,12}\.block")
_MOST_PATHS = 1 << 50
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
    """Outcomes and records in ``folder``. With ``resume`` the run that is there goes on; where none is, one begins.

    Raises ``ValueError`` when the folder holds a run and ``resume`` is not asked, one of another identity, or one of more paths than are asked now.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, resume: bool, size: int, paths: int, keep: int) -> None:
        self.folder, self.identity, self.size = folder, hide(dict(identity)), size
        self.records = inside(folder, "checkpoint")
        self.columns: dict[tuple[str, str], np.dtype] = {}
        self.found = Found()
        self.ended: dict[str, Any] = {}
        self._finished = 0
        self._sums: list[int] = []
        self._bare: list[int] = []
        known = read_json(inside(self.records, "run.json"), identity=dict, size=int, columns=list)
        if not known:
            if inside(folder, "outcomes").exists() or any(self.records.glob("*.block")):
                raise ValueError(f"{folder} has outcomes or blocks of no known run; choose another folder, or remove them")
            return
        if not resume:
            raise ValueError(f"{folder} holds the blocks of a run; resume=True goes on with it, else choose another folder, or remove that one")
        found = differences(known["identity"], self.identity)
        if size and size != known["size"]:
            found.append(f"super_block: {known['size']} there, {size} here")
        if found:
            raise ValueError(f"resume: {folder} holds another run: {summarise(found)}")
        self.size, self.columns = known["size"], read_columns(known["columns"], self.records / "run.json")
        if not 1 <= self.size <= _MOST_PATHS:
            raise ValueError(f"{self.records / 'run.json'} is damaged: size: expected a number of paths, got {self.size}")
        self.found = self._survey(paths, keep)
        self.ended = read_json(inside(self.records, "end.json"), target=dict, paths=int, stopped=str)

    def begin(self, columns: Mapping[tuple[str, str], np.dtype], size: int, kept: int) -> None:
        """The columns and the super-block's paths, known with the first outcomes."""
        if self.columns:
            if self.columns != dict(columns):
                raise ValueError(f"{self.records / 'run.json'} is damaged: columns: expected those of the run's outcomes")
            return
        self.size, self.columns = size, dict(columns)
        with self._room():
            listed = [[book, name, dtype.str] for (book, name), dtype in columns.items()]
            self.records.mkdir(parents=True, exist_ok=True)
            write_json(self.records / "run.json", {"identity": self.identity, "size": size, "columns": listed}, indent=1)
            for book, name in columns:
                self._make(book, name, kept)

    def write(self, at: int, values: Mapping[tuple[str, str], np.ndarray]) -> None:
        """The kept outcomes of a super-block, from row ``at`` on; nothing where none is kept."""
        with self._room():
            discard(self.records / "end.json")
            self._sums = [zlib.crc32(column.data) for column in values.values()]
            for (book, name), column in values.items():
                with opened(self._file(book, name), "r+b") as file:
                    file.seek(_HEADER + at * column.itemsize)
                    file.write(column.data)

    def record(self, index: int, end: int, state: State | None) -> None:
        """Super-block ``index``, just written, is finished; ``state`` is the statistics' after its last path, ``end``."""
        arrays = {"end": np.int64(end), "sums": np.array(self._sums, np.uint32)}
        with self._room():
            write(self._record(index), sealed(arrays | {_STATE + name: array for name, array in (state or {}).items()}))
        self._finished = max(self._finished, end)
        if not self._sums:
            self._bare.append(index)
        if len(self._bare) > 2:  # only statistics: the last two will do
            discard(self._record(self._bare.pop(0)))

    def read(self, rows: int) -> dict[str, dict[str, np.ndarray]]:
        """The first ``rows`` outcomes, memory-mapped."""
        columns: dict[tuple[str, str], np.ndarray] = {}
        for key, dtype in self.columns.items():
            with opened(self._file(*key), "rb") as file:
                columns[key] = np.memmap(file, dtype, "r", _HEADER, (rows,))
        return nested(columns)

    def reason(self, target: Mapping[str, Any], done: int) -> str | None:
        """Why a run that asked the same stopped here before."""
        same = self.ended.get("target") == dict(target) and self.ended.get("paths") == done
        return str(self.ended["stopped"]) if same else None

    def end(self, rows: int, note: Mapping[str, Any]) -> dict[str, dict[str, np.ndarray]]:
        """Cut the files to ``rows``, write down why the run stopped, hand out the outcomes."""
        with self._room():
            for (book, name), dtype in self.columns.items():
                with opened(self._file(book, name), "r+b") as file:
                    file.write(_header(dtype, rows))
                    file.truncate(_HEADER + rows * dtype.itemsize)
            write_json(self.records / "end.json", note, indent=1)
        return self.read(rows)

    def _survey(self, paths: int, keep: int) -> Found:
        """Which super-blocks are intact: all that are needed to go on, and nothing that does not agree with its checksum."""
        size, kept = self.size, min(paths, keep)
        files = [file for file in self.records.iterdir() if _BLOCK.fullmatch(file.name)]  # whatever else is there is none of the run's
        records = {int(file.stem): unsealed(file, len(self.columns)) for file in files}
        most = max((int(r["end"]) for r in records.values() if r is not None), default=0)
        if most > paths:
            raise ValueError(f"resume: {self.folder} already holds {most:,} paths; expected paths={most} or more, got {paths}")
        for book, name in self.columns:  # a file that is gone is damaged from end to end
            if not self._file(book, name).is_file():
                self._make(book, name, kept)
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
                with opened(self._file(book, name), "rb") as file:
                    file.seek(_HEADER + start * dtype.itemsize)
                    data = file.read((end - start) * dtype.itemsize)
            except OSError:
                return False
            if len(data) != (end - start) * dtype.itemsize or zlib.crc32(data) != int(expected):
                return False
        return True

    def _file(self, book: str, name: str) -> Path:
        return inside(self.folder, "outcomes", file_name(book), f"{file_name(name)}.npy")

    def _make(self, book: str, name: str, rows: int) -> None:
        file = self._file(book, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        with opened(file, "wb") as out:
            out.write(_header(self.columns[book, name], rows))

    def _record(self, index: int) -> Path:
        return inside(self.records, f"{index:08d}.block")

    def _room(self) -> contextlib.AbstractContextManager[None]:
        return telling_full_disk(self.folder, lambda: f"{self._finished:,} finished paths")


def save(folder: Path, identity: Mapping[str, Any], outcomes: Values, paths: int, least: int) -> dict[str, dict[str, np.ndarray]]:
    """Outcomes of ``paths`` paths that are in memory, written as one super-block of a run, memory-mapped; ``least`` paths for the sampling."""
    columns = {(book, name): np.ascontiguousarray(column) for book, named in outcomes.items() for name, column in named.items()}
    store = OnDisk(folder, identity, resume=False, size=0, paths=paths, keep=paths)
    store.begin({key: column.dtype for key, column in columns.items()}, max(1 << (paths - 1).bit_length(), 1024, least), paths)
    store.write(0, columns)
    store.record(0, paths, None)
    return store.end(paths, {"paths": paths, "stopped": f"all {paths:,} paths are run", "target": {"paths": paths, "until": None, "seconds": None}})


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
