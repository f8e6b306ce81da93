"""How stages read and write: tables as CSV, arrays as safetensors, outputs whole or not at all.

pandas is imported where a table is read: half a second that stages without one do not need.
"""

from __future__ import annotations

import csv
import glob
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from htsr.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the name `path` only when the block ends without an exception.

    Raises InputError when the disk is full; whatever stood under `path` before is kept in every failing case.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*.part"):  # left by a killed run
        stale.unlink(missing_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: could not be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def write_table(path: str | Path, rows: pd.DataFrame | Iterable[Mapping[str, Any]], columns: list[str] | None = None):
    """Write rows as CSV (UTF-8, one header line, empty cells for missing values, shortest exact floats).

    columns: of rows that are mappings; all their keys, in the order of their appearance, where it is left out.
    """
    with whole(path) as partial:
        if hasattr(rows, "to_csv"):
            rows.to_csv(partial, index=False, lineterminator="\n")
            return
        rows = list(rows)
        columns = columns or list(dict.fromkeys(key for row in rows for key in row))
        with partial.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(columns)
            table.writerows([_cell(row.get(key)) for key in columns] for row in rows)


def _cell(value: Any) -> Any:
    """What a table says of a value: nothing of None and NaN."""
    return "" if value is None or value != value else value


def read_table(path: str | Path, rows: int | None = None) -> pd.DataFrame:
    """Read a CSV table, or its first rows. Raises InputError where the file is missing, empty or no table."""
    import pandas as pd

    try:
        return pd.read_csv(path, nrows=rows)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV table: {error}") from error


def read_tables(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The rows of several CSV tables in one; those without rows, whose columns have no type, count only where all are.

    Raises InputError as `read_table`.
    """
    import pandas as pd

    tables = [read_table(path) for path in paths]
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def write_arrays(path: str | Path, arrays: Iterable[tuple[str, np.ndarray]], header: Mapping[str, Any]) -> None:
    """Write named arrays (float64, float32, int64, int32, uint8) as one safetensors file.

    arrays: pairs (name, array), gone through once, so a generator needs memory for one array only.
    header: the values are stored as JSON (`Arrays.header` gives them back); it is read after the last array, so a
    generator may fill it.
    """
    entries, offset = {}, 0
    path = Path(path)
    with whole(path) as partial, tempfile.TemporaryFile(dir=path.parent) as data:
        for name, array in arrays:
            if name in entries:
                raise InputError(f"{path}: two arrays are named {name!r}")
            code = _CODES[array.dtype.newbyteorder("<")]
            data.write(np.ascontiguousarray(array).data)
            entries[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
            offset += array.nbytes
        entries["__metadata__"] = {key: json.dumps(value) for key, value in header.items()}
        text = json.dumps(entries).encode()
        text += b" " * (-len(text) % 8)
        data.seek(0)
        with partial.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            while chunk := data.read(1 << 24):
                file.write(chunk)


class Arrays(Mapping):
    """A safetensors file as a mapping from name to read-only, memory-mapped array; `header` holds its metadata.

    Raises InputError where the file is missing, truncated or no safetensors file.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                entries = json.loads(file.read(length)) if length < size else None
            metadata = entries.pop("__metadata__", {})
            self.header = {key: json.loads(value) for key, value in metadata.items()}
            end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        except (OSError, ValueError, AttributeError, KeyError) as error:
            raise InputError(f"{self.path}: not a readable safetensors file: {error}") from error
        if size != 8 + length + end:
            raise InputError(f"{self.path}: {size} bytes where its header promises {8 + length + end}: truncated?")
        self._entries, self._start = entries, 8 + length

    def __getitem__(self, name: str) -> np.ndarray:
        entry = self._entries[name]
        shape, dtype = tuple(entry["shape"]), np.dtype(_DTYPES[entry["dtype"]])
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(self.path, dtype, "r", self._start + entry["data_offsets"][0], shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
