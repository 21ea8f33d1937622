"""Values of an archive as two readers of others see them: delta-rs says which files count, Arrow's reader of Parquet reads each.

Values are printed exactly, so that a server can print the same: numbers as digits, floats as the hexadecimal digits of IEEE 754, texts as those of UTF-8,
dates as days and times as microseconds since 1970.
"""

import struct

import deltalake
import pyarrow
import pyarrow.parquet

VERSION = deltalake.__version__


def read(root):
    rows = []
    for uri in deltalake.DeltaTable(root).file_uris():
        table = pyarrow.parquet.read_table(uri.removeprefix("file://"), partitioning=None)
        columns = [printed(column) for column in table.columns]
        rows += [dict(zip(table.column_names, row)) for row in zip(*columns)]
    return {"rows": rows}


def printed(column):
    kind = column.type
    if pyarrow.types.is_date32(kind):
        column = column.cast(pyarrow.int32())
    elif pyarrow.types.is_timestamp(kind):
        if kind.unit != "us":
            raise ValueError(f"timestamps of {kind.unit}")
        column = column.cast(pyarrow.int64())
    single = pyarrow.types.is_float32(kind)
    return [None if value is None else text(value, single) for value in column.to_pylist()]


def text(value, single):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return struct.pack(">f" if single else ">d", value).hex()
    if isinstance(value, str):
        return value.encode().hex()
    if isinstance(value, bytes):
        return value.hex()
    return format(value, "f")
